/* base/name_index.h -- an index from names to positions in a list, by binary search. */
#ifndef BASE_NAME_INDEX_H
#define BASE_NAME_INDEX_H
#include "base/error.h"

typedef int name_compare(const char *, const char *);   /* an order with the contract of strcmp */

struct name_index {
    struct name_row { const char *name; int position; } *rows;  /* sorted by name, then position */
    int count;
    name_compare *compare;
};

enum { NAME_ABSENT = -1,        /* no position has the name */
       NAME_AMBIGUOUS = -2 };   /* more than one position has it */

/* Builds the index of names[count], or of the names that name_of(context, position) returns; context is not used later.
 * The names must outlive the index.  name_index_free releases it, also after a failure. */
bool name_index_build(struct name_index *, int count, const char *(*name_of)(const void *context, int position),
                     const void *context, name_compare *, struct error *);
bool name_index_from_names(struct name_index *, int count, const char *const *names, name_compare *, struct error *);

/* The position of a name, or NAME_ABSENT.  If several have it: NAME_AMBIGUOUS, or the lowest. */
int name_index_find_unique(const struct name_index *, const char *name);
int name_index_find_first(const struct name_index *, const char *name);
void name_index_free(struct name_index *);
#endif
