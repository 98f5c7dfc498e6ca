/* detect/dsl_assigner.h -- dynamic soft label assigner: which prior learns which object of one image, judged by the
 * current predictions.  Sources: NanoDet-Plus (2021), after SimOTA (Ge et al., YOLOX, 2021, sec. 2.1).
 *
 *     candidates            the priors that lie strictly inside some object (priors_inside); the caller lists them
 *     cost                  cost(v, g) of candidate v and object g, and their overlap, usually the IoU (dsl_cost.h)
 *     dynamic k             k(g) = max(1, trunc(sum of the topk largest overlaps of candidates with g));
 *                           g claims its k(g) cheapest candidates, also those outside itself
 *     conflict resolution   a candidate that several objects claim goes to the object, of all, with the lowest cost,
 *                           so an object can end with no candidate
 *
 * Ties go to the lower candidate, then to the lower object.  Finally a candidate is ignored if more than
 * ignore_iof_thr of its box's area lies in an ignore region; a threshold that is not positive ignores none. */
#ifndef DETECT_DSL_ASSIGNER_H
#define DETECT_DSL_ASSIGNER_H
#include "base/memory.h"
#include "detect/dsl_cost.h"
#include <stddef.h>

/* Writes match[count] (ground_truth.h) and iou[count], the IoU with the matched object, or 0.  Borrows dsl_bytes from
 * tmp and gives them back on return.  Returns false, with nothing written, if tmp is too small.  Memory does not
 * depend on the number of objects. */
bool dsl_assign(const struct dsl_config *, const struct dsl_candidates *, const struct ground_truth *,
                struct arena *tmp, int *match, double *iou);
size_t dsl_bytes(const struct dsl_config *, int candidates);
#endif
