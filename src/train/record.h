/* train/record.h -- what a run tells: config.yml, train.log, metrics.csv, eval.csv, TensorBoard events and curves.png
 * in its save_dir, and lines on a screen. */
#ifndef TRAIN_RECORD_H
#define TRAIN_RECORD_H
#include "eval/coco_eval.h"
#include "report/events.h"
#include "report/log.h"
#include "train/learner.h"

struct record {
    const struct config *config;
    struct log log;
    struct events events;
    struct error events_failed;                 /* the first failure to write events; exit 0: none */
    char *metrics, *eval, *curves;              /* paths */
    bool no_curves;                             /* they could not be drawn: said once */
};

/* Begins or goes on with train.log in save_dir; lines may be logged from now on.  Call record_close even if it
 * fails. */
bool record_open(struct record *, const struct config *, FILE *screen, struct error *);

/* Cuts the tables back to the steps and epochs done, to nothing if there are none; writes config.yml, begins events. */
bool record_begin(struct record *, long steps, int epochs, struct error *);

struct step_report {
    struct losses losses;                       /* means over the batches of the step */
    double lr, norm;                            /* of the gradient before clipping */
    double images_per_second, seconds_left;     /* left: in the run */
    int epoch, batch, batches;                  /* epoch from 1; batches done in it, of so many */
};

/* Fails if a line of train.log or an event could not be written.  A checkpoint may follow, since --resume does not need
 * them.  The functions below fail at once if a row of a table cannot be written: no checkpoint may be later than the
 * rows. */
bool record_whole(const struct record *, struct error *);

/* After a step, the number `step` from 0: each log.interval-th is a row and a line, all move a terminal's bar. */
bool record_step(struct record *, long step, const struct step_report *, struct error *);

/* After epoch number `epoch`, from 1, and `steps` steps of the run. */
bool record_score(struct record *, int epoch, long steps, const struct coco_score *, struct error *);

/* After the last epoch: the best one with its score, the AP of its classes, and the files of the run. */
bool record_end(struct record *, int best_epoch, const char *figure, double best, struct error *);

void record_draw_curves(struct record *);

bool record_close(struct record *, struct error *);
#endif
