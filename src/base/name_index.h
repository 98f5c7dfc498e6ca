/* base/name_index.h -- looks up list positions by name, with a comparison that the caller chooses. */
#ifndef BASE_NAME_INDEX_H
#define BASE_NAME_INDEX_H
#include "base/error.h"

typedef int name_compare(const char *, const char *);   /* as strcmp */

struct name_index {
    struct name_row { const char *name; int place; } *rows;     /* sorted by name, then place; names are borrowed */
    int count;
    name_compare *compare;
};

enum { NAME_ABSENT = -1, NAME_SHARED = -2 };            /* no position has the name; more than one has it */

/* name_of(context, i) is the name of position i. */
bool name_index_make(struct name_index *, int count, const char *(*name_of)(const void *context, int place),
                     const void *context, name_compare *, struct error *);
bool name_index_list(struct name_index *, int count, const char *const *names, name_compare *, struct error *);
int name_index_find(const struct name_index *, const char *name);       /* its position, NAME_ABSENT or NAME_SHARED */
int name_index_first(const struct name_index *, const char *name);      /* its first position, or NAME_ABSENT */
void name_index_free(struct name_index *);
#endif
