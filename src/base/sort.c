#include "base/sort.h"

#include <stdlib.h>

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void sort_doubles(double *values, int count)
{
    if (count)
        qsort(values, (size_t)count, sizeof *values, ascending);
}
