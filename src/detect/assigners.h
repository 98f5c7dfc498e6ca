/* detect/assigners.h -- the assigners as the loss calls them.  A new assigner is a row here and a row of `criteria`. */
#ifndef DETECT_ASSIGNERS_H
#define DETECT_ASSIGNERS_H
#include "detect/loss.h"

struct assigner {
    /* Writes loss->match and loss->score of one image; pred: the guide's predictions [rows][channels].  Borrows
     * bytes(config, grid) from tmp and gives them back. */
    void (*assign)(struct loss *, int image, const float *pred, const struct ground_truth *, struct arena *tmp);
    size_t (*bytes)(const struct loss_config *, const struct prior_grid *);
};
extern const struct assigner dsl_assigner, atss_assigner;

/* The length, in pixels, in which the criterion measures boxes.  It changes an IoU only where the 1e-6 limit of areas
 * applies. */
double loss_unit(const struct loss_config *, struct prior);
#endif
