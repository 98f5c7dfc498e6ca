/* op/norm.h -- a normalisation as an affine map:  gamma (x - mean) rstd + beta = scale x + shift.  All
 * norms use these functions, so a folded norm has the same bits as a separate one. */
#ifndef OP_NORM_H
#define OP_NORM_H
#include "base/real.h"
#include <math.h>

static inline double norm_rstd(double var, double eps) { return 1 / sqrt(var + eps); }

static inline void norm_affine(double mean, double rstd, real gamma, real beta, real *scale, real *shift)
{
    const double s = rstd * gamma;
    *scale = (real)s;
    *shift = (real)(beta - mean * s);
}
#endif
