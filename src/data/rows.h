/* data/rows.h -- text files of numbers, a row a line: VisDrone and YOLO.  Numbers stand between blanks or commas; a
 * comma at the end, CR before LF and empty lines do no harm. */
#ifndef DATA_ROWS_H
#define DATA_ROWS_H
#include "base/file.h"

struct rows { const char *p, *end, *path; int line; };      /* line: of the row met last, the first is 1 */

void rows_begin(struct rows *, struct bytes text, const char *path);

/* The numbers of the next line that has any: how many, 0 at the end of the file, or -1 and an error naming the line
 * if it holds anything else, more than max numbers or one that is not finite. */
int rows_next(struct rows *, double *out, int max, struct error *);
#endif
