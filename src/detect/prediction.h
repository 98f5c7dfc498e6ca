/* detect/prediction.h -- a row of the network's output: what it predicts at one prior, `classes` logits and then for
 * each of left, top, right and bottom reg_max + 1 logits of a distribution over the distances 0, 1, ..., reg_max in
 * strides, whose expectation is the distance meant. */
#ifndef DETECT_PREDICTION_H
#define DETECT_PREDICTION_H
#include "detect/prior.h"

struct kernels;

enum { REG_MAX_LIMIT = 63 };            /* largest reg_max; it is >= 1 */

int prediction_channels(int classes, int reg_max);

/* Are all predictions for one image finite? */
bool prediction_finite(const struct kernels *, const struct prior_grid *, int image, const float *pred, int channels);

/* The logits x of sides [4][reg_max + 1], their probabilities p and each side's expectation. */
void prediction_sides(const struct kernels *, const float *sides, int reg_max, double *x, double *p, double mean[4]);

/* The box that sides [4][reg_max + 1] stand for, about the prior, in pixels and not clipped. */
void prediction_box(const struct kernels *, const float *sides, int reg_max, struct prior, double box[4]);
#endif
