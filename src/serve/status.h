/* serve/status.h -- the state of a run as JSON and as metrics of Prometheus, with the same names in both.  docs/cli.md
 * lists them. */
#ifndef SERVE_STATUS_H
#define SERVE_STATUS_H
#include "base/strbuf.h"
#include "serve/pictures.h"
#include "train/observer.h"

enum run_phase { RUN_STARTING, RUN_TRAINING, RUN_EVALUATING, RUN_ENDED };

struct run_status {
    const struct config *config;
    enum run_phase phase;
    double start;                               /* clock_seconds() */
    struct observed_step step; double row[STEP_COLUMNS];        /* the last step; step.count 0: none yet */
    int evaluated, to_evaluate;                 /* images of the last evaluation */
    int score_epoch, best_epoch; double best;   /* epochs 0: none yet */
    double *class_ap;                           /* [class_count] of the last evaluation */
    struct strbuf score_json, score_metrics;    /* of the last evaluation */
    struct picture pictures[PICTURES]; int picture_count;
};

void status_free(struct run_status *);
void status_set_score(struct run_status *, const struct observed_score *);
void status_json(const struct run_status *, struct strbuf *);
void status_metrics(const struct run_status *, struct strbuf *);
#endif
