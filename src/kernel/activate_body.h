/* kernel/activate_body.h -- activations and their derivatives; plain loops that the compiler turns into vectors,
 * included by every isa_*.c after an exp_*.h. */
#include "kernel/inlined.h"
#include "kernel/kernels.h"

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

/* act'(z); at a kink what PyTorch takes: the slope on the side of the flat part, or of the smaller z. */
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

INLINED void activate_as(enum act act, const struct affine *f, int n, int c, const real *restrict x, int ldx,
                         real *restrict y, int ldy)
{
    const real *restrict scale = f->scale, *restrict shift = f->shift, slope = f->slope;
    for (; n > 0; n--, x += ldx, y += ldy)
        for (int i = 0; i < c; i++)
            y[i] = act_value(act, slope, scale ? scale[i] * x[i] + shift[i] : x[i]);
}

static void activate(const struct affine *f, int n, int c, const real *restrict x, int ldx,
                     real *restrict y, int ldy)
{
    switch (f->act) {
    case ACT_NONE:         activate_as(ACT_NONE, f, n, c, x, ldx, y, ldy); break;
    case ACT_RELU:         activate_as(ACT_RELU, f, n, c, x, ldx, y, ldy); break;
    case ACT_LEAKY_RELU:   activate_as(ACT_LEAKY_RELU, f, n, c, x, ldx, y, ldy); break;
    case ACT_RELU6:        activate_as(ACT_RELU6, f, n, c, x, ldx, y, ldy); break;
    case ACT_HARD_SWISH:   activate_as(ACT_HARD_SWISH, f, n, c, x, ldx, y, ldy); break;
    case ACT_HARD_SIGMOID: activate_as(ACT_HARD_SIGMOID, f, n, c, x, ldx, y, ldy); break;
    case ACT_SILU:         activate_as(ACT_SILU, f, n, c, x, ldx, y, ldy); break;
    case ACT_SIGMOID:      activate_as(ACT_SIGMOID, f, n, c, x, ldx, y, ldy); break;
    case ACT_GELU:         activate_as(ACT_GELU, f, n, c, x, ldx, y, ldy); break;
    }
}

INLINED void grad_as(enum act act, const struct affine *f, int n, int c, const real *restrict x, int ldx,
                     const real *restrict dy, int lddy, bool add, real *restrict g, int ldg)
{
    const real *restrict scale = f->scale, *restrict shift = f->shift, slope = f->slope;
    for (; n > 0; n--, x += ldx, dy += lddy, g += ldg)
        for (int i = 0; i < c; i++) {
            const real grad = dy[i] * act_slope(act, slope, scale ? scale[i] * x[i] + shift[i] : x[i]);
            g[i] = add ? g[i] + grad : grad;
        }
}

static void activate_grad(const struct affine *f, int n, int c, const real *restrict x, int ldx,
                          const real *restrict dy, int lddy, bool add, real *restrict g, int ldg)
{
    switch (f->act) {
    case ACT_NONE:         grad_as(ACT_NONE, f, n, c, x, ldx, dy, lddy, add, g, ldg); break;
    case ACT_RELU:         grad_as(ACT_RELU, f, n, c, x, ldx, dy, lddy, add, g, ldg); break;
    case ACT_LEAKY_RELU:   grad_as(ACT_LEAKY_RELU, f, n, c, x, ldx, dy, lddy, add, g, ldg); break;
    case ACT_RELU6:        grad_as(ACT_RELU6, f, n, c, x, ldx, dy, lddy, add, g, ldg); break;
    case ACT_HARD_SWISH:   grad_as(ACT_HARD_SWISH, f, n, c, x, ldx, dy, lddy, add, g, ldg); break;
    case ACT_HARD_SIGMOID: grad_as(ACT_HARD_SIGMOID, f, n, c, x, ldx, dy, lddy, add, g, ldg); break;
    case ACT_SILU:         grad_as(ACT_SILU, f, n, c, x, ldx, dy, lddy, add, g, ldg); break;
    case ACT_SIGMOID:      grad_as(ACT_SIGMOID, f, n, c, x, ldx, dy, lddy, add, g, ldg); break;
    case ACT_GELU:         grad_as(ACT_GELU, f, n, c, x, ldx, dy, lddy, add, g, ldg); break;
    }
}
