/* serve/history.h -- a table of numbers in bounded memory: beyond HISTORY_ROWS rows, neighbours are replaced by their
 * mean, so that a curve of any length keeps its shape. */
#ifndef SERVE_HISTORY_H
#define SERVE_HISTORY_H
#include "base/strbuf.h"
#include "base/string_list.h"

enum { HISTORY_ROWS = 600 };                    /* even */

struct history {
    struct string_list columns;
    double *rows; int count;                    /* [HISTORY_ROWS][columns.count] */
    double *sum; int summed, merged;            /* the next row: the mean of `merged` rows, `summed` of them so far */
};

/* The columns are copied.  history_free in any case. */
bool history_init(struct history *, const char *const *columns, int count, struct error *);
void history_free(struct history *);
void history_add(struct history *, const double *row);

/* Adds the columns that a CSV file has, too; does nothing if it cannot be read. */
void history_read(struct history *, const char *path);

/* Appends {"step":[0,50],"loss":[1.5,null]}, NaN as null. */
void history_json(const struct history *, struct strbuf *);
#endif
