/* kernel/depthwise_body.h -- depthwise convolution, a vector of channels at a time; included after a vec_*.h.
 * Four neighbouring pixels share each load of a weight; where the kernel leaves the image, one pixel at a time.  What is
 * INLINED gets its first arguments as constants: sums stay in registers, whole vectors are loaded without a mask and
 * nothing is divided by a stride. */
#include "base/least.h"
#include "kernel/inlined.h"
#include "kernel/kernels.h"

enum { PIXELS = 4, TAPS = 5 };                  /* computed together */

struct span { int from, to; };

/* The taps u of output index i that fall on an input of n. */
static inline struct span taps(const struct depthwise *g, int i, int n)
{
    const int start = i * g->stride - g->pad;
    return (struct span){ most(0, -start), least(g->kernel, n - start) };
}

/* y[0 .. lanes-1] of `count` neighbouring pixels whose taps are the same: u rows, v columns.  x: input of tap (0, 0). */
INLINED void depthwise_lanes(int count, int lanes, const struct depthwise *g, struct span u, struct span v,
                             const float *x, const float *w, const float *bias, float *y)
{
    const ptrdiff_t row = (ptrdiff_t)g->w * g->ldx, next = (ptrdiff_t)g->stride * g->ldx;
    vec sum[PIXELS];
    for (int p = 0; p < count; p++)
        sum[p] = bias ? vec_load(bias, lanes) : vec_zero();
    for (int a = u.from; a < u.to; a++)
        for (int b = v.from; b < v.to; b++) {
            const vec weight = vec_load(w + (ptrdiff_t)(a * g->kernel + b) * g->c, lanes);
            const float *from = x + a * row + (ptrdiff_t)b * g->ldx;
            for (int p = 0; p < count; p++)
                sum[p] = vec_fma(weight, vec_load(from + p * next, lanes), sum[p]);
        }
    for (int p = 0; p < count; p++)
        vec_store(y + (ptrdiff_t)p * g->ldy, sum[p], lanes);
}

INLINED void depthwise_pixels(int count, const struct depthwise *g, struct span u, struct span v, const float *x,
                              const float *w, const float *bias, float *y)
{
    int c = 0;
    for (; c + VEC <= g->c; c += VEC)
        depthwise_lanes(count, VEC, g, u, v, x + c, w + c, bias ? bias + c : NULL, y + c);
    if (c < g->c)
        depthwise_lanes(count, g->c - c, g, u, v, x + c, w + c, bias ? bias + c : NULL, y + c);
}

static void depthwise_row(const struct depthwise *g, int i, const float *x, int first, const float *w,
                          const float *bias, float *y)
{
    const struct span u = taps(g, i, g->h), all = { 0, g->kernel };
    const float *row = x + (ptrdiff_t)(i * g->stride - g->pad - first) * g->w * g->ldx;
    for (int j = 0; j < g->out_w;) {
        const int column = j * g->stride - g->pad;
        const float *from = row + (ptrdiff_t)column * g->ldx;
        float *to = y + (ptrdiff_t)j * g->ldy;
        const bool inside = column >= 0 && j + PIXELS <= g->out_w
                         && column + (PIXELS - 1) * g->stride + g->kernel <= g->w;
        if (inside)
            depthwise_pixels(PIXELS, g, u, all, from, w, bias, to);
        else
            depthwise_pixels(1, g, u, taps(g, j, g->w), from, w, bias, to);
        j += inside ? PIXELS : 1;
    }
}

/* The taps that outputs, n of them, read input index r with: from, from + stride, ... below `to`. */
INLINED struct span readers(int stride, const struct depthwise *g, int r, int n)
{
    const int reach = r + g->pad;
    return (struct span){ most(reach % stride, reach - (n - 1) * stride), least(g->kernel, reach + 1) };
}

/* dx[0 .. lanes-1] of `count` neighbouring pixels from (r, s) on, whose taps are the same. */
INLINED void depthwise_dx_lanes(int stride, int count, int lanes, const struct depthwise *g, int r, int s,
                                struct span u, struct span v, const float *dy, const float *w, bool add, float *dx)
{
    vec sum[PIXELS];
    for (int p = 0; p < count; p++)
        sum[p] = add ? vec_load(dx + (ptrdiff_t)p * g->ldx, lanes) : vec_zero();
    for (int a = u.from; a < u.to; a += stride) {
        const float *line = dy + (ptrdiff_t)((r + g->pad - a) / stride) * g->out_w * g->ldy;
        for (int b = v.from; b < v.to; b += stride) {
            const vec weight = vec_load(w + (ptrdiff_t)(a * g->kernel + b) * g->c, lanes);
            const float *from = line + (ptrdiff_t)((s + g->pad - b) / stride) * g->ldy;
            for (int p = 0; p < count; p++)
                sum[p] = vec_fma(weight, vec_load(from + (ptrdiff_t)p * g->ldy, lanes), sum[p]);
        }
    }
    for (int p = 0; p < count; p++)
        vec_store(dx + (ptrdiff_t)p * g->ldx, sum[p], lanes);
}

