/* kernel/pair_body.h -- pairs of boxes and objects, by their costs; included by every isa_*.c after box_body.h and an
 * exp_*.h. */
#include "kernel/inlined.h"
#include "kernel/kernels.h"
#include <math.h>
#include <stdint.h>

/* For larger |x|, exp(-|x|) changes no sum, and its square would be a slow subnormal number. */
enum { TINY = 20 };

/* p = sigmoid(x) and ln(1 + exp(x)) are computed from e = exp(-|x|), as in focal_body.h.  The rounding error of a cost
 * is proportional to its terms.  An error of the IoU changes the cost by at most 2 + 5 |x| + 2 factor / u times as
 * much. */
static real bound_pair_costs(real factor, int n, struct pairs *pairs, int many)
{
    real high[BOX_BLOCK];               /* minus the smallest upper bound of the costs in each column */
    for (int j = 0; j < BOX_BLOCK; j++)
        high[j] = (real)-INFINITY;
    for (int from = 0; from < n; from += BOX_BLOCK)
        for (int j = 0; j < BOX_BLOCK; j++) {
            const int i = from + j;
            const real apart = pairs->cost_apart[i], iou_error = pairs->iou_error[i], u = pairs->iou[i] + (real)1e-7;
            const real x = pairs->logit[i], size = x < 0 ? -x : x;
            const real e = exp_below(size < TINY ? -size : -TINY);
            const real share = 1 / ((1 + e) * (2 + e)), large = (2 + e) * share;
            const real p = x < 0 ? e * large : large, d = p - u;
            const real softplus = (x > 0 ? x : 0) + 2 * artanh_below(e * (1 + e) * share);
            const real cost = apart - p * p * softplus + d * d * (softplus - x * u) - factor * log_of(u);
            const real error = (real)1e-5 * (1 + apart + size + 17 * factor)
                             + iou_error * (2 + 5 * size + 2 * factor / u);
            const bool sure = (4 * iou_error < u) & (error < (real)1e30);
            const real most = ((i < n) & sure) ? cost + error : (real)INFINITY;
            pairs->cost_min[i] = sure ? cost - error : (real)-INFINITY;
            high[j] = -most > high[j] ? -most : high[j];
        }
    return -reached_by(many, high, (real)-INFINITY);
}

static int list_costs_below(int n, const struct pairs *pairs, real limit, int *list)
{
    int count = 0;
    for (int from = 0; from < n; from += BOX_BLOCK) {
        uint32_t below = 0;
#pragma omp simd reduction(| : below)
        for (int j = 0; j < BOX_BLOCK; j++)
            below |= (uint32_t)((from + j < n) & (pairs->cost_min[from + j] <= limit)) << j;
        count += list_bits(below, from, list + count);
    }
    return count;
}
