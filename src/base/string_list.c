#include "base/string_list.h"

#include "base/memory.h"
#include <stdlib.h>
#include <string.h>

bool string_list_add(struct string_list *names, const char *name, struct error *err)
{
    if (!grow_array(&names->list, names->count, &names->capacity, sizeof *names->list, err))
        return false;
    char *copy = new_text(name, err);
    if (!copy)
        return false;
    names->list[names->count++] = copy;
    return true;
}

void string_list_free(struct string_list *names)
{
    for (int i = 0; i < names->count; i++)
        free(names->list[i]);
    free(names->list);
    *names = (struct string_list){0};
}

static int by_bytes(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

void string_list_sort(struct string_list *names)
{
    if (names->count)
        qsort(names->list, (size_t)names->count, sizeof *names->list, by_bytes);
}

bool string_list_have(const struct string_list *sorted, const char *name)
{
    return sorted->count && bsearch(&name, sorted->list, (size_t)sorted->count, sizeof *sorted->list, by_bytes);
}
