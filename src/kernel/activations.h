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

/* tanh(ln(1 + e^z)) = n / (n + r), with n and r multiplied by the power of e^z that keeps them finite. */
INLINED real mish_gate(real z)
{
    const real e = exp_below(z < 0 ? z : -z), n = z < 0 ? e * (e + 2) : 1 + 2 * e, r = z < 0 ? 2 : 2 * e * e;
    return n / (n + r);
}

/* g + z (1 - g^2) sigmoid(z) with g = mish_gate(z); 1 - g = r / (n + r), without cancellation. */
INLINED real mish_derivative(real z)
{
    const real e = exp_below(z < 0 ? z : -z), n = z < 0 ? e * (e + 2) : 1 + 2 * e, r = z < 0 ? 2 : 2 * e * e;
    const real g = n / (n + r), s = (z < 0 ? e : 1) / (1 + e);
    return g + z * s * (1 + g) * (r / (n + r));
}

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
