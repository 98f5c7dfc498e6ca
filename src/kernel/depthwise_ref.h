/* kernel/depthwise_ref.h -- the definition, one element at a time. */
#include "kernel/kernels.h"

static void depthwise_row(const struct depthwise *g, int i, const real *x, int first, const real *w, const real *bias,
                          real *y)
{
    for (ptrdiff_t j = 0; j < g->out_w; j++)
        for (ptrdiff_t c = 0; c < g->c; c++) {
            real sum = bias ? bias[c] : 0;
            for (ptrdiff_t u = 0; u < g->kernel; u++)
                for (ptrdiff_t v = 0; v < g->kernel; v++) {
                    const ptrdiff_t row = i * g->stride - g->pad + u, column = j * g->stride - g->pad + v;
                    if (row >= 0 && row < g->h && column >= 0 && column < g->w)
                        sum += w[(u * g->kernel + v) * g->c + c] * x[((row - first) * g->w + column) * g->ldx + c];
                }
            y[j * g->ldy + c] = sum;
        }
}

/* dx[r,s] = sum over u, v of w[u,v] dy[i,j] where i stride - pad + u = r and j stride - pad + v = s. */
static void depthwise_dx_row(const struct depthwise *g, int r, const real *dy, int first, const real *w, bool add,
                             real *dx)
{
    for (ptrdiff_t s = 0; s < g->w; s++)
        for (ptrdiff_t c = 0; c < g->c; c++) {
            real sum = 0;
            for (ptrdiff_t u = 0; u < g->kernel; u++)
                for (ptrdiff_t v = 0; v < g->kernel; v++) {
                    const ptrdiff_t i = r + g->pad - u, j = s + g->pad - v;
                    if (i >= 0 && j >= 0 && i % g->stride == 0 && j % g->stride == 0 && i / g->stride < g->out_h
                        && j / g->stride < g->out_w)
                        sum += w[(u * g->kernel + v) * g->c + c]
                             * dy[((i / g->stride - first) * g->out_w + j / g->stride) * g->ldy + c];
                }
            dx[s * g->ldx + c] = add ? dx[s * g->ldx + c] + sum : sum;
        }
}

static void depthwise_dw_row(const struct depthwise *g, int i, const real *x, int first, const real *dy, real *dw)
{
    for (ptrdiff_t u = 0; u < g->kernel; u++)
        for (ptrdiff_t v = 0; v < g->kernel; v++)
            for (ptrdiff_t c = 0; c < g->c; c++)
                for (ptrdiff_t j = 0; j < g->out_w; j++) {
                    const ptrdiff_t row = i * g->stride - g->pad + u, column = j * g->stride - g->pad + v;
                    if (row >= 0 && row < g->h && column >= 0 && column < g->w)
                        dw[(u * g->kernel + v) * g->c + c] +=
                            dy[j * g->ldy + c] * x[((row - first) * g->w + column) * g->ldx + c];
                }
}
