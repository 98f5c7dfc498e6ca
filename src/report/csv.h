/* report/csv.h -- tables of numbers as comma separated values (RFC 4180): a header, then a row a line.  A number is
 * the shortest text that reads back as the same float, whole numbers are written in full: equal numbers give equal
 * bytes. */
#ifndef REPORT_CSV_H
#define REPORT_CSV_H
#include "base/error.h"
#include "base/string_list.h"

/* Appends a row of count numbers and syncs the file.  A file that is new or empty gets the names of the columns first,
 * escaped as in base/printable.h.  A name that a spreadsheet would take for a formula gets an apostrophe before it,
 * which reading removes. */
bool csv_append(const char *path, const char *const *columns, const double *values, int count, struct error *);

/* Keeps the rows whose number in the column is at most value, and drops a last line that was never finished.  A file
 * that is not there stays so; one whose header was never finished goes.  Whole or not at all. */
bool csv_cut_after(const char *path, const char *column, double value, struct error *);

/* The whole table.  What is no number is NaN; a last line without its end is left out. */
struct csv { struct string_list columns; double *values; int rows, capacity; };       /* values[rows][columns.count] */
bool csv_read(struct csv *, const char *path, struct error *);
bool csv_parse(struct csv *, char *text, const char *name, struct error *);    /* takes the text apart in place */
void csv_free(struct csv *);
int csv_column(const struct csv *, const char *name);           /* index, or -1 */
#endif
