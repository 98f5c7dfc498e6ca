/* train/evaluate.h -- a model scored on data.val, as the original does it: the detections of each image, limited by the
 * section test of the configuration, evaluated by the rules of COCO with 1, 10 and 100 per image and class.  Without
 * a single detection the figures are those of an empty list, 0 or, where no object counts, -1; the original then does
 * not evaluate and says 0. */
#ifndef TRAIN_EVALUATE_H
#define TRAIN_EVALUATE_H
#include "eval/coco_eval.h"
#include "model/model.h"

struct evaluator;

/* Reads the annotations of data.val; model is borrowed.  Exit 2 if they do not suit the configuration. */
struct evaluator *evaluator_open(struct model *, const struct policy *, struct error *);
void evaluator_close(struct evaluator *);                       /* NULL is fine */
const struct dataset *evaluator_truth(const struct evaluator *);

struct evaluation {
    struct detections found;            /* image by image, best first */
    struct coco_score score;            /* its names are the evaluator's */
};
void evaluation_free(struct evaluation *);

/* Called after each batch, in the caller's thread; false ends the evaluation, which then fails. */
struct watcher { bool (*look)(void *context, int images, int all); void *context; };

/* values: laid out as the parameters' own, which they may be, or their average.  An unreadable image is an error.
 * Memory for the network is taken and given back in here.  evaluation_free in any case. */
bool evaluator_run(struct evaluator *, const real *values, const struct watcher *, struct evaluation *,
                   struct error *);
#endif
