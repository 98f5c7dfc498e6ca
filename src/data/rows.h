/* data/rows.h -- text files of numbers, a row per line: VisDrone and YOLO.  Numbers stand between blanks or commas; a
 * comma at the end and empty lines do no harm.  The text is as text_read gives it. */
#ifndef DATA_ROWS_H
#define DATA_ROWS_H
#include "base/file.h"
#include "data/dataset.h"

struct rows { const char *p, *end, *path; int line; };      /* line: of the row met last, the first is 1 */

void rows_begin(struct rows *, struct bytes text, const char *path);

/* The next line that has any numbers: how many it has, of which the first max are in out.  0 at the end of the file.
 * -1 and an error that names the line and the word if a word of it is no finite number; the next call goes on with
 * the line behind. */
int rows_next(struct rows *, double *out, int max, struct error *);

enum { ROW_COLUMNS = 8 };                                   /* of the longest row that is a box */

/* The next row that is_box takes; false at the end.  is_box sees n numbers, at most ROW_COLUMNS of them in row, and
 * says why they are no box, without the place.  Rows that it refuses become problems of the set, unless it
 * is NULL. */
bool rows_next_box(struct rows *, double row[ROW_COLUMNS], bool is_box(const double *row, int n, struct error *why),
                   struct dataset *set);
#endif
