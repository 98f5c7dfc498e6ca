/* detect/box_loss.h -- losses of one predicted box p against its target t, with their derivative by p.  U is the
 * union of both, C their smallest enclosing box of diagonal c, rho the distance of their centres.
 *     IoULoss         -ln max(IoU, eps)
 *     GIoULoss        1 - IoU + (C - U) / C, both U and C at least eps                (Rezatofighi et al. 2019)
 *     DIoULoss        1 - IoU + rho^2 / (c^2 + eps), with U + eps for U               (Zheng et al. 2020, eq. 7)
 *     CIoULoss        the same + v^2 / (1 - IoU + v), v = 4/pi^2 (atan wt/ht - atan wp/hp)^2, heights + eps
 *                                                                                     (the same, eq. 8 to 11)
 *     BoundedIoULoss  smooth L1, beta 0.2, of 1 - the best IoU that x, y, w and h alone admit
 *                                                                                     (Tychsen-Smith et al. 2018)
 * At a kink max and min share the derivative in halves between equals; a length cut off at 0 passes none, also
 * when it is 0 exactly. */
#ifndef DETECT_BOX_LOSS_H
#define DETECT_BOX_LOSS_H

struct box_loss {
    const char *name;               /* as configurations write it */
    double eps;                     /* the customary one */
    double (*of)(const double p[4], const double t[4], double eps, double slope[4]);
};
extern const struct box_loss box_losses[];

/* The one of NanoDet and NanoDet-Plus, eps 1e-6. */
double giou_loss(const double p[4], const double t[4], double eps, double slope[4]);
#endif
