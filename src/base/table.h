/* base/table.h -- lookup in tables of rows.  A row is a struct whose first member is `const char *name`; a row with a
 * NULL name ends the table. */
#ifndef BASE_TABLE_H
#define BASE_TABLE_H
#include <stddef.h>

/* The row called name, or NULL. */
const void *find_row(const char *name, const void *rows, size_t row_size);

/* The number of insertions, deletions, replacements and swaps of adjacent letters that turn a into b.  Only the first
 * 80 letters of each count, and no part of a is edited twice. */
int edit_distance(const char *a, const char *b);

/* The row name with the smallest edit distance to name; "" if the table is empty. */
const char *nearest_name(const char *name, const void *rows, size_t row_size);
#endif
