/* kernel/focal_body.h -- quality focal loss of what is not there; included by every isa_*.c after an exp_*.h. */
#include "kernel/kernels.h"

/* With p = sigmoid(x): p^2 BCE(p, 0) and its derivative p^3 + 2 p^2 (1 - p) BCE(p, 0). */
static real focal(int c, const real *restrict x, real scale, real *restrict slope)
{
    real sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int i = 0; i < c; i++) {
        const real z = x[i], e = exp_below(z < 0 ? z : -z), p = (z < 0 ? e : 1) / (1 + e);
        const real bce = (z < 0 ? 0 : z) + log1p_below(e), square = p * p;
        sum += square * bce;
        slope[i] = scale * (square * p + 2 * square * ((z < 0 ? 1 : e) / (1 + e)) * bce);
    }
    return sum;
}
