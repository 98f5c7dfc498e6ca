#include "base/name_index.h"

#include "base/memory.h"
#include <stdlib.h>

static int by_name(const void *a, const void *b, void *compare)
{
    const struct name_row *x = a, *y = b;
    return (*(name_compare **)compare)(x->name, y->name);
}

bool name_index_make(struct name_index *index, int count, const char *(*name_of)(const void *, int),
                     const void *context, name_compare *compare, struct error *err)
{
    *index = (struct name_index){ .count = count, .compare = compare };
    index->rows = new_array((size_t)count, sizeof *index->rows, err);
    if (!index->rows)
        return false;
    for (int i = 0; i < count; i++)
        index->rows[i] = (struct name_row){ name_of(context, i), i };
    qsort_r(index->rows, (size_t)count, sizeof *index->rows, by_name, &compare);
    return true;
}

int name_index_find(const struct name_index *index, const char *name)
{
    int low = 0, high = index->count;                   /* ends at the first row that is not below name */
    while (low < high) {
        const int middle = low + (high - low) / 2;
        if (index->compare(index->rows[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == index->count || index->compare(index->rows[low].name, name) != 0)
        return NAME_ABSENT;
    if (low + 1 < index->count && index->compare(index->rows[low + 1].name, name) == 0)
        return NAME_SHARED;
    return index->rows[low].place;
}

void name_index_free(struct name_index *index)
{
    free(index->rows);
    *index = (struct name_index){0};
}
