/* op/conv_depthwise.c -- depthwise convolutions: one input and one output channel per group. */
#include "base/min_max.h"
#include "kernel/kernels.h"
#include "op/conv.h"
#include <string.h>

enum { BLOCK = 1 << 15, SMALL_BLOCK = 1 << 12 };        /* output elements per block; see forward_rows */

static bool fits(const struct node *n)
{
    const struct shape w = n->x[WEIGHT];
    return w.c == 1 && w.n == n->x[INPUT].c && w.h == w.w && n->attr.conv.pad < w.h;
}

static int rows_per_block(const struct shape *s)
{
    return block_rows(BLOCK, (ptrdiff_t)max_level_width(s) * s->c);
}

static int backward_blocks(const struct node *n) { return block_count(&n->y[0], rows_per_block(&n->y[0])); }

/* With a folded norm the input is not deferred either, so small blocks compute no row's values twice.  They divide
 * small maps among the threads. */
static int forward_rows(const struct node *n)
{
    const struct shape *y = &n->y[0];
    return n->attr.conv.norm ? block_rows(SMALL_BLOCK, (ptrdiff_t)max_level_width(y) * y->c) : rows_per_block(y);
}

static ptrdiff_t weights(const struct node *n)
{
    return (ptrdiff_t)n->x[WEIGHT].n * n->x[WEIGHT].h * n->x[WEIGHT].w;
}

/* Forward and dx use the weights as [tap][c]; dw has partial sums. */
static size_t packed(const struct node *n) { return (size_t)weights(n) * sizeof(real); }

static size_t work(const struct node *n, enum pass pass)
{
    return pass == FORWARD ? 0 : packed(n) * (size_t)(1 + partial_count(backward_blocks(n)));
}

static size_t scratch(const struct node *n, enum pass pass)
{
    const int rows = rows_per_block(&n->y[0]), inputs = rows * n->attr.conv.stride + n->x[WEIGHT].h;
    return input_rows_bytes(n, rows) + (pass == BACKWARD ? gradient_rows_bytes(n, inputs) : 0);
}

static struct depthwise geometry(const struct call *k, int in_h, int in_w, int out_h, int out_w, int ldx, int ldy)
{
    const struct node *n = k->node;
    return (struct depthwise){ n->x[WEIGHT].h, n->attr.conv.stride, n->attr.conv.pad, n->x[INPUT].c,
                               in_h, in_w, ldx, out_h, out_w, ldy };
}

/* [c][tap] to [tap][c] */
static void transpose_weights(const struct call *k, real *packed)
{
    const struct view w = k->x[WEIGHT];
    const int taps = w.h * w.w;
    for (int c = 0; c < w.n; c++)
        for (int t = 0; t < taps; t++)
            packed[(ptrdiff_t)t * w.n + c] = w.p[(ptrdiff_t)c * taps + t];
}

static void pack(const struct call *k) { transpose_weights(k, k->packed); }

static int output_blocks(const struct node *n) { return block_count(&n->y[0], forward_rows(n)); }

static struct range output_block(const struct node *n, int index)
{
    return pixels_of(block_at(&n->y[0], forward_rows(n), index));
}

static void forward_block(const void *job, int index)
{
    const struct call *k = job;
    const struct view y = k->y[0];
    const struct block out = block_at(&k->node->y[0], forward_rows(k->node), index);
    const struct view x = level_view(k->x[INPUT], out.level);
    const struct row_values in = input_rows(k, out, call_scratch(k));
    const struct depthwise g = geometry(k, x.h, x.w, out.h, out.w, in.ld, y.ld);
    const real *bias = has_bias(k->node) ? k->x[BIAS].p : NULL;
    for (int i = 0; i < out.rows; i++) {
        real *to = y.p + (out.first + (ptrdiff_t)i * out.w) * y.ld;
        k->kernels->depthwise_row(&g, out.row + i, in.p, in.first, k->packed, bias, to);
        apply_epilogue(k, out.w, to, y.ld, to, y.ld);
    }
    block_done(k, index);
}

static void forward(const struct call *k)
{
    team_for(k->team, output_blocks(k->node), forward_block, k);
}

/* The rows of dx that a block of outputs computes.  Each row belongs to one block and depends only on rows of dy near
 * it. */
static struct block inputs_of(const struct node *n, struct block out)
{
    const int stride = n->attr.conv.stride, end = out.row + out.rows, h = level_block(&n->x[INPUT], out.level).h;
    return row_block(&n->x[INPUT], out.level, out.image, min_int(h, out.row * stride),
                     end == out.h ? h : min_int(h, end * stride));
}

static void write_dx(const struct call *k, struct block in, struct block out, struct row_values dy)
{
    const struct view dx = k->dx[INPUT];
    const struct depthwise g = geometry(k, in.h, in.w, out.h, out.w, dx.ld, dy.ld);
    for (int r = 0; r < in.rows; r++)
        k->kernels->depthwise_dx_row(&g, in.row + r, dy.p, dy.first, k->work, k->add[INPUT],
                                     dx.p + (in.first + (ptrdiff_t)r * in.w) * dx.ld);
}

static void add_dw(const struct call *k, struct block in, struct block out, struct row_values x, struct row_values dy,
                   real *dw)
{
    const struct depthwise g = geometry(k, in.h, in.w, out.h, out.w, x.ld, dy.ld);
    for (int i = out.row; i < out.row + out.rows; i++)
        k->kernels->depthwise_dw_row(&g, i, x.p, x.first, dy.p + (ptrdiff_t)(i - dy.first) * out.w * dy.ld, dw);
}

/* dx and dw of a block while its rows of dy are in the cache. */
static void backward_partial(const void *job, int index)
{
    const struct call *k = job;
    const struct node *n = k->node;
    const int rows = rows_per_block(&n->y[0]);
    const struct block_span span = partial_at(backward_blocks(n), index);
    real *dw = (real *)k->work + weights(n) * (1 + index), *own = call_scratch(k);
    memset(dw, 0, (size_t)weights(n) * sizeof *dw);
    for (int b = span.from; b < span.to; b++) {
        const struct block out = block_at(&n->y[0], rows, b), in = inputs_of(n, out);
        const struct row_values dy = gradient_rows(k, in, own + input_rows_bytes(n, rows) / sizeof *own);
        if (k->dx[INPUT].p)
            write_dx(k, in, out, dy);
        if (k->dx[WEIGHT].p)
            add_dw(k, in, out, input_rows(k, out, own), dy, dw);
    }
}

static void backward(const struct call *k)
{
    const struct node *n = k->node;
    const int count = partial_count(backward_blocks(n));
    if (k->dx[INPUT].p)
        transpose_weights(k, k->work);
    team_for(k->team, count, backward_partial, k);
    if (k->dx[WEIGHT].p)
        sum_partials(k, (const real *)k->work + weights(n), count, weights(n), true);
}

const struct conv_algorithm conv_depthwise = {
    fits, packed, work, scratch, pack, forward, backward, output_blocks, output_block, always };
