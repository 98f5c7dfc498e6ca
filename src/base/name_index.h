/* base/name_index.h -- finds the places that have a name, under a comparison of the caller's. */
#ifndef BASE_NAME_INDEX_H
#define BASE_NAME_INDEX_H
#include "base/error.h"

typedef int name_compare(const char *, const char *);   /* as strcmp */

struct name_index {
    struct name_row { const char *name; int place; } *rows;     /* sorted by name, then place; names are borrowed */
    int count;
    name_compare *compare;
};

enum { NAME_ABSENT = -1, NAME_SHARED = -2 };            /* no place has the name; more than one has */

/* name_of(context, i) is the name of place i. */
bool name_index_make(struct name_index *, int count, const char *(*name_of)(const void *context, int place),
                     const void *context, name_compare *, struct error *);
bool name_index_list(struct name_index *, int count, const char *const *names, name_compare *, struct error *);
int name_index_find(const struct name_index *, const char *name);       /* the place, or one of the two above */
int name_index_first(const struct name_index *, const char *name);      /* the first place, or NAME_ABSENT */
void name_index_free(struct name_index *);
#endif
