#include "base/table.h"

#include "base/min_max.h"
#include <string.h>

static const char *name_at(const void *rows, size_t row_size, size_t i)
{
    const char *name;
    memcpy(&name, (const char *)rows + i * row_size, sizeof name);
    return name;
}

const void *find_row(const char *name, const void *rows, size_t row_size)
{
    const char *row_name;
    for (size_t i = 0; (row_name = name_at(rows, row_size, i)); i++)
        if (strcmp(row_name, name) == 0)
            return (const char *)rows + i * row_size;
    return NULL;
}

/* Optimal string alignment distance (Damerau 1964; no substring is edited twice). */
int edit_distance(const char *a, const char *b)
{
    enum { MAX_LENGTH = 80 };
    int cost[3][MAX_LENGTH + 1];
    const int n = (int)strnlen(a, MAX_LENGTH), m = (int)strnlen(b, MAX_LENGTH);
    for (int j = 0; j <= m; j++)
        cost[0][j] = j;
    for (int i = 1; i <= n; i++) {
        int *row = cost[i % 3], *previous = cost[(i + 2) % 3], *second_last = cost[(i + 1) % 3];
        row[0] = i;
        for (int j = 1; j <= m; j++) {
            row[j] = min_int(min_int(previous[j], row[j - 1]) + 1, previous[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = min_int(row[j], second_last[j - 2] + 1);
        }
    }
    return cost[n % 3][m];
}

const char *nearest_name(const char *name, const void *rows, size_t row_size)
{
    const char *nearest = "", *row_name;
    int min_distance = -1;
    for (size_t i = 0; (row_name = name_at(rows, row_size, i)); i++) {
        const int d = edit_distance(name, row_name);
        if (min_distance < 0 || d < min_distance) {
            min_distance = d;
            nearest = row_name;
        }
    }
    return nearest;
}
