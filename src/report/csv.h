/* report/csv.h -- tables of numbers as comma separated values (RFC 4180): a header, then a line per row.  A number is
 * the shortest text that reads back as the same float; whole numbers are written in full.  So equal numbers give equal
 * bytes. */
#ifndef REPORT_CSV_H
#define REPORT_CSV_H
#include "base/error.h"
#include "base/string_list.h"

/* Appends a row of count numbers and syncs the file.  A new or empty file gets the names of the columns first,
 * escaped as in base/escape.h.  A name that a spreadsheet would read as a formula gets an apostrophe as prefix,
 * which reading removes. */
bool csv_append(const char *path, const char *const *columns, const double *values, int count, struct error *);

/* *fits: a table at the path has exactly these columns, or is missing or empty: csv_append may add to it. */
bool csv_fits(const char *path, const char *const *columns, int count, bool *fits, struct error *);

/* Keeps the rows whose number in the column is at most value, and drops an incomplete last line.  A missing file is
 * not created; one with an incomplete header is removed.  The file is replaced as a whole or not at all. */
bool csv_cut_after(const char *path, const char *column, double value, struct error *);

/* Reads the whole table.  A field that is not a number is NaN; an incomplete last line is left out. */
struct csv { struct string_list columns; double *values; int rows, capacity; };       /* values[rows][columns.count] */
bool csv_read(struct csv *, const char *path, struct error *);
bool csv_parse(struct csv *, char *text, const char *name, struct error *);    /* splits the text in place */
void csv_free(struct csv *);
int csv_column(const struct csv *, const char *name);           /* index, or -1 */
#endif
