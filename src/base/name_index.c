#include "base/name_index.h"

#include "base/memory.h"
#include <stdlib.h>

static int by_name(const void *a, const void *b, void *compare)
{
    const struct name_row *x = a, *y = b;
    const int order = (*(name_compare **)compare)(x->name, y->name);
    return order ? order : (x->place > y->place) - (x->place < y->place);
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

static const char *name_in_list(const void *names, int place)
{
    return ((const char *const *)names)[place];
}

bool name_index_list(struct name_index *index, int count, const char *const *names, name_compare *compare,
                     struct error *err)
{
    return name_index_make(index, count, name_in_list, names, compare, err);
}

/* The first row of that name, or index->count. */
static int find_first(const struct name_index *index, const char *name)
{
    int low = 0, high = index->count;                   /* ends at the first row that is not below name */
    while (low < high) {
        const int middle = low + (high - low) / 2;
        if (index->compare(index->rows[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < index->count && index->compare(index->rows[low].name, name) == 0 ? low : index->count;
}

int name_index_find(const struct name_index *index, const char *name)
{
    const int row = find_first(index, name);
    if (row + 1 < index->count && index->compare(index->rows[row + 1].name, name) == 0)
        return NAME_SHARED;
    return row < index->count ? index->rows[row].place : NAME_ABSENT;
}

int name_index_first(const struct name_index *index, const char *name)
{
    const int row = find_first(index, name);
    return row < index->count ? index->rows[row].place : NAME_ABSENT;
}

void name_index_free(struct name_index *index)
{
    free(index->rows);
    *index = (struct name_index){0};
}
