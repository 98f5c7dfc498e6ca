#include "data/number_rows.h"

#include "base/file.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char separators[] = " \t,";

void number_rows_begin(struct number_rows *rows, struct bytes text, const char *path)
{
    *rows = (struct number_rows){ .p = (const char *)text.p, .end = (const char *)text.p + text.size, .path = path };
}

/* The numbers of the row from rows->p to stop, the end of its line; -1 as number_rows_next. */
static int read_row(struct number_rows *rows, const char *stop, double *out, int max, struct error *err)
{
    int n = 0;
    for (int i = 0; i < 2; i++) {
        rows->min[i] = INFINITY;
        rows->max[i] = -INFINITY;
    }
    for (const char *p = rows->p + strspn(rows->p, separators); p < stop; p += strspn(p, separators)) {
        const size_t size = strcspn(p, " \t,\n");
        char *end;
        const double v = strtod(p, &end);
        if (size == 0) {
            fail(err, "%s:%d: has a zero byte, so it is not a text file", rows->path, rows->line);
            return -1;
        }
        if (end != p + size || !isfinite(v)) {
            fail(err, "%s:%d: '%.*s' is not a %snumber", rows->path, rows->line, size < 40 ? (int)size : 40, p,
                 end == p + size ? "finite " : "");
            return -1;
        }
        if (n < max)
            out[n] = v;
        if (n > 0) {
            rows->min[n % 2 == 0] = fmin(rows->min[n % 2 == 0], v);
            rows->max[n % 2 == 0] = fmax(rows->max[n % 2 == 0], v);
        }
        n++;
        p = end;
    }
    return rows->columns = n;
}

int number_rows_next(struct number_rows *rows, double *out, int max, struct error *err)
{
    int n = 0;
    while (n == 0 && rows->p < rows->end) {
        const char *newline = memchr(rows->p, '\n', (size_t)(rows->end - rows->p));
        const char *stop = newline ? newline : rows->end;
        rows->line++;
        n = read_row(rows, stop, out, max, err);
        rows->p = newline ? newline + 1 : rows->end;
    }
    return n;
}

bool number_rows_next_box(struct number_rows *rows, double row[ROW_COLUMNS], box_row_check *is_box, struct dataset *set)
{
    struct error why;
    int n;
    while ((n = number_rows_next(rows, row, ROW_COLUMNS, &why)) != 0) {
        if (n > 0 && is_box(row, n, &why))
            return true;
        if (set && n > 0)
            dataset_problem(set, "%s:%d: %s", rows->path, rows->line, why.text);
        else if (set)
            dataset_problem(set, "%s", why.text);
    }
    return false;
}
