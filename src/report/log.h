/* report/log.h -- the log of a run: every line goes to a file, with the time, and to a screen.  A log without file
 * or screen leaves that one out; {0} swallows everything. */
#ifndef REPORT_LOG_H
#define REPORT_LOG_H
#include "base/error.h"
#include <stdio.h>

struct log {
    FILE *file; char *path;
    int failed;                 /* errno of the first line that could not be written to the file; 0: none */
    FILE *screen;               /* the caller's */
    bool terminal;              /* the screen is one: progress is a bar in one line */
    bool bar;                   /* one stands there now */
};

/* Appends to the file path, or begins it; path and screen may be NULL. */
bool log_open(struct log *, const char *path, FILE *screen, struct error *);
void log_line(struct log *, const char *format, ...) PRINTF_LIKE(2, 3);

struct progress {
    int epoch, epochs;          /* from 1 */
    int step, steps;            /* done in this epoch */
    double lr, images_per_second;
    double seconds_left;        /* in the whole run; negative or huge: not known */
    const char *const *names;   /* [count] of the losses */
    const double *losses;       /* [count] */
    int count;
};

/* A plain line, or on a terminal the bar; `line`: a plain line there as well, the bar goes on below it. */
void log_progress(struct log *, const struct progress *, bool line);

/* Fails if a line could not be written to the file; log_close does so, too. */
bool log_whole(const struct log *, struct error *);
bool log_close(struct log *, struct error *);
#endif
