/* detect/prediction.h -- a row of the network's output, the prediction at one prior: `classes` logits, then for each of
 * left, top, right and bottom reg_max + 1 logits of a distribution over the distances 0, 1, ..., reg_max in strides.
 * The predicted distance is its expectation. */
#ifndef DETECT_PREDICTION_H
#define DETECT_PREDICTION_H
#include "detect/prior.h"

struct kernels;

enum { REG_MAX_LIMIT = 63 };            /* largest reg_max; it is >= 1 */

int prediction_channels(int classes, int reg_max);

/* Are all predictions for one image finite? */
bool prediction_finite(const struct kernels *, const struct prior_grid *, int image, const float *pred, int channels);

/* Sets x to the logits of sides [4][reg_max + 1], p to their probabilities and mean to each side's expectation. */
void prediction_sides(const struct kernels *, const float *sides, int reg_max, double *x, double *p, double mean[4]);

/* Decodes sides [4][reg_max + 1] to a box around the prior, in pixels, not clipped. */
void prediction_box(const struct kernels *, const float *sides, int reg_max, struct prior, double box[4]);
#endif
