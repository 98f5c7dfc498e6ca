/* kernel/pool_body.h -- max pooling and bilinear resampling of rows; included by every isa_*.c. */
#include "kernel/inlined.h"
#include "kernel/kernels.h"
#include <math.h>
#include <string.h>

enum { LANES = 8 };                             /* channels compared together */

/* One output of `lanes` channels over the rows [u0, u1) and columns [v0, v1) of a window whose tap (0, 0) is at x.  The
 * winner is kept as a float until it is stored, so that all vectors have one width. */
INLINED void max_window(int lanes, bool winners, const struct depthwise *g, int u0, int u1, int v0, int v1,
                        const real *restrict x, real *restrict y, unsigned char *restrict winner)
{
    real best[LANES], tap[LANES];
    for (int l = 0; l < lanes; l++) {
        best[l] = -INFINITY;
        tap[l] = (real)(u0 * g->kernel + v0);
    }
    for (int u = u0; u < u1; u++)
        for (int v = v0; v < v1; v++) {
            const real *restrict z = x + ((ptrdiff_t)u * g->w + v) * g->ldx;
            const real here = (real)(u * g->kernel + v);
#pragma omp simd
            for (int l = 0; l < lanes; l++) {
                const bool wins = (z[l] > best[l]) | (z[l] != z[l]);  /* a NaN is larger than any */
                best[l] = wins ? z[l] : best[l];
                tap[l] = wins ? here : tap[l];
            }
        }
    for (int l = 0; l < lanes; l++)
        y[l] = best[l];
    for (int l = 0; winners && l < lanes; l++)
        winner[l] = (unsigned char)tap[l];
}

INLINED void max_row(bool winners, const struct depthwise *g, int i, const real *restrict x, int first,
                     real *restrict y, unsigned char *restrict winner)
{
    const int top = i * g->stride - g->pad;
    const int u0 = top < 0 ? -top : 0, u1 = top + g->kernel > g->h ? g->h - top : g->kernel;
    for (int j = 0; j < g->out_w; j++, y += g->ldy) {
        const int left = j * g->stride - g->pad;
        const int v0 = left < 0 ? -left : 0, v1 = left + g->kernel > g->w ? g->w - left : g->kernel;
        const real *from = x + ((ptrdiff_t)(top - first) * g->w + left) * g->ldx;
        for (int c = 0; c < g->c; c += LANES)
            if (c + LANES <= g->c)
                max_window(LANES, winners, g, u0, u1, v0, v1, from + c, y + c, winners ? winner + c : NULL);
            else
                max_window(g->c - c, winners, g, u0, u1, v0, v1, from + c, y + c, winners ? winner + c : NULL);
        if (winners)
            winner += g->c;
    }
}

static void max_pool_row(const struct depthwise *g, int i, const real *restrict x, int first, real *restrict y,
                         unsigned char *restrict winner)
{
    if (winner)
        max_row(true, g, i, x, first, y, winner);
    else
        max_row(false, g, i, x, first, y, winner);
}

/* dx of input (r, s), `lanes` channels: the sum of dy over those outputs in [i0, i1) x [j0, j1) that chose it. */
INLINED void won_windows(const struct depthwise *g, int lanes, int r, int s, int i0, int i1, int j0, int j1,
                         const real *restrict dy, const unsigned char *restrict winner, bool add, real *restrict dx)
{
    real sum[LANES];
    for (int l = 0; l < lanes; l++)
        sum[l] = add ? dx[l] : 0;
    for (int i = i0; i < i1; i++)
        for (int j = j0; j < j1; j++) {
            const ptrdiff_t pixel = (ptrdiff_t)i * g->out_w + j;
            const real *restrict d = dy + pixel * g->ldy;
            const unsigned char *restrict won = winner + pixel * g->c;
            const real tap = (real)((r + g->pad - i * g->stride) * g->kernel + s + g->pad - j * g->stride);
#pragma omp simd
            for (int l = 0; l < lanes; l++) {
                const real here = won[l], more = d[l];
                sum[l] += here == tap ? more : 0;
            }
        }
    for (int l = 0; l < lanes; l++)
        dx[l] = sum[l];
}

/* Outputs [first_reader, readers_end) read input i. */
static inline int first_reader(const struct depthwise *g, int i)
{
    const int past = i + g->pad - g->kernel;
    return past < 0 ? 0 : past / g->stride + 1;
}

static inline int readers_end(const struct depthwise *g, int i, int out)
{
    const int last = (i + g->pad) / g->stride;
    return last < out ? last + 1 : out;
}

static void max_pool_dx_row(const struct depthwise *g, int r, const real *restrict dy,
                            const unsigned char *restrict winner, bool add, real *restrict dx)
{
    const int i0 = first_reader(g, r), i1 = readers_end(g, r, g->out_h);
    for (int s = 0; s < g->w; s++, dx += g->ldx) {
        const int j0 = first_reader(g, s), j1 = readers_end(g, s, g->out_w);
        int c = 0;
        for (; c + LANES <= g->c; c += LANES)
            won_windows(g, LANES, r, s, i0, i1, j0, j1, dy + c, winner + c, add, dx + c);
        if (c < g->c)
            won_windows(g, g->c - c, r, s, i0, i1, j0, j1, dy + c, winner + c, add, dx + c);
    }
}

static void upsample_row(int w, int c, const real *restrict near, const real *restrict far, int ldx, real *restrict y,
                         int ldy)
{
    for (int j = 0; j < w; j++)
        for (int side = 0; side < 2; side++, y += ldy) {
            const int next = side ? (j + 1 < w ? j + 1 : j) : (j > 0 ? j - 1 : j);
            const ptrdiff_t a = (ptrdiff_t)j * ldx, b = (ptrdiff_t)next * ldx;
            for (int i = 0; i < c; i++)
                y[i] = (9 * near[a + i] + 3 * near[b + i] + 3 * far[a + i] + far[b + i]) / 16;
        }
}

/* x[o] + 3 x[p] + 3 x[q] + x[r] */
static inline real across(const real *x, ptrdiff_t o, ptrdiff_t p, ptrdiff_t q, ptrdiff_t r)
{
    return x[o] + x[r] + 3 * (x[p] + x[q]);
}

static void upsample_dx_row(int w, int c, const real *restrict d0, const real *restrict d1, const real *restrict d2,
                            const real *restrict d3, int lddy, bool add, real *restrict dx, int lddx)
{
    for (int j = 0; j < w; j++, dx += lddx) {
        const ptrdiff_t p = (ptrdiff_t)2 * j * lddy, q = p + lddy;
        const ptrdiff_t o = j > 0 ? p - lddy : p, r = j + 1 < w ? q + lddy : q;
        if (!add)
            memset(dx, 0, (size_t)c * sizeof *dx);
        for (int i = 0; i < c; i++) {
            const real outer = across(d0 + i, o, p, q, r) + across(d3 + i, o, p, q, r);
            const real inner = across(d1 + i, o, p, q, r) + across(d2 + i, o, p, q, r);
            dx[i] += (outer + 3 * inner) / 16;
        }
    }
}
