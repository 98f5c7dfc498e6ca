/* report/log.h -- the log of a run: every line goes to a file, with the time, and to a screen.  Each of both is
 * optional; {0} discards all lines. */
#ifndef REPORT_LOG_H
#define REPORT_LOG_H
#include "base/error.h"
#include <stdio.h>

struct log {
    FILE *file; char *path;
    int failed;                 /* errno of the first line that could not be written to the file; 0: none */
    FILE *screen;               /* the caller's */
    bool terminal;              /* the screen is a terminal: progress is a bar in one line */
    bool bar;                   /* the bar is visible */
};

/* Appends to the file path or creates it; path and screen may be NULL. */
bool log_open(struct log *, const char *path, FILE *screen, struct error *);
void log_line(struct log *, const char *format, ...) PRINTF_LIKE(2, 3);

struct progress {
    int epoch, epochs;          /* from 1 */
    int step, steps;            /* done in this epoch */
    double lr, images_per_second;
    double seconds_left;        /* until the end of the run; negative or huge: unknown */
    const char *const *names;   /* [count] of the losses */
    const double *losses;       /* [count] */
    int count;
};

/* Writes a plain line, or the bar on a terminal; with `line`, a terminal gets a plain line above the bar, too. */
void log_progress(struct log *, const struct progress *, bool line);

/* Fails if a line could not be written to the file, as log_close does. */
bool log_whole(const struct log *, struct error *);
bool log_close(struct log *, struct error *);
#endif
