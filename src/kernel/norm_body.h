/* kernel/norm_body.h -- what normalisation sums and maps; included by every isa_*.c. */
#include "kernel/kernels.h"

static void moments(int n, int c, const real *restrict x, int ldx, real *restrict mean, real *restrict m2)
{
    for (int i = 0; i < c; i++)
        mean[i] = m2[i] = 0;
    for (int row = 0; row < n; row++)
        for (int i = 0; i < c; i++)
            mean[i] += x[(ptrdiff_t)row * ldx + i];
    for (int i = 0; i < c; i++)
        mean[i] /= (real)n;
    for (int row = 0; row < n; row++)
        for (int i = 0; i < c; i++) {
            const real d = x[(ptrdiff_t)row * ldx + i] - mean[i];
            m2[i] += d * d;
        }
}

static void norm_sums(int n, int c, const real *restrict g, int ldg, const real *restrict x, int ldx,
                      const real *restrict mean, real *restrict sum_g, real *restrict sum_gx)
{
    for (int i = 0; i < c; i++)
        sum_g[i] = sum_gx[i] = 0;
    for (; n > 0; n--, g += ldg, x += ldx)
        for (int i = 0; i < c; i++) {
            sum_g[i] += g[i];
            sum_gx[i] += g[i] * (x[i] - mean[i]);
        }
}

static void norm_dx(const struct norm_map *m, int n, int c, const real *restrict g, int ldg, const real *restrict x,
                    int ldx, bool add, real *restrict dx, int lddx)
{
    const real *restrict scale = m->scale, *restrict mean = m->mean, *restrict slope = m->slope, *restrict k = m->shift;
    for (; n > 0; n--, g += ldg, x += ldx, dx += lddx)
        for (int i = 0; i < c; i++) {
            const real d = scale[i] * g[i] + slope[i] * (x[i] - mean[i]) + k[i];
            dx[i] = add ? dx[i] + d : d;
        }
}
