/* detect/dsl_assigner.h -- dynamic soft label assigner: which prior learns which object of one image, judged by
 * what the network predicts now.  Source: NanoDet-Plus (2021), after SimOTA (Ge et al., YOLOX, 2021, sec. 2.1).
 * A candidate is a prior that lies strictly inside some object (priors_inside).  For candidate v and object g of
 * class k, with u = IoU(box of v, g), p = sigmoid(logit) and QFL the quality focal loss for beta = 2:
 *
 *     cost(v, g) = sum_c |y_c - p_vc|^2 BCE(p_vc, y_c) - iou_factor ln(u + 1e-7),    y_c = u if c = k, else 0
 *                = background(v) - QFL(x_vk, 0) + QFL(x_vk, u) - iou_factor ln(u + 1e-7)
 *     cost(v, g) += dis_alpha^(d - dis_beta)   if dis_alpha > 0, d the distance of both boxes' centres in strides of v
 *     take(g)    = max(1, trunc(sum of the topk largest u(., g)))
 *
 * g takes its take(g) cheapest candidates, also those outside itself.  A candidate taken twice goes to the object
 * cheapest in its row, even one that did not take it, so an object can end with none.  Ties: the lower candidate,
 * then the lower object.  Last, a candidate whose box lies in an ignore region by more than ignore_iof_thr of its
 * area is ignored; a threshold that is not positive ignores none. */
#ifndef DETECT_DSL_ASSIGNER_H
#define DETECT_DSL_ASSIGNER_H
#include "base/memory.h"
#include "detect/truth.h"
#include <stddef.h>

struct dsl_config { int topk; double iou_factor, ignore_iof_thr, dis_alpha, dis_beta; };   /* NanoDet-Plus: 13, 3, -1 */

struct dsl_candidates {                 /* borrowed; all numbers are finite */
    int count, classes;                 /* count may be 0 */
    const double (*box)[4];             /* [count] decoded, in pixels, not clipped */
    const float *const *logit;          /* [count] -> [classes] before the sigmoid */
    const double *stride;               /* [count] of the prior, in pixels; not read where dis_alpha is 0 */
    const double *background;           /* [count] of each, or NULL: as dsl_background tells */
    const struct kernels *kernels;
};

/* Writes match[count] (truth.h) and iou[count], that with the object matched or 0.  Borrows dsl_bytes from tmp, given
 * back on return: false, nothing written, if tmp is too small.  Memory does not depend on the number of objects. */
bool dsl_assign(const struct dsl_config *, const struct dsl_candidates *, const struct truth *, struct arena *tmp,
                int *match, double *iou);
size_t dsl_bytes(const struct dsl_config *, int candidates);

/* The parts of the cost: the sum over all classes for an IoU of 0, and the cost of a pair. */
double dsl_background(const float *logit, int classes);
double dsl_cost(const struct dsl_config *, double background, double logit, double iou);
#endif
