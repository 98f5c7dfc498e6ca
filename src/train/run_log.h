/* train/run_log.h -- the output of a run: config.yml, train.log, metrics.csv, eval.csv, TensorBoard events, curves.png,
 * report.html and report.json in its save_dir, and lines on a screen. */
#ifndef TRAIN_RUN_LOG_H
#define TRAIN_RUN_LOG_H
#include "report/events.h"
#include "report/log.h"
#include "train/observer.h"
#include "train/train_step.h"

struct run_log {
    const struct config *config;
    struct log log;
    struct events events;
    struct error events_failed;                 /* the first failure to write events; exit 0: none */
    char *metrics, *eval, *curves;              /* paths */
    bool curves_failed, report_failed;          /* they could not be written; logged once */
    const struct run_observer *observer;        /* NULL: none */
};

/* Where lines and progress go, besides train.log. */
struct run_output {
    FILE *screen;                               /* NULL: none */
    bool terminal;                              /* the screen is a terminal that can rewrite a line */
    const struct run_observer *observer;        /* borrowed; NULL: none */
};

/* Opens train.log in save_dir for appending; lines may be logged afterwards.  Call run_log_close even if it fails. */
bool run_log_open(struct run_log *, const struct config *, const struct run_output *, struct error *);

/* Truncates the tables after the given step and epoch, removes them if steps is 0; writes config.yml, opens events. */
bool run_log_begin(struct run_log *, long steps, int epochs, struct error *);

struct step_report {
    struct losses losses;                       /* means over the batches of the step */
    double lr, norm;                            /* of the gradient before clipping */
    double images_per_second, seconds_left;     /* seconds_left: until the end of the run */
    int epoch, batch, batches;                  /* epoch from 1; batch: batches done in it, of all its batches */
    double best;                                /* the best score so far; negative: none */
};

/* Fails if a line of train.log or an event could not be written.  A checkpoint may be written afterwards, since
 * --resume does not need these files.  The functions below fail at once if a row of a table cannot be written: no
 * checkpoint may be later than the rows. */
bool run_log_ok(const struct run_log *, struct error *);

/* After step `step`, from 0.  Writes a row and a line every log.interval steps and updates the line of a terminal. */
bool run_log_step(struct run_log *, long step, const struct step_report *, struct error *);

/* After each batch of an evaluation. */
void run_log_evaluating(struct run_log *, int images, int all);

/* After the evaluation of epoch `epoch`, from 1, and `steps` steps of the run.  An eval.csv with other columns, of an
 * older version or another data.val, is renamed to eval.csv.old, with a line in the log. */
bool run_log_score(struct run_log *, int epoch, long steps, const struct evaluation *, struct error *);

/* After it, when the best epoch is known. */
void run_log_show_score(struct run_log *, const struct observed_score *);

/* After the last epoch: logs the best epoch with its score, the AP of its classes, and the files of the run. */
bool run_log_end(struct run_log *, int best_epoch, const char *figure, double best, struct error *);

void run_log_draw_curves(struct run_log *);

/* Writes the report of the evaluation of an epoch, and logs the threshold of the best F1. */
void run_log_report(struct run_log *, int epoch, const struct evaluator *, const struct evaluation *);

bool run_log_close(struct run_log *, struct error *);
#endif
