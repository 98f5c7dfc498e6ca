/* kernel/pair_body.h -- pairs of boxes and objects, by their costs; included by every isa_*.c after box_body.h and an
 * exp_*.h. */
#include "kernel/inlined.h"
#include "kernel/kernels.h"
#include <math.h>
#include <stdint.h>

/* Where |x| is larger, exp(-|x|) and its squares change nothing; processors are slow with numbers as small. */
enum { TINY = 20 };

/* Of e = exp(-|x|) are made p = sigmoid(x) and ln(1 + exp(x)), as in focal_body.h.  Rounding changes the cost in
 * proportion to its terms, and an overlap that is off changes it by at most 2 + 5 |x| + 2 factor / u times as much. */
static real costs(real factor, int n, struct pairs *pairs, int many)
{
    real high[HULL];                    /* minus the least that one of every HULL-th pair costs at most */
    for (int j = 0; j < HULL; j++)
        high[j] = (real)-INFINITY;
    for (int from = 0; from < n; from += HULL)
        for (int j = 0; j < HULL; j++) {
            const int i = from + j;
            const real apart = pairs->apart[i], off = pairs->off[i], u = pairs->iou[i] + (real)1e-7;
            const real x = pairs->logit[i], size = x < 0 ? -x : x;
            const real e = exp_below(size < TINY ? -size : -TINY);
            const real share = 1 / ((1 + e) * (2 + e)), large = (2 + e) * share;
            const real p = x < 0 ? e * large : large, d = p - u;
            const real softplus = (x > 0 ? x : 0) + 2 * artanh_below(e * (1 + e) * share);
            const real cost = apart - p * p * softplus + d * d * (softplus - x * u) - factor * log_of(u);
            const real error = (real)1e-5 * (1 + apart + size + 17 * factor) + off * (2 + 5 * size + 2 * factor / u);
            const bool sure = (4 * off < u) & (error < (real)1e30);
            const real most = ((i < n) & sure) ? cost + error : (real)INFINITY;
            pairs->least[i] = sure ? cost - error : (real)-INFINITY;
            high[j] = -most > high[j] ? -most : high[j];
        }
    return -reached_by(many, high, (real)-INFINITY);
}

static int list_costs(int n, const struct pairs *pairs, real most, int *list)
{
    int count = 0;
    for (int from = 0; from < n; from += HULL) {
        uint32_t below = 0;
#pragma omp simd reduction(| : below)
        for (int j = 0; j < HULL; j++)
            below |= (uint32_t)((from + j < n) & (pairs->least[from + j] <= most)) << j;
        count += list_bits(below, from, list + count);
    }
    return count;
}
