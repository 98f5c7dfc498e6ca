/* kernel/focal_body.h -- quality focal loss of negatives; included by every isa_*.c after an exp_*.h. */
#include "kernel/inlined.h"
#include "kernel/kernels.h"

/* With p = sigmoid(x): p^2 BCE(p, 0) and its derivative p^3 + 2 p^2 (1 - p) BCE(p, 0).  With e = exp(-|x|),
 * p or 1 - p is 1 / (1 + e) and ln(1 + e) = 2 artanh(e / (2 + e)); one division serves both. */
INLINED real focal_as(bool with_slope, int c, const real *restrict x, real scale, real *restrict slope)
{
    real sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int i = 0; i < c; i++) {
        const real z = x[i], e = exp_below(z < 0 ? z : -z), reciprocal = 1 / ((1 + e) * (2 + e));
        const real large = (2 + e) * reciprocal, p = z < 0 ? e * large : large, rest = z < 0 ? large : e * large;
        const real bce = (z < 0 ? 0 : z) + 2 * artanh_below(e * (1 + e) * reciprocal), square = p * p;
        sum += square * bce;
        if (with_slope)
            slope[i] = scale * (square * p + 2 * square * rest * bce);
    }
    return sum;
}

static real focal(int c, const real *x, real scale, real *slope)
{
    return slope ? focal_as(true, c, x, scale, slope) : focal_as(false, c, x, scale, slope);
}
