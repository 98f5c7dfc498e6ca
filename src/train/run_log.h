/* train/run_log.h -- what a run tells: config.yml, train.log, metrics.csv, eval.csv, TensorBoard events and curves.png
 * in its save_dir, and lines on a screen. */
#ifndef TRAIN_RUN_LOG_H
#define TRAIN_RUN_LOG_H
#include "eval/coco_eval.h"
#include "report/events.h"
#include "report/log.h"
#include "train/train_step.h"

struct run_log {
    const struct config *config;
    struct log log;
    struct events events;
    struct error events_failed;                 /* the first failure to write events; exit 0: none */
    char *metrics, *eval, *curves;              /* paths */
    bool no_curves;                             /* they could not be drawn: said once */
};

/* Begins or goes on with train.log in save_dir; lines may be logged from now on.  Call run_log_close even if it
 * fails. */
bool run_log_open(struct run_log *, const struct config *, FILE *screen, struct error *);

/* Cuts the tables back to the steps and epochs done, to nothing if there are none; writes config.yml, begins events. */
bool run_log_begin(struct run_log *, long steps, int epochs, struct error *);

struct step_report {
    struct losses losses;                       /* means over the batches of the step */
    double lr, norm;                            /* of the gradient before clipping */
    double images_per_second, seconds_left;     /* left: in the run */
    int epoch, batch, batches;                  /* epoch from 1; batches done in it, of so many */
};

/* Fails if a line of train.log or an event could not be written.  A checkpoint may follow, since --resume does not need
 * them.  The functions below fail at once if a row of a table cannot be written: no checkpoint may be later than the
 * rows. */
bool run_log_whole(const struct run_log *, struct error *);

/* After a step, the number `step` from 0: each log.interval-th is a row and a line, all move a terminal's bar. */
bool run_log_step(struct run_log *, long step, const struct step_report *, struct error *);

/* After epoch number `epoch`, from 1, and `steps` steps of the run. */
bool run_log_score(struct run_log *, int epoch, long steps, const struct coco_score *, struct error *);

/* After the last epoch: the best one with its score, the AP of its classes, and the files of the run. */
bool run_log_end(struct run_log *, int best_epoch, const char *figure, double best, struct error *);

void run_log_draw_curves(struct run_log *);

bool run_log_close(struct run_log *, struct error *);
#endif
