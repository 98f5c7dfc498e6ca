#include "base/name_index.h"

#include "base/memory.h"
#include <stdlib.h>

static int by_name_then_position(const void *a, const void *b, void *context)
{
    const struct name_row *x = a, *y = b;
    name_compare *compare = *(name_compare **)context;
    const int order = compare(x->name, y->name);
    return order ? order : (x->position > y->position) - (x->position < y->position);
}

bool name_index_build(struct name_index *index, int count, const char *(*name_of)(const void *, int),
                     const void *context, name_compare *compare, struct error *err)
{
    *index = (struct name_index){ .count = count, .compare = compare };
    index->rows = new_array((size_t)count, sizeof *index->rows, err);
    if (!index->rows)
        return false;
    for (int i = 0; i < count; i++)
        index->rows[i] = (struct name_row){ name_of(context, i), i };
    qsort_r(index->rows, (size_t)count, sizeof *index->rows, by_name_then_position,
            &compare);
    return true;
}

static const char *name_in_list(const void *names, int position)
{
    return ((const char *const *)names)[position];
}

bool name_index_from_names(struct name_index *index, int count, const char *const *names, name_compare *compare,
                           struct error *err)
{
    return name_index_build(index, count, name_in_list, names, compare, err);
}

/* The index of the first row with that name, or index->count. */
static int first_row(const struct name_index *index, const char *name)
{
    int low = 0, high = index->count;       /* rows before low are below name; those from high on are not */
    while (low < high) {
        const int middle = low + (high - low) / 2;
        if (index->compare(index->rows[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < index->count && index->compare(index->rows[low].name, name) == 0 ? low : index->count;
}

int name_index_find_unique(const struct name_index *index, const char *name)
{
    const int row = first_row(index, name);
    if (row + 1 < index->count && index->compare(index->rows[row + 1].name, name) == 0)
        return NAME_AMBIGUOUS;
    return row < index->count ? index->rows[row].position : NAME_ABSENT;
}

int name_index_find_first(const struct name_index *index, const char *name)
{
    const int row = first_row(index, name);
    return row < index->count ? index->rows[row].position : NAME_ABSENT;
}

void name_index_free(struct name_index *index)
{
    free(index->rows);
    *index = (struct name_index){0};
}
