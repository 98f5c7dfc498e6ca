/* kernel/activate_ref.h -- the definition, one element at a time. */
#include "kernel/activations.h"
#include "kernel/kernels.h"

static real affine_at(const struct affine *f, ptrdiff_t i, real x)
{
    return f->scale ? f->scale[i] * x + f->shift[i] : x;
}

static void activate(const struct affine *f, int n, int c, const real *x, int ldx, real *y, int ldy)
{
    for (; n > 0; n--, x += ldx, y += ldy)
        for (int i = 0; i < c; i++)
            y[i] = act_value(f->act, f->slope, affine_at(f, i, x[i]));
}

static void activate_grad(const struct affine *f, int n, int c, const real *x, int ldx, const real *dy, int lddy,
                          bool add, real *g, int ldg)
{
    for (; n > 0; n--, x += ldx, dy += lddy, g += ldg)
        for (int i = 0; i < c; i++) {
            const real grad = dy[i] * act_derivative(f->act, f->slope, affine_at(f, i, x[i]));
            g[i] = add ? g[i] + grad : grad;
        }
}
