/* detect/loss.h -- the whole loss of a detection head and its gradient, in two phases, so that a batch spread over
 * several processes can average the sums in between:
 *
 *     loss_assign     which prior learns which object, and the sums that the losses are divided by
 *     loss_gradient   value and gradient of one head, given those sums
 *
 * With positives v matched to objects g, w_v the largest class probability of v (no gradient passes through it),
 * S = sum_v w_v and N the number of positives:
 *
 *     qfl  = qfl_weight / N  sum over priors and classes of QFL, whose target is IoU(box of v, g) at g's class, else 0
 *     bbox = bbox_weight / S sum_v w_v GIoU loss(box of v, g)
 *     dfl  = dfl_weight / 4S sum_v w_v sum over four sides of DFL(distribution of v, distance of g)
 *
 *                 assigner   target IoU and assignment from   GIoU in   N is                          S
 *     LOSS_PLUS   DSL        the auxiliary head if given      pixels    at least 1                    at least 1
 *     LOSS_GFL    ATSS       the head itself                  strides   summed at least 1 an image    0: no loss at all
 *
 * Sources: NanoDet-Plus (2021); Generalized Focal Loss (Li et al. 2020).  QFL and DFL: focal.h; GIoU: box_loss.h. */
#ifndef DETECT_LOSS_H
#define DETECT_LOSS_H
#include "base/team.h"
#include "detect/atss_assigner.h"
#include "detect/dsl_assigner.h"
#include "detect/prior.h"
#include "detect/ground_truth.h"

enum loss_family { LOSS_PLUS, LOSS_GFL };

struct loss_config {
    enum loss_family family;
    int classes, reg_max;           /* >= 1 */
    double beta, qfl_weight, bbox_weight, dfl_weight;
    struct dsl_config dsl;          /* of LOSS_PLUS */
    struct atss_config atss;        /* of LOSS_GFL */
};
extern const struct loss_config loss_plus_preset, loss_gfl_preset;      /* the originals', for 80 classes */

enum loss_head { LOSS_MAIN, LOSS_AUX, LOSS_HEADS };

struct loss_sums { double positives, weight[LOSS_HEADS]; };     /* N and each head's S, over the batch, no floors */
struct loss_values { double qfl, bbox, dfl; };                  /* weights included: the loss is their sum */

struct loss {
    struct loss_config config;
    struct prior_grid grid;
    struct team team;
    const struct kernels *kernels;
    int *match;                     /* [rows] of the predictions: object of the row's image, or as in ground_truth.h */
    float *score;                   /* [rows] the target IoU of a matched row; 0 elsewhere */
    struct image_sums *image;       /* [images] */
    struct loss_values *line;       /* [lines]: a line is a row of cells of one image and level */
    struct arena memory, *scratch;  /* scratch: [threads], within memory */
};

/* For one size of batch and input: takes all memory that the phases need.  Exit 2 if a number is out of its range.
 * loss_free releases it; {0} is a valid empty object. */
bool loss_init(struct loss *, const struct loss_config *, const struct prior_grid *, const struct team *,
               const struct kernels *, struct error *);
void loss_free(struct loss *);
size_t loss_bytes(const struct loss_config *, const struct prior_grid *, int threads);

/* pred[head] are the raw predictions [rows][channels] (prior.h, prediction.h); pred[LOSS_AUX] is NULL without an
 * auxiliary head.  truth[images] is borrowed until the last loss_gradient of the batch.  Writes match, score and sums.
 * Fails, naming the image by its place in the batch, if a prediction or a box is not finite or a label out of range. */
bool loss_assign(struct loss *, const float *const pred[LOSS_HEADS], const struct ground_truth *truth,
                 struct loss_sums *, struct error *);

/* After loss_assign: sets dpred [rows][channels], all of it, to the gradient of qfl + bbox + dfl of one head. */
struct loss_values loss_gradient(struct loss *, enum loss_head, const float *pred, const struct ground_truth *truth,
                                 const struct loss_sums *, float *dpred);
#endif
