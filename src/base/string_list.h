/* base/string_list.h -- a list that owns its strings. */
#ifndef BASE_STRING_LIST_H
#define BASE_STRING_LIST_H
#include "base/error.h"

/* Starts as {0}; string_list_free releases it. */
struct string_list { char **list; int count, capacity; };
bool string_list_add(struct string_list *, const char *text, struct error *);       /* adds a copy */
void string_list_sort(struct string_list *);                         /* by byte */
bool string_list_contains(const struct string_list *sorted, const char *text);
void string_list_free(struct string_list *);
#endif
