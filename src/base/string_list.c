#include "base/string_list.h"

#include "base/memory.h"
#include <stdlib.h>
#include <string.h>

bool string_list_add(struct string_list *list, const char *text, struct error *err)
{
    if (!grow_array(&list->list, list->count, &list->capacity, sizeof *list->list, err))
        return false;
    char *copy = new_text(text, err);
    if (!copy)
        return false;
    list->list[list->count++] = copy;
    return true;
}

void string_list_free(struct string_list *list)
{
    for (int i = 0; i < list->count; i++)
        free(list->list[i]);
    free(list->list);
    *list = (struct string_list){0};
}

static int by_bytes(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

void string_list_sort(struct string_list *list)
{
    if (list->count)
        qsort(list->list, (size_t)list->count, sizeof *list->list, by_bytes);
}

bool string_list_contains(const struct string_list *sorted, const char *text)
{
    return sorted->count && bsearch(&text, sorted->list, (size_t)sorted->count, sizeof *sorted->list, by_bytes);
}
