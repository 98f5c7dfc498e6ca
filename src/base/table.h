/* base/table.h -- tables of rows.  A row is a struct whose first member is `const char *name`; the row after the
 * last has a NULL name.  One lookup and one nearest-name function serve every table. */
#ifndef BASE_TABLE_H
#define BASE_TABLE_H
#include <stddef.h>

/* The row called name, or NULL. */
const void *find_row(const char *name, const void *rows, size_t row_size);

/* Inserted, deleted, replaced letters and swaps of neighbours that lead from a to b; of each the first 80 letters. */
int edit_distance(const char *a, const char *b);

/* The row's name that takes the fewest edits from name; "" if the table is empty. */
const char *nearest_name(const char *name, const void *rows, size_t row_size);
#endif