INLINED void depthwise_dx_pixels(int stride, int count, const struct depthwise *g, int r, int s, struct span u,
                                 const float *dy, const float *w, bool add, float *dx)
{
    const struct span v = readers(stride, g, s, g->out_w);
    int c = 0;
    for (; c + VEC <= g->c; c += VEC)
        depthwise_dx_lanes(stride, count, VEC, g, r, s, u, v, dy + c, w + c, add, dx + c);
    if (c < g->c)
        depthwise_dx_lanes(stride, count, g->c - c, g, r, s, u, v, dy + c, w + c, add, dx + c);
}

INLINED void depthwise_dx_strided(int stride, const struct depthwise *g, int r, const float *dy, const float *w,
                                  bool add, float *dx)
{
    const struct span u = readers(stride, g, r, g->out_h);
    for (int s = 0; s < g->w;) {
        /* Neighbours of dx read neighbours of dy only where the stride is 1 and no tap leaves the image. */
        const bool inside = stride == 1 && s + g->pad - g->kernel + 1 >= 0 && s + g->pad + PIXELS <= g->out_w
                         && s + PIXELS <= g->w;
        float *to = dx + (ptrdiff_t)s * g->ldx;
        if (inside)
            depthwise_dx_pixels(stride, PIXELS, g, r, s, u, dy, w, add, to);
        else
            depthwise_dx_pixels(stride, 1, g, r, s, u, dy, w, add, to);
        s += inside ? PIXELS : 1;
    }
}

static void depthwise_dx_row(const struct depthwise *g, int r, const float *dy, const float *w, bool add, float *dx)
{
    switch (g->stride) {
    case 1:  depthwise_dx_strided(1, g, r, dy, w, add, dx); break;
    case 2:  depthwise_dx_strided(2, g, r, dy, w, add, dx); break;
    default: depthwise_dx_strided(g->stride, g, r, dy, w, add, dx); break;
    }
}

/* dw of `count` neighbouring taps, the first in column b, from a row of dy; row: where column 0 of the input would be. */
INLINED void depthwise_dw_taps(int count, int lanes, const struct depthwise *g, int b, const float *row,
                               const float *dy, float *dw)
{
    vec sum[TAPS];
    for (int t = 0; t < count; t++)
        sum[t] = vec_load(dw + (ptrdiff_t)t * g->c, lanes);
    for (int j = 0; j < g->out_w; j++) {
        const int column = j * g->stride - g->pad + b;
        const float *x = row + (ptrdiff_t)column * g->ldx;
        const vec d = vec_load(dy + (ptrdiff_t)j * g->ldy, lanes);
        if (column >= 0 && column + count <= g->w)
            for (int t = 0; t < count; t++)
                sum[t] = vec_fma(d, vec_load(x + (ptrdiff_t)t * g->ldx, lanes), sum[t]);
        else
            for (int t = 0; t < count; t++)
                if (column + t >= 0 && column + t < g->w)
                    sum[t] = vec_fma(d, vec_load(x + (ptrdiff_t)t * g->ldx, lanes), sum[t]);
    }
    for (int t = 0; t < count; t++)
        vec_store(dw + (ptrdiff_t)t * g->c, sum[t], lanes);
}

INLINED void depthwise_dw_lanes(int lanes, const struct depthwise *g, const float *row, const float *dy, float *dw)
{
    for (int b = 0, count; b < g->kernel; b += count) {
        const int left = g->kernel - b;
        float *to = dw + (ptrdiff_t)b * g->c;
        count = left >= TAPS ? TAPS : left >= 3 ? 3 : 1;
        switch (count) {
        case TAPS: depthwise_dw_taps(TAPS, lanes, g, b, row, dy, to); break;
        case 3:    depthwise_dw_taps(3, lanes, g, b, row, dy, to); break;
        default:   depthwise_dw_taps(1, lanes, g, b, row, dy, to); break;
        }
    }
}

static void depthwise_dw_row(const struct depthwise *g, int i, const float *x, int first, const float *dy, float *dw)
{
    const struct span u = taps(g, i, g->h);
    for (int a = u.from; a < u.to; a++) {
        const float *row = x + (ptrdiff_t)(i * g->stride - g->pad - first + a) * g->w * g->ldx;
        float *to = dw + (ptrdiff_t)a * g->kernel * g->c;
        int c = 0;
        for (; c + VEC <= g->c; c += VEC)
            depthwise_dw_lanes(VEC, g, row + c, dy + c, to + c);
        if (c < g->c)
            depthwise_dw_lanes(g->c - c, g, row + c, dy + c, to + c);
    }
}
