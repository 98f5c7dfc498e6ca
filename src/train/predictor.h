/* train/predictor.h -- inference on training batches with weights that receive no gradient: the averaged weights, or a
 * teacher.  Batch norms use running statistics, as in evaluation. */
#ifndef TRAIN_PREDICTOR_H
#define TRAIN_PREDICTOR_H
#include "runtime/graph_cache.h"

struct input_batch;

struct predictor {
    struct graph_cache cache;
    const int *class_of;                /* [classes] the network's class for each class of the rows; NULL: the same */
    int classes;                        /* of the rows */
    float *rows; ptrdiff_t capacity;    /* of the last batch; capacity in elements */
};

/* values: model->params.value or its layout; borrowed, may change between calls.  The caller sets class_of and classes
 * if the rows have other classes.  The block is shared with graphs that run after the prediction. */
bool predictor_init(struct predictor *, struct model *, const real *values, const struct policy *,
                    const struct team *, struct shared_block *, struct error *);
void predictor_free(struct predictor *);

/* The predictions for a batch, rows [level][image][y][x][channels] without gaps, valid until the next call; NULL and an
 * error on failure.  The logit of a class that the network does not have is 0. */
const float *predictor_run(struct predictor *, const struct input_batch *, struct error *);
#endif
