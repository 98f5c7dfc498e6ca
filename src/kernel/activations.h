/* kernel/activations.h -- scalar activations and their derivatives; included after an exp_*.h. */
#include "base/real.h"
#include "kernel/act.h"
#include "kernel/inlined.h"

INLINED real clamp6(real z) { return z > 6 ? 6 : z < 0 ? 0 : z; }

INLINED real sigmoid(real z)
{
    const real e = exp_below(z < 0 ? z : -z);
    return (z < 0 ? e : 1) / (1 + e);
}

INLINED real act_value(enum act act, real slope, real z)
{
    switch (act) {
    case ACT_NONE:         return z;
    case ACT_RELU:         return z < 0 ? 0 : z;
    case ACT_LEAKY_RELU:   return z < 0 ? slope * z : z;
    case ACT_RELU6:        return clamp6(z);
    case ACT_HARD_SWISH:   return z * clamp6(z + 3) / 6;
    case ACT_HARD_SIGMOID: return clamp6(z + 3) / 6;
    case ACT_SILU:         return z * sigmoid(z);
    case ACT_SIGMOID:      return sigmoid(z);
    case ACT_GELU:         return z * normal_cdf(z);
    }
    return z;
}

/* act'(z).  At kinks it follows PyTorch: the slope of the flat side, or of the side with smaller z. */
INLINED real act_slope(enum act act, real slope, real z)
{
    const real s = act == ACT_SILU || act == ACT_SIGMOID ? sigmoid(z) : 0;
    switch (act) {
    case ACT_NONE:         return 1;
    case ACT_RELU:         return z > 0 ? 1 : 0;
    case ACT_LEAKY_RELU:   return z > 0 ? 1 : slope;
    case ACT_RELU6:        return z > 0 && z < 6 ? 1 : 0;
    case ACT_HARD_SWISH:   return z <= -3 ? 0 : z < 3 ? z / 3 + (real)0.5 : 1;
    case ACT_HARD_SIGMOID: return z > -3 && z < 3 ? (real)1 / 6 : 0;
    case ACT_SILU:         return s * (1 + z * (1 - s));
    case ACT_SIGMOID:      return s * (1 - s);
    case ACT_GELU:         return normal_cdf(z) + z * (real)0.39894228040143268 * exp_below(-z * z / 2);
    }
    return 1;
}
