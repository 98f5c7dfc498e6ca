/* kernel/depthwise_body.h -- depthwise convolution; included after a vec_*.h.
 * INLINED functions get their first arguments as constants, so that sums and weights stay in registers and full vectors
 * are loaded without a mask.  Two vectors of channels of four neighbouring pixels give enough independent sums to hide
 * the latency of multiply-adds. */
#include "base/min_max.h"
#include "kernel/inlined.h"
#include "kernel/kernels.h"

enum { PIXELS = 4, VECTORS = 2, TAPS = 5 };     /* computed together */

struct tap_range { int from, to; };

/* A row of results, each a sum over rows and columns of the kernel; columns outside of x are skipped:
 *     y[j] = start[j] + sum over a < rows, t < taps of w[a w_row + t w_tap] x[a x_row + (column + j stride + t) ldx]
 * start NULL: 0.  Steps are in elements. */
struct gather {
    int c, count, rows, taps, stride, column, width;
    ptrdiff_t w_row, w_tap, x_row, ldx, ldy, start_step;
    const float *x, *w, *start;
    float *y;
};

/* sum[p] += w[t] x[p stride + t] for `count` results and taps t; each element is loaded once. */
INLINED void gather_taps(int count, int stride, int taps, int lanes, const struct gather *g, const float *x,
                         const float *w, vec *sum)
{
    vec weight[TAPS];
    for (int t = 0; t < taps; t++, w += g->w_tap)
        weight[t] = vec_load(w, lanes);
    UNROLLED
    for (int i = 0; i < (count - 1) * stride + taps; i++, x += g->ldx) {
        const vec here = vec_load(x, lanes);
        for (int p = 0; p < count; p++)
            if (i >= p * stride && i < p * stride + taps)
                sum[p] = vec_fma(weight[i - p * stride], here, sum[p]);
    }
}

/* Computes `count` neighbouring results y[j ..] over the taps v, `taps` at a time, for `vectors` vectors of channels
 * from c on; the last vector has `last` lanes. */
INLINED void gather_block(int count, int stride, int taps, int vectors, int last, const struct gather *g,
                          struct tap_range v, int j, int c)
{
    vec sum[VECTORS][PIXELS];
    for (int k = 0; k < vectors; k++)
        for (int p = 0; p < count; p++)
            sum[k][p] = !g->start ? vec_zero() : vec_load(g->start + (j + p) * g->start_step + c + k * VEC,
                                                          k + 1 < vectors ? VEC : last);
    for (int t = v.from; t < v.to; t += taps) {
        const float *x = g->x + (g->column + j * g->stride + t) * g->ldx + c, *w = g->w + t * g->w_tap + c;
        for (int a = 0; a < g->rows; a++, x += g->x_row, w += g->w_row)
            for (int k = 0; k < vectors; k++)
                gather_taps(count, stride, taps, k + 1 < vectors ? VEC : last, g, x + k * VEC, w + k * VEC, sum[k]);
    }
    for (int k = 0; k < vectors; k++)
        for (int p = 0; p < count; p++)
            vec_store(g->y + (j + p) * g->ldy + c + k * VEC, sum[k][p], k + 1 < vectors ? VEC : last);
}

INLINED void gather_pixels(int count, int stride, int taps, const struct gather *g, struct tap_range v, int j)
{
    int c = 0;
    for (; c + VECTORS * VEC <= g->c; c += VECTORS * VEC)
        gather_block(count, stride, taps, VECTORS, VEC, g, v, j, c);
    if (c + VEC < g->c)
        gather_block(count, stride, taps, VECTORS, g->c - c - VEC, g, v, j, c);
    else if (c < g->c)
        gather_block(count, stride, taps, 1, g->c - c, g, v, j, c);
}

static void gather_pixel(const struct gather *g, struct tap_range v, int j) { gather_pixels(1, 1, 1, g, v, j); }

