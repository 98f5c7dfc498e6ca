/* train/optimizer.h -- one pass over flat memory: clipping, AdamW or SGD, and the moving average of the weights; only
 * the norm of the gradient, which clipping must know first, is a pass of its own.
 *
 * Parameters without gradient are left alone.  With g the scaled gradient times min(1, grad_clip / (|g| + 1e-6)), |g|
 * over all parameters, and t from 1:
 *     AdamW (Loshchilov and Hutter 2019, alg. 2)   p -= lr decay p;  m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;
 *                                                  p -= lr / (1 - b1^t) m / (sqrt(v / (1 - b2^t)) + eps)
 *     Adam   the same, decay added to the gradient instead
 *     SGD    g += decay p;  m = momentum m + g (the first m is g);  p -= lr m
 * Average, i steps done:  a = d exp(-(1 + i) / 2000) + 1 - d;  avg = (1 - a) avg + a p, buffers too. */
#ifndef TRAIN_OPTIMIZER_H
#define TRAIN_OPTIMIZER_H
#include "base/team.h"
#include "graph/params.h"
#include "train/schedule.h"

/* A part of one parameter that stays in the cache; rate: index into rates, or -1: there is no gradient. */
struct piece { ptrdiff_t offset, count; double decay; int rate; };

struct optimizer {
    const struct config *config;
    struct params *params;
    const struct kernels *kernels;
    float *gradient, *moment1, *moment2;        /* [params->trained]; SGD has no moment2 */
    float *average;                             /* [params->total]; NULL: none is kept */
    struct piece *pieces; int piece_count;
    struct rate *rates; int rate_count;         /* one for each factor on the learning rate */
    double *partial;                            /* of the norm, a number a chunk */
    double scale;                               /* on the gradient: 1 / batches that were added up in it */
    long step;                                  /* of the schedules and the average: done */
    long updates;                               /* t - 1: equal to step unless the moments started later */
    int epoch;                                  /* finished */
};

/* After the model's training graph was built, which says what is used.  The average starts as the present values. */
bool optimizer_init(struct optimizer *, const struct config *, struct params *, const struct kernels *,
                    struct error *);
void optimizer_free(struct optimizer *);
void optimizer_restart_average(struct optimizer *);             /* from the present values: other weights were loaded */

/* The 2-norm of the scaled gradient. */
double optimizer_norm(const struct optimizer *, const struct team *);
/* Sets the rates for the coming step; the largest is returned. */
double optimizer_rate(struct optimizer *);
/* One step with the gradient, whose norm is given, and the average; step + 1. */
void optimizer_step(struct optimizer *, const struct team *, double norm);
void optimizer_end_epoch(struct optimizer *);                   /* the schedule goes on; epoch + 1 */

double average_share(double decay, long steps_done);            /* a above */
#endif
