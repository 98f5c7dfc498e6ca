/* detect/atss_assigner.h -- adaptive training sample selection: which prior learns which object of one image, judged
 * by geometry alone (Zhang et al. 2020, alg. 1).  The anchor of a prior is a square around it with sides of
 * anchor_scale strides.  An object's candidates are, on each level, the topk anchors with the nearest centres.  A
 * candidate is positive if its IoU with the object is at least the mean plus the standard deviation (n - 1 in the
 * denominator) over the object's candidates and its centre lies more than 0.01 pixels inside the object on every side.
 * An anchor that is positive for several objects goes to the one with the highest IoU.  Ties: the lower prior, the
 * lower object.  With ignore_iof_thr > 0 an anchor is ignored if more than that part of its area lies in an ignore
 * region; it counts as infinitely far, but is still positive if selected. */
#ifndef DETECT_ATSS_ASSIGNER_H
#define DETECT_ATSS_ASSIGNER_H
#include "base/memory.h"
#include "detect/ground_truth.h"
#include "detect/prior.h"

struct atss_config { int topk; double anchor_scale, ignore_iof_thr; };  /* topk >= 1; NanoDet: 9, 5, -1 */

void atss_anchor(const struct atss_config *, struct prior, double box[4]);

/* Writes match[priors of an image] (ground_truth.h) and iou[priors of an image], the IoU of the anchor with the matched
 * object, or 0.  Borrows atss_bytes from tmp and gives them back on return.  Returns false, with nothing written, if
 * tmp is too small. */
bool atss_assign(const struct atss_config *, const struct prior_grid *, const struct ground_truth *, struct arena *tmp,
                 int *match, double *iou);
size_t atss_bytes(const struct atss_config *, const struct prior_grid *);
#endif
