/* op/conv/depthwise.c -- depthwise convolutions: one input and one output channel per group. */
#include "base/min_max.h"
#include "op/conv/reader.h"
#include "op/conv/writer.h"
#include <string.h>

/* Output elements per block.  With a folded norm the input is not deferred either, so small blocks compute no row's
 * values twice.  They divide small maps among the threads. */
enum { BLOCK = 1 << 15, SMALL_BLOCK = 1 << 12 };

static bool fits(const struct node *n)
{
    const struct shape w = n->x[WEIGHT];
    return w.c == 1 && w.n == n->x[INPUT].c && w.h == w.w && conv_attr(n)->pad < w.h;
}

static int rows_per_block(const struct node *n)
{
    const struct shape *y = &n->y[0];
    return block_rows(conv_attr(n)->norm ? SMALL_BLOCK : BLOCK, (ptrdiff_t)max_level_width(y) * y->c);
}

static int blocks(const struct node *n, int end) { return block_count(&n->y[0], n->parts, end, rows_per_block(n)); }

static struct block block_of(const struct node *n, int index)
{
    return block_at(&n->y[0], n->parts, rows_per_block(n), index);
}

static struct range block(const struct node *n, int index) { return pixels_of(block_of(n, index)); }
static bool reads_dy_once(const struct node *n, bool dx) { return (void)n, (void)dx, true; }

static size_t packed(const struct node *n, enum pass pass)
{
    return (void)pass, (size_t)weight_elements(n) * sizeof(real);
}

static size_t scratch(const struct node *n, enum pass pass)
{
    const int rows = rows_per_block(n), inputs = rows * conv_attr(n)->stride + n->x[WEIGHT].h;
    return input_rows_bytes(n, rows) + (pass == BACKWARD ? gradient_rows_bytes(n, inputs) : 0);
}

static struct depthwise geometry(const struct call *k, int in_h, int in_w, int out_h, int out_w, int ldx, int ldy)
{
    const struct node *n = k->node;
    return (struct depthwise){ n->x[WEIGHT].h, conv_attr(n)->stride, conv_attr(n)->pad, n->x[INPUT].c,
                               in_h, in_w, ldx, out_h, out_w, ldy };
}

/* [c][tap] to [tap][c] */
static void transpose_weights(const struct call *k, real *packed)
{
    const struct const_view w = k->x[WEIGHT];
    const int taps = w.h * w.w;
    for (int c = 0; c < w.n; c++)
        for (int t = 0; t < taps; t++)
            packed[(ptrdiff_t)t * w.n + c] = w.p[(ptrdiff_t)c * taps + t];
}

static void pack(const struct call *k)    { transpose_weights(k, k->packed); }
static void pack_dx(const struct call *k) { transpose_weights(k, k->work); }

static void forward_block(const struct call *k, int index)
{
    const struct view y = k->y[0];
    const struct block out = block_of(k->node, index);
    const struct block x = level_block(&k->node->x[INPUT], out.level);
    const struct row_values in = input_rows(k, out, call_scratch(k));
    const struct depthwise g = geometry(k, x.h, x.w, out.h, out.w, in.ld, y.ld);
    const real *bias = has_bias(k->node) ? k->x[BIAS].p : NULL;
    for (int i = 0; i < out.rows; i++) {
        const ptrdiff_t first = out.first + (ptrdiff_t)i * out.w;
        real *to = y.p + first * y.ld;
        k->kernels->depthwise_row(&g, out.row + i, in.p, in.first, k->packed, bias, to);
        write_pixels(k, FORWARD, first, out.w, to, y.ld);
    }
}

/* The rows of dx that a block of outputs computes.  Each row belongs to one block and depends only on rows of dy near
 * it. */
static struct block inputs_of(const struct node *n, struct block out)
{
    const int stride = conv_attr(n)->stride, end = out.row + out.rows, h = level_block(&n->x[INPUT], out.level).h;
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
static void backward_block(const struct call *k, int index, struct partial partial)
{
    const struct node *n = k->node;
    real *own = call_scratch(k);
    const struct block out = block_of(n, index), in = inputs_of(n, out);
    const struct row_values dy = gradient_rows(k, in, own + input_rows_bytes(n, rows_per_block(n)) / sizeof *own);
    if (partial.with_dx)
        write_dx(k, in, out, dy);
    if (partial.first)
        memset(partial.dw, 0, (size_t)weight_elements(n) * sizeof *partial.dw);
    if (k->dx[WEIGHT].p)
        add_dw(k, in, out, input_rows(k, out, own), dy, partial.dw);
}

const struct conv_algorithm conv_depthwise = {
    .name = "depthwise", .direct = true, .fits = fits, .blocks = blocks, .block = block,
    .reads_dy_once = reads_dy_once, .packed = packed, .partial_elements = weight_elements, .scratch = scratch,
    .pack = pack, .pack_dx = pack_dx, .forward_block = forward_block, .backward_block = backward_block,
    .sum = sum_weight_gradients_by_tap };
