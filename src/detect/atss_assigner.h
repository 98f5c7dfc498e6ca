/* detect/atss_assigner.h -- adaptive training sample selection: which prior learns which object of one image, judged
 * by geometry alone (Zhang et al. 2020, alg. 1).  Each prior stands for its anchor, a square of side anchor_scale
 * strides about it.  An object's candidates are, on every level, the topk anchors whose centres are nearest to its
 * own; a candidate is positive if its IoU with the object is at least the mean plus the standard deviation
 * (n - 1 in the denominator) over the object's candidates and its centre lies more than 0.01 pixel inside on every
 * side.  An anchor that several objects want goes to the one of highest IoU.  Ties: the lower prior, the lower object.
 * With ignore_iof_thr > 0 an anchor that lies in an ignore region by more than that part of its area is ignored and
 * counts as infinitely far, yet becomes positive if it is selected all the same. */
#ifndef DETECT_ATSS_ASSIGNER_H
#define DETECT_ATSS_ASSIGNER_H
#include "base/memory.h"
#include "detect/prior.h"
#include "detect/ground_truth.h"

struct atss_config { int topk; double anchor_scale, ignore_iof_thr; };  /* topk >= 1; NanoDet: 9, 5, -1 */

void atss_anchor(const struct atss_config *, struct prior, double box[4]);

/* Writes match[priors of an image] (ground_truth.h) and iou[priors of an image], the IoU of the anchor with the matched
 * object, or 0.  Borrows atss_bytes from tmp and gives them back on return.  Returns false, with nothing written, if tmp
 * is too small. */
bool atss_assign(const struct atss_config *, const struct prior_grid *, const struct ground_truth *, struct arena *tmp,
                 int *match, double *iou);
size_t atss_bytes(const struct atss_config *, const struct prior_grid *);
#endif
