/* detect/dsl_cost.h -- the cost of assigning object g to candidate v in the dynamic soft label assigner.
 * With k the class of g, u = IoU(box of v, g), p = sigmoid(logit) and QFL the quality focal loss for beta = 2:
 *
 *     cost(v, g) = sum_c |y_c - p_vc|^2 BCE(p_vc, y_c) - iou_factor ln(o + 1e-7),    y_c = u if c = k, else 0
 *                = background(v) - QFL(x_vk, 0) + QFL(x_vk, u) - iou_factor ln(o + 1e-7)
 *     cost(v, g) += dis_alpha^(d - dis_beta)   if dis_alpha > 0, d the distance of both boxes' centres in strides of v
 *
 * o is the overlap of both boxes: u, or with nwd > 0 (1 - nwd) u + nwd NWD, where NWD is the normalised Wasserstein
 * distance of Gaussians in place of boxes (Wang et al. 2021, eq. 6 to 8; C is nwd_scale). It is positive also for boxes
 * that do not overlap, and a shift of a pixel changes it by as much for tiny boxes as for large ones:
 *
 *     NWD = exp(-W / C),    W^2 = |(x, y, w/2, h/2) of v - (x, y, w/2, h/2) of g|^2,    x, y: centre; w, h: sides
 *
 * Sources: NanoDet-Plus (2021), after SimOTA (Ge et al., YOLOX, 2021, sec. 2.1). */
#ifndef DETECT_DSL_COST_H
#define DETECT_DSL_COST_H
#include "detect/ground_truth.h"

/* topk >= 1, iou_factor >= 0, 0 <= nwd <= 1, nwd_scale > 0 in pixels, not read where nwd is 0.
 * NanoDet-Plus: 13, 3, -1, no distance term (dis_alpha 0) and no Wasserstein distance (nwd 0). */
struct dsl_config { int topk; double iou_factor, ignore_iof_thr, dis_alpha, dis_beta, nwd, nwd_scale; };

/* Borrowed; all numbers are finite. */
struct dsl_candidates {
    int count, classes;                 /* count may be 0 */
    const double (*box)[4];             /* [count] decoded, in pixels, not clipped */
    const float *const *logit;          /* [count] -> [classes] before the sigmoid */
    const double *stride;               /* [count] of the prior, in pixels; not read where dis_alpha is 0 */
    const double *background;           /* [count] classification cost for an IoU of 0: QFL(x, 0) over all classes */
    const struct kernels *kernels;
};

/* The overlap o of a candidate's box with an object. */
double dsl_overlap(const struct dsl_config *, double iou, const double box[4], const double object[4]);

/* The cost without the distance term; logit is that of the object's class. */
double dsl_cost(const struct dsl_config *, double background, double logit, double iou, double overlap);

/* The distance term; 0 where dis_alpha is 0. */
double dsl_distance_cost(const struct dsl_config *, const struct dsl_candidates *, int v, const double object[4]);

/* cost(v, g) */
double dsl_pair_cost(const struct dsl_config *, const struct dsl_candidates *, int v, const struct ground_truth *,
                     int g);
#endif
