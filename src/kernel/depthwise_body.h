/* kernel/depthwise_body.h -- depthwise convolution, a vector of channels at a time; included after a vec_*.h.
 * Four neighbouring pixels share each load of a weight; where the kernel leaves the image, one pixel at a time. */
#include "base/least.h"
#include "kernel/kernels.h"

enum { PIXELS = 4 };                            /* computed together */

struct span { int from, to; };

/* The taps u of output index i that fall on an input of n. */
static inline struct span taps(const struct depthwise *g, int i, int n)
{
    const int start = i * g->stride - g->pad;
    return (struct span){ most(0, -start), least(g->kernel, n - start) };
}

/* y[c] of `count` neighbouring pixels whose taps are the same: u rows, v columns.  x: input of tap (0, 0). */
static inline void depthwise_pixels(const struct depthwise *g, int count, struct span u, struct span v, const float *x,
                                    const float *w, const float *bias, float *y)
{
    const ptrdiff_t row = (ptrdiff_t)g->w * g->ldx, next = (ptrdiff_t)g->stride * g->ldx;
    for (int c = 0; c < g->c; c += VEC) {
        const int lanes = g->c - c;
        vec sum[PIXELS];
        for (int p = 0; p < count; p++)
            sum[p] = bias ? vec_load(bias + c, lanes) : vec_zero();
        for (int a = u.from; a < u.to; a++)
            for (int b = v.from; b < v.to; b++) {
                const vec weight = vec_load(w + (ptrdiff_t)(a * g->kernel + b) * g->c + c, lanes);
                const float *from = x + a * row + (ptrdiff_t)b * g->ldx + c;
                for (int p = 0; p < count; p++)
                    sum[p] = vec_fma(weight, vec_load(from + p * next, lanes), sum[p]);
            }
        for (int p = 0; p < count; p++)
            vec_store(y + (ptrdiff_t)p * g->ldy + c, sum[p], lanes);
    }
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
            depthwise_pixels(g, PIXELS, u, all, from, w, bias, to);
        else
            depthwise_pixels(g, 1, u, taps(g, j, g->w), from, w, bias, to);
        j += inside ? PIXELS : 1;
    }
}

/* One pixel (r, s) of dx: the taps that reach an output lie `stride` apart. */
static inline void depthwise_dx_pixels(const struct depthwise *g, int count, int r, int s, const float *dy,
                                       const float *w, bool add, float *dx)
{
    for (int c = 0; c < g->c; c += VEC) {
        const int lanes = g->c - c;
        vec sum[PIXELS];
        for (int p = 0; p < count; p++)
            sum[p] = add ? vec_load(dx + (ptrdiff_t)p * g->ldx + c, lanes) : vec_zero();
        for (int a = (r + g->pad) % g->stride; a < g->kernel; a += g->stride) {
            const int i = (r + g->pad - a) / g->stride;
            if (r + g->pad - a < 0 || i >= g->out_h)
                continue;
            for (int b = (s + g->pad) % g->stride; b < g->kernel; b += g->stride) {
                const int j = (s + g->pad - b) / g->stride;
                if (s + g->pad - b < 0 || j >= g->out_w)
                    continue;
                const vec weight = vec_load(w + (ptrdiff_t)(a * g->kernel + b) * g->c + c, lanes);
                const float *from = dy + ((ptrdiff_t)i * g->out_w + j) * g->ldy + c;
                for (int p = 0; p < count; p++)
                    sum[p] = vec_fma(weight, vec_load(from + (ptrdiff_t)p * g->ldy, lanes), sum[p]);
            }
        }
        for (int p = 0; p < count; p++)
            vec_store(dx + (ptrdiff_t)p * g->ldx + c, sum[p], lanes);
    }
}

static void depthwise_dx_row(const struct depthwise *g, int r, const float *dy, const float *w, bool add, float *dx)
{
    for (int s = 0; s < g->w;) {
        /* Neighbours of dx read neighbours of dy only where the stride is 1 and no tap leaves the image. */
        const bool inside = g->stride == 1 && s + g->pad - g->kernel + 1 >= 0 && s + g->pad + PIXELS <= g->out_w
                         && s + PIXELS <= g->w;
        depthwise_dx_pixels(g, inside ? PIXELS : 1, r, s, dy, w, add, dx + (ptrdiff_t)s * g->ldx);
        s += inside ? PIXELS : 1;
    }
}

static void depthwise_dw_row(const struct depthwise *g, int i, const float *x, int first, const float *dy, float *dw)
{
    const struct span u = taps(g, i, g->h);
    for (int c = 0; c < g->c; c += VEC)
        for (int a = u.from; a < u.to; a++) {
            const int lanes = g->c - c;
            const float *row = x + (ptrdiff_t)(i * g->stride - g->pad - first + a) * g->w * g->ldx + c;
            for (int b = 0; b < g->kernel; b++) {
                /* Outputs j whose column j * stride - pad + b lies in the image. */
                const int last = g->w - 1 + g->pad - b;
                const int from = most(0, (g->pad - b + g->stride - 1) / g->stride);
                const int to = last < 0 ? 0 : least(g->out_w, last / g->stride + 1);
                float *out = dw + (ptrdiff_t)(a * g->kernel + b) * g->c + c;
                vec sum = vec_load(out, lanes), other = vec_zero();
                int j = from;
                for (; j + 2 <= to; j += 2) {
                    const float *in = row + (ptrdiff_t)(j * g->stride - g->pad + b) * g->ldx;
                    const float *d = dy + (ptrdiff_t)j * g->ldy + c;
                    sum = vec_fma(vec_load(d, lanes), vec_load(in, lanes), sum);
                    other = vec_fma(vec_load(d + g->ldy, lanes),
                                    vec_load(in + (ptrdiff_t)g->stride * g->ldx, lanes), other);
                }
                if (j < to)
                    sum = vec_fma(vec_load(dy + (ptrdiff_t)j * g->ldy + c, lanes),
                                  vec_load(row + (ptrdiff_t)(j * g->stride - g->pad + b) * g->ldx, lanes), sum);
                vec_store(out, vec_add(sum, other), lanes);
            }
        }
}
