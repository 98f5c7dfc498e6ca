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

/* s: the sigmoid of z. */
INLINED real sigmoid_derivative(real s)      { return s * (1 - s); }
INLINED real silu_derivative(real z, real s) { return s * (1 + z * (1 - s)); }

INLINED real act_value(enum act act, real slope, real z)
{
    switch (act) {
#define ACTIVATION(id, name, words, value, derivative) case ACT_##id: return value;
#include "kernel/activation_rows.h"
    }
    return z;
}

INLINED real act_derivative(enum act act, real slope, real z)
{
    switch (act) {
#define ACTIVATION(id, name, words, value, derivative) case ACT_##id: return derivative;
#include "kernel/activation_rows.h"
    }
    return 1;
}
