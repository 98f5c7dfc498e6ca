/* kernel/focal_bound_body.h -- bounds of terms of the quality focal loss; included by every isa_*.c after box_body.h
 * and an exp_*.h. */
#include "kernel/inlined.h"
#include "kernel/kernels.h"
#include <math.h>
#include <stdint.h>

/* For larger |x|, exp(-|x|) changes no sum, and its square would be a slow subnormal number. */
enum { TINY = 20 };

/* p = sigmoid(x) and ln(1 + exp(x)) are computed from e = exp(-|x|), as in focal_body.h.  The rounding error of f is
 * proportional to its terms.  An error of u changes f by at most 2 + 5 |x| + 2 factor / u times as much. */
static real bound_focal_terms(real factor, int n, struct focal_terms *terms, int many)
{
    real high[BOX_BLOCK];               /* minus the smallest upper bound of f in each column */
    for (int j = 0; j < BOX_BLOCK; j++)
        high[j] = (real)-INFINITY;
    for (int from = 0; from < n; from += BOX_BLOCK)
        for (int j = 0; j < BOX_BLOCK; j++) {
            const int i = from + j;
            const real rest = terms->rest[i], u_error = terms->u_error[i], u = terms->u[i] + (real)1e-7;
            const real x = terms->x[i], size = x < 0 ? -x : x;
            const real e = exp_below(size < TINY ? -size : -TINY);
            const real share = 1 / ((1 + e) * (2 + e)), large = (2 + e) * share;
            const real p = x < 0 ? e * large : large, d = p - u;
            const real softplus = (x > 0 ? x : 0) + 2 * artanh_below(e * (1 + e) * share);
            const real f = rest - p * p * softplus + d * d * (softplus - x * u) - factor * log_of(u);
            const real error = (real)1e-5 * (1 + rest + size + 17 * factor)
                             + u_error * (2 + 5 * size + 2 * factor / u);
            const bool sure = (4 * u_error < u) & (error < (real)1e30);
            const real most = ((i < n) & sure) ? f + error : (real)INFINITY;
            terms->low[i] = sure ? f - error : (real)-INFINITY;
            high[j] = -most > high[j] ? -most : high[j];
        }
    return -reached_by(many, high, (real)-INFINITY);
}

static int list_low_terms(int n, const struct focal_terms *terms, real limit, int *list)
{
    int count = 0;
    for (int from = 0; from < n; from += BOX_BLOCK) {
        uint32_t below = 0;
#pragma omp simd reduction(| : below)
        for (int j = 0; j < BOX_BLOCK; j++)
            below |= (uint32_t)((from + j < n) & (terms->low[from + j] <= limit)) << j;
        count += list_bits(below, from, list + count);
    }
    return count;
}
