/* kernel/exp_ref.h -- the functions of exp_body.h from the C library. */
#include "base/real.h"
#include <tgmath.h>

static inline real exp_below(real x)    { return exp(x); }                      /* x <= 0 */
static inline double exp_below_double(double x) { return exp(x); }
static inline real artanh_below(real t) { return atanh(t); }                    /* 0 <= t <= 1/3 */
static inline real log_of(real x)       { return log(x); }                      /* x normal */
static inline real normal_cdf(real z)   { return (1 + erf(z * (real)0.70710678118654752)) / 2; }
