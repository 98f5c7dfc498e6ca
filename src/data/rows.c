#include "data/rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char separators[] = " \t\r,";

void rows_begin(struct rows *rows, struct bytes text, const char *path)
{
    *rows = (struct rows){ .p = (const char *)text.p, .end = (const char *)text.p + text.size, .path = path };
}

/* -1: line is not a row of at most max numbers. */
static int read_row(const char *line, double *out, int max)
{
    int n = 0;
    for (line += strspn(line, separators); *line; line += strspn(line, separators)) {
        char *stop;
        const double v = strtod(line, &stop);
        if (stop == line || (*stop && !strchr(separators, *stop)) || n == max || !isfinite(v))
            return -1;
        out[n++] = v;
        line = stop;
    }
    return n;
}

int rows_next(struct rows *rows, double *out, int max, struct error *err)
{
    char line[512];
    int n = 0;
    while (n == 0 && rows->p < rows->end) {
        const char *stop = memchr(rows->p, '\n', (size_t)(rows->end - rows->p));
        const size_t size = (size_t)((stop ? stop : rows->end) - rows->p);
        rows->line++;
        n = -1;
        if (size < sizeof line && !memchr(rows->p, 0, size)) {
            memcpy(line, rows->p, size);
            line[size] = 0;
            n = read_row(line, out, max);
        }
        if (n < 0)
            fail(err, "%s:%d: must be at most %d numbers", rows->path, rows->line, max);
        rows->p = stop ? stop + 1 : rows->end;
    }
    return n;
}
