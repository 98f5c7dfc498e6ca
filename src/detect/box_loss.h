/* detect/box_loss.h -- losses of a predicted box p against its target t, and their derivatives by p.  U is the union of
 * both, C their smallest enclosing box with diagonal c, rho the distance of their centres.
 *     IoULoss         -ln max(IoU, eps)
 *     GIoULoss        1 - IoU + (C - U) / C, both U and C at least eps                (Rezatofighi et al. 2019)
 *     DIoULoss        1 - IoU + rho^2 / (c^2 + eps), with U + eps for U               (Zheng et al. 2020, eq. 7)
 *     CIoULoss        the same + v^2 / (1 - IoU + v), v = 4/pi^2 (atan wt/ht - atan wp/hp)^2, heights + eps
 *                                                                                     (the same, eq. 8 to 11)
 *     EIoULoss        DIoULoss + (wp - wt)^2 / (wc^2 + eps) + (hp - ht)^2 / (hc^2 + eps), wc and hc the sides of C,
 *                     without focal weights                                           (Zhang et al. 2021, eq. 7)
 *     BoundedIoULoss  smooth L1, beta 0.2, of 1 - the best IoU that x, y, w and h alone admit
 *                                                                                     (Tychsen-Smith et al. 2018)
 * The factor v / (1 - IoU + v) of CIoU has a derivative too, as in the original NanoDet; torchvision holds it constant.
 * At equal arguments, max and min give each argument half of the derivative.  A length clamped to 0 has derivative 0,
 * also if it is exactly 0. */
#ifndef DETECT_BOX_LOSS_H
#define DETECT_BOX_LOSS_H

/* The rows: ROW(name in configurations, default eps, function). */
#define BOX_LOSSES(ROW) \
    ROW(BoundedIoULoss, 1e-3, bounded_iou_loss) \
    ROW(CIoULoss,       1e-6, ciou_loss) \
    ROW(DIoULoss,       1e-6, diou_loss) \
    ROW(EIoULoss,       1e-6, eiou_loss) \
    ROW(GIoULoss,       1e-6, giou_loss) \
    ROW(IoULoss,        1e-6, iou_loss)

enum box_loss_kind {
#define BOX_LOSS_KIND(name, ...) BOX_##name,
    BOX_LOSSES(BOX_LOSS_KIND)
};

struct box_loss {
    const char *name;
    double eps;                     /* default */
    double (*of)(const double p[4], const double t[4], double eps, double slope[4]);
};
extern const struct box_loss box_losses[];      /* by enum box_loss_kind; a row {0} ends the table */

#endif
