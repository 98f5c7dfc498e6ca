/* data/number_rows.h -- text files of numbers, one row per line: VisDrone and YOLO.  Blanks and commas separate the
 * numbers; a comma at the end and empty lines are allowed.  The text is as text_read gives it. */
#ifndef DATA_NUMBER_ROWS_H
#define DATA_NUMBER_ROWS_H
#include "base/file.h"
#include "data/dataset.h"

struct number_rows {
    const char *p, *end, *path;
    int line, columns;                  /* of the last row; the first line is 1 */
    double min[2], max[2];              /* extent of the points (x, y) that its columns are from the second on (YOLO) */
};

void number_rows_begin(struct number_rows *, struct bytes text, const char *path);

/* Reads the next line that has numbers: writes at most max of them to out and returns how many the line has.  Returns 0
 * at the end of the file, and -1, with an error that names the line and the word, if a word is not a finite number; the
 * next call continues with the following line. */
int number_rows_next(struct number_rows *, double *out, int max, struct error *);

enum { ROW_COLUMNS = 8 };                                   /* the most columns of a box */

/* True if a row of n numbers, of which at most ROW_COLUMNS are in row, is a box.  The error does not name the place. */
typedef bool box_row_check(const double *row, int n, struct error *why);

/* Reads the next row that is a box; false at the end.  Other rows become problems of the set, unless it is NULL. */
bool number_rows_next_box(struct number_rows *, double row[ROW_COLUMNS], box_row_check *is_box, struct dataset *set);
#endif
