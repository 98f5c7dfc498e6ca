/* kernel/norm_ref.h -- the definitions, one element at a time; included after activate_ref.h. */
#include "kernel/kernels.h"

static void moments(int n, int c, const real *x, int ldx, double *mean, double *m2)
{
    for (int i = 0; i < c; i++)
        mean[i] = m2[i] = 0;
    for (int row = 0; row < n; row++)
        for (int i = 0; i < c; i++)
            mean[i] += x[(ptrdiff_t)row * ldx + i];
    for (int i = 0; i < c; i++)
        mean[i] /= n;
    for (int row = 0; row < n; row++)
        for (int i = 0; i < c; i++) {
            const double d = x[(ptrdiff_t)row * ldx + i] - mean[i];
            m2[i] += d * d;
        }
}

static void norm_sums(const struct affine *f, int n, int c, const real *x, int ldx, const real *dy, int lddy,
                      const real *mean, double *sum_g, double *sum_gx)
{
    for (int i = 0; i < c; i++)
        sum_g[i] = sum_gx[i] = 0;
    for (; n > 0; n--, x += ldx, dy += lddy)
        for (int i = 0; i < c; i++) {
            const real g = dy[i] * act_derivative(f->act, f->slope, affine_at(f, i, x[i]));
            sum_g[i] += g;
            sum_gx[i] += (double)g * ((double)x[i] - (double)mean[i]);
        }
}

static void norm_dx(const struct affine *f, const struct norm_map *m, int n, int c, const real *x, int ldx,
                    const real *dy, int lddy, bool add, real *dx, int lddx)
{
    for (; n > 0; n--, x += ldx, dy += lddy, dx += lddx)
        for (int i = 0; i < c; i++) {
            const real g = dy[i] * act_derivative(f->act, f->slope, affine_at(f, i, x[i]));
            const real d = f->scale[i] * g + m->slope[i] * (x[i] - m->mean[i]) + m->shift[i];
            dx[i] = add ? dx[i] + d : d;
        }
}
