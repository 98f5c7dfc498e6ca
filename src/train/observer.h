/* train/observer.h -- what a run shows to an observer, such as the page of --serve.  The thread that trains calls the
 * functions; their arguments are valid during the call.  An observer changes nothing of the run and cannot fail. */
#ifndef TRAIN_OBSERVER_H
#define TRAIN_OBSERVER_H
#include "train/evaluate.h"

enum { STEP_COLUMNS = 14 };                     /* of metrics.csv, at most */

/* After a step: its row of metrics.csv.  `logged` steps, one per log.interval, are those of the table. */
struct observed_step {
    const char *const *columns;                 /* [count] static */
    const double *row; int count;               /* [count] NaN: the run has no such loss */
    bool logged;
    int batch, batches;                         /* batches done in the epoch, of all its batches */
    double seconds_left;                        /* until the end of the run; negative or huge: unknown */
};

/* After the evaluation of an epoch, from 1. */
struct observed_score {
    int epoch, best_epoch;                      /* best_epoch: of the best score so far */
    double best;
    const struct evaluation *evaluation;
    const struct dataset *dataset;              /* data.val */
};

struct run_observer {
    void *context;
    void (*on_message)(void *context, const char *line);        /* of train.log; not escaped */
    void (*on_step)(void *context, const struct observed_step *);
    void (*on_evaluating)(void *context, int images, int all);  /* after each batch of an evaluation */
    void (*on_score)(void *context, const struct observed_score *);
};
#endif
