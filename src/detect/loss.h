/* detect/loss.h -- the loss of a detection head and its gradient, in two phases.  A batch that is distributed over
 * several processes can average the sums between the phases.
 *
 *     loss_assign     assigns objects to priors and computes the normalisers of the losses
 *     loss_gradient   computes value and gradient of one head, given the normalisers
 *
 * For positives v matched to objects g, w_v the largest class probability of v (treated as a constant),
 * S = sum_v w_v and N the number of positives:
 *
 *     qfl  = qfl_weight / N  sum over priors and classes of QFL, whose target is IoU(box of v, g) at g's class, else 0
 *     bbox = bbox_weight / S sum_v w_v box loss(box of v, g)
 *     dfl  = dfl_weight / 4S sum_v w_v sum over four sides of DFL(distribution of v, distance of g)
 *
 * The box loss is any of box_loss.h.  A family of detectors has one row in `criteria`: assigner, prior offset, unit of
 * boxes and the floors of N and S.
 *
 * Sources: NanoDet-Plus (2021); Generalized Focal Loss (Li et al. 2020).  QFL and DFL: focal.h. */
#ifndef DETECT_LOSS_H
#define DETECT_LOSS_H
#include "base/team.h"
#include "detect/atss_assigner.h"
#include "detect/box_loss.h"
#include "detect/dsl_assigner.h"
#include "detect/ground_truth.h"
#include "detect/prior.h"

enum loss_family { LOSS_PLUS, LOSS_GFL, LOSS_FAMILIES };

struct assigner;
struct criterion {
    const struct assigner *assigner;    /* assigners.h */
    bool guided;                        /* it assigns by predictions, which may be another network's: model.guide */
    double prior_offset;                /* of a prior in its cell, in strides: 0 the corner, 0.5 the centre */
    bool in_strides;                    /* the unit of boxes in IoU and box loss, else pixels */
    double image_positives_min;         /* N adds at least so many per image; N itself is at least 1 */
    double weight_min;                  /* the least S; no loss if S is 0 */
};
extern const struct criterion criteria[LOSS_FAMILIES];

struct loss_config {
    enum loss_family family;
    int classes, reg_max;           /* >= 1 */
    double beta, qfl_weight, bbox_weight, dfl_weight;
    enum box_loss_kind box_loss;
    struct dsl_config dsl;          /* each assigner reads its own */
    struct atss_config atss;
};
extern const struct loss_config loss_presets[LOSS_FAMILIES];            /* the originals', 80 classes */

enum loss_head { LOSS_MAIN, LOSS_AUX, LOSS_HEADS };

struct loss_sums { double positives, weight[LOSS_HEADS]; };     /* N and each head's S over the batch, not clamped */
struct loss_values { double qfl, bbox, dfl; };                  /* weighted: the loss is their sum */

struct loss {
    struct loss_config config;
    struct prior_grid grid;
    struct team team;
    const struct kernels *kernels;
    int *match;                     /* [rows] an object of the row's image, or MATCH_* (ground_truth.h) */
    float *score;                   /* [rows] the target IoU of a matched row, else 0 */
    struct image_sums *image;       /* [images] */
    struct loss_values *line;       /* [prior_line_count] */
    const struct ranks *ranks;      /* the processes that share the batch; NULL: this one alone.  Set after loss_init */
    struct arena memory, *scratch;  /* scratch: [threads], within memory */
};

/* Allocates all memory for one batch and input size.  Exit 2 if a value in the configuration is out of range.
 * loss_free releases it; {0} is a valid empty object. */
bool loss_init(struct loss *, const struct loss_config *, const struct prior_grid *, const struct team *,
               const struct kernels *, struct error *);
void loss_free(struct loss *);
size_t loss_bytes(const struct loss_config *, const struct prior_grid *, int threads);

/* All predictions are raw, [rows][channels] (prior.h, prediction.h).  guide is what the assigner reads: the predictions
 * of a head or of another network.  pred[head] are those that are trained; pred[LOSS_AUX] is NULL without an auxiliary
 * head.  truth[images] is borrowed until the last loss_gradient of the batch.  Writes match, score and sums.  Fails,
 * naming the image's index in the batch, if a prediction or box is not finite or a label is out of range. */
bool loss_assign(struct loss *, const float *guide, const float *const pred[LOSS_HEADS],
                 const struct ground_truth *truth, struct loss_sums *, struct error *);

/* The largest class probability of a row: w_v above. */
double top_probability(const struct loss *, const float *logit);

/* The sums of loss.line over the batch of all processes. */
struct loss_values loss_total(const struct loss *);

/* After loss_assign: sets all of dpred [rows][channels] to the gradient of qfl + bbox + dfl of one head. */
struct loss_values loss_gradient(struct loss *, enum loss_head, const float *pred, const struct ground_truth *truth,
                                 const struct loss_sums *, float *dpred);
#endif