INLINED void gather_columns(int stride, int taps, const struct gather *g)
{
    for (int j = 0; j < g->count;) {
        const int column = g->column + j * g->stride;
        const struct tap_range v = { max_int(0, -column), min_int(g->taps, g->width - column) };
        const bool inside = g->stride == stride && j + PIXELS <= g->count && column >= 0
                         && column + (PIXELS - 1) * stride + g->taps <= g->width;
        if (inside)
            gather_pixels(PIXELS, stride, taps, g, v, j);
        else
            gather_pixel(g, v, j);
        j += inside ? PIXELS : 1;
    }
}

INLINED void gather_strided(int taps, const struct gather *g)
{
    if (g->stride == 2)
        gather_columns(2, taps, g);
    else
        gather_columns(1, taps, g);
}

static void gather_row(const struct gather *g)
{
    switch (g->taps) {
    case 5:  gather_strided(5, g); break;
    case 3:  gather_strided(3, g); break;
    case 2:  gather_strided(2, g); break;
    default: gather_strided(1, g); break;
    }
}

/* The taps u of output index i that fall inside an input of length n. */
static inline struct tap_range taps_of(const struct depthwise *g, int i, int n)
{
    const int start = i * g->stride - g->pad;
    return (struct tap_range){ max_int(0, -start), min_int(g->kernel, n - start) };
}

static void depthwise_row(const struct depthwise *g, int i, const float *x, int first, const float *w,
                          const float *bias, float *y)
{
    const struct tap_range u = taps_of(g, i, g->h);
    const ptrdiff_t x_row = (ptrdiff_t)g->w * g->ldx, w_row = (ptrdiff_t)g->kernel * g->c;
    gather_row(&(struct gather){
        .c = g->c, .count = g->out_w, .rows = u.to - u.from, .taps = g->kernel, .stride = g->stride, .column = -g->pad,
        .width = g->w, .w_row = w_row, .w_tap = g->c, .x_row = x_row, .ldx = g->ldx, .ldy = g->ldy,
        .x = x + (i * g->stride - g->pad - first + u.from) * x_row, .w = w + u.from * w_row, .start = bias, .y = y });
}

/* Pixels of dx that are a stride apart read neighbouring pixels of dy with the same taps, also a stride apart.  Larger
 * taps belong to earlier pixels of dy: columns begin with the last tap, rows run backwards. */
static void depthwise_dx_row(const struct depthwise *g, int r, const float *dy, int first, const float *w, bool add,
                             float *dx)
{
    const int stride = g->stride, reach = r + g->pad;
    const struct tap_range u = { max_int(reach % stride, reach - (g->out_h - 1) * stride),
                                 min_int(g->kernel, reach + 1) };
    const ptrdiff_t row = (ptrdiff_t)g->out_w * g->ldy, w_row = (ptrdiff_t)g->kernel * g->c;
    for (int s = 0; s < min_int(stride, g->w); s++) {
        const int taps = (g->kernel - 1 - (s + g->pad) % stride + stride) / stride;
        const int last = (s + g->pad) % stride + (taps - 1) * stride;
        float *to = dx + (ptrdiff_t)s * g->ldx;
        gather_row(&(struct gather){
            .c = g->c, .count = (g->w - 1 - s) / stride + 1, .rows = (u.to - 1 - u.from + stride) / stride,
            .taps = taps, .stride = 1, .column = (s + g->pad - last) / stride, .width = g->out_w,
            .w_row = stride * w_row, .w_tap = -(ptrdiff_t)stride * g->c, .x_row = -row, .ldx = g->ldy,
            .ldy = (ptrdiff_t)stride * g->ldx, .start_step = (ptrdiff_t)stride * g->ldx,
            .x = dy + ((reach - u.from) / stride - first) * row, .w = w + u.from * w_row + (ptrdiff_t)last * g->c,
            .start = add ? to : NULL, .y = to });
    }
}

/* dw of `count` neighbouring taps, the first in column b, from a row of dy.  row: column 0 of the input row. */
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
    const struct tap_range u = taps_of(g, i, g->h);
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
