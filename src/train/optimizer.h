/* train/optimizer.h -- AdamW, Adam, SGD or Muon with gradient clipping and a moving average of the weights.  A step is
 * one pass over flat memory, after a pass for the norm of the gradient, which clipping needs.
 *
 * Parameters without gradient are unchanged.  With g the scaled gradient times min(1, grad_clip / (|g| + 1e-6)), |g|
 * the norm over all parameters, and t from 1:
 *     AdamW (Loshchilov and Hutter 2019, alg. 2)   p -= lr decay p;  m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;
 *                                                  p -= lr / (1 - b1^t) m / (sqrt(v / (1 - b2^t)) + eps)
 *     Adam   the same, decay added to the gradient instead
 *     SGD    g += decay p;  m = momentum m + g (the first m is g);  p -= lr m
 *     Muon   of matrices: see train/muon.h; AdamW of the others
 * Average, after i steps, of parameters and buffers:  a = d exp(-(1 + i) / tau) + 1 - d;  avg = (1 - a) avg + a p */
#ifndef TRAIN_OPTIMIZER_H
#define TRAIN_OPTIMIZER_H
#include "base/team.h"
#include "graph/params.h"
#include "train/muon.h"
#include "train/schedule.h"

/* A part of one parameter that fits the cache; rate: index into rates, or -1: there is no gradient. */
struct param_chunk { ptrdiff_t offset, count; double decay; int rate; };

struct optimizer {
    const struct config *config;
    struct params *params;
    const struct kernels *kernels;
    float *gradient, *moment1, *moment2;        /* [params->trained]; SGD has no moment2; 0 for Muon's matrices */
    float *average;                             /* [params->total]; NULL: no average */
    struct param_chunk *chunks; int chunk_count;
    struct muon muon;                           /* its parameters have chunks without a rate */
    struct rate *rates; int rate_count;         /* one per factor on the learning rate */
    double *partial;                            /* partial sums of the squared norm, one per chunk */
    double scale;                               /* of the gradient: 1 / number of accumulated batches */
    long step;                                  /* steps done, for the schedules and the average */
    long updates;                               /* t - 1: equal to step unless the moments started later */
    int epoch;                                  /* epochs finished */
};

/* The model's training graph must be built: it marks the used parameters.  The average starts as the current values. */
bool optimizer_init(struct optimizer *, const struct config *, struct params *, const struct kernels *,
                    struct error *);
void optimizer_free(struct optimizer *);
void optimizer_restart_average(struct optimizer *);             /* sets it to the current values */

/* The 2-norm of the scaled gradient. */
double optimizer_norm(const struct optimizer *, const struct team *);
/* Sets the rates for the next step; returns the largest. */
double optimizer_rate(struct optimizer *);
/* Updates parameters and average; norm is that of the gradient.  Increments step. */
void optimizer_step(struct optimizer *, const struct team *, double norm);
void optimizer_end_epoch(struct optimizer *);                   /* advances the schedule and increments epoch */

double ema_weight(double decay, double tau, long steps_done);   /* a above */
#endif
