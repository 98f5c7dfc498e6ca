/* report/log.h -- the log of a run: every line goes to a file, with the time, and to a screen.  Each of both is
 * optional; {0} discards all lines.  On a terminal, one line that rewrites itself shows the progress instead of plain
 * lines; messages go above it. */
#ifndef REPORT_LOG_H
#define REPORT_LOG_H
#include "base/error.h"
#include <stdio.h>

struct log {
    FILE *file; char *path;
    int failed;                 /* errno of the first line that could not be written to the file; 0: none */
    FILE *screen;               /* the caller's */
    bool terminal;              /* the screen is a terminal that can rewrite a line */
    bool bar;                   /* the line of progress is visible */
    void (*on_message)(void *context, const char *text);        /* gets each line of log_line, not escaped; or NULL */
    void *context;
};

/* Appends to the file path or creates it; path and screen may be NULL. */
bool log_open(struct log *, const char *path, FILE *screen, bool terminal, struct error *);
void log_line(struct log *, const char *format, ...) PRINTF_LIKE(2, 3);

struct progress {
    int epoch, epochs;          /* from 1 */
    int step, steps;            /* done in this epoch */
    double lr, images_per_second;
    double seconds_left;        /* until the end of the run; negative or huge: unknown */
    const char *const *names;   /* [count] of the losses; the first is their sum */
    const double *losses;       /* [count] */
    int count;
    const char *figure;         /* name of the score */
    double best;                /* the best score so far; negative: none */
};

/* With `line`, writes a plain line to the file and to a screen that is no terminal.  Updates the line of a terminal: as
 * many of the numbers as its width allows, and a bar of the epoch in what is left of it. */
void log_progress(struct log *, const struct progress *, bool line);

/* On a terminal, shows "text 12/50" and a bar; else nothing. */
void log_counter(struct log *, const char *text, int done, int all);

/* Fails if a line could not be written to the file, as log_close does. */
bool log_whole(const struct log *, struct error *);
bool log_close(struct log *, struct error *);
#endif
