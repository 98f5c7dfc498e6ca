/* op/conv_depthwise.c -- one input and one output channel a group. */
#include "kernel/kernels.h"
#include "op/conv.h"
#include <string.h>

enum { BLOCK = 1 << 15, SMALL = 1 << 12 };      /* numbers of the output a block; SMALL: see forward_rows */

static bool fits(const struct node *n)
{
    return n->x[WEIGHT].c == 1 && n->x[WEIGHT].n == n->x[INPUT].c && n->x[WEIGHT].h == n->x[WEIGHT].w;
}

static int rows_a_block(const struct shape *s)
{
    return block_rows(BLOCK, (ptrdiff_t)widest(s) * s->c);
}

/* Where a norm is constant and ends the convolution, that before has ended its own: no rows are brought to their values
 * twice, and small blocks share small maps among the threads. */
static int forward_rows(const struct node *n)
{
    const struct shape *y = &n->y[0];
    return n->attr.conv.norm ? block_rows(SMALL, (ptrdiff_t)widest(y) * y->c) : rows_a_block(y);
}

static ptrdiff_t weights(const struct node *n)
{
    return (ptrdiff_t)n->x[WEIGHT].n * n->x[WEIGHT].h * n->x[WEIGHT].w;
}

/* Forward and dx want the weights tap by tap, dw wants its parts. */
static size_t packed(const struct node *n) { return (size_t)weights(n) * sizeof(real); }

static size_t work(const struct node *n, enum pass pass)
{
    const int parts = part_count(block_count(&n->y[0], rows_a_block(&n->y[0])));
    return pass == FORWARD ? 0 : packed(n) * (size_t)(1 + parts);
}

static size_t scratch(const struct node *n, enum pass pass)
{
    (void)pass;
    return input_rows_bytes(n, rows_a_block(&n->y[0]));
}

static struct depthwise geometry(const struct call *k, int in_h, int in_w, int out_h, int out_w, int ldx, int ldy)
{
    const struct node *n = k->node;
    return (struct depthwise){ n->x[WEIGHT].h, n->attr.conv.stride, n->attr.conv.pad, n->x[INPUT].c,
                               in_h, in_w, ldx, out_h, out_w, ldy };
}

/* [c][tap] to [tap][c] */
static void turn(const struct call *k, real *packed)
{
    const struct view w = k->x[WEIGHT];
    const int taps = w.h * w.w;
    for (int c = 0; c < w.n; c++)
        for (int t = 0; t < taps; t++)
            packed[(ptrdiff_t)t * w.n + c] = w.p[(ptrdiff_t)c * taps + t];
}

static void pack(const struct call *k) { turn(k, k->packed); }

static void forward_block(const void *job, int index)
{
    const struct call *k = job;
    const struct view y = k->y[0];
    const struct block out = block_at(&k->node->y[0], forward_rows(k->node), index);
    const struct view x = level_view(k->x[INPUT], out.level);
    const struct rows in = input_rows(k, out, call_scratch(k));
    const struct depthwise g = geometry(k, x.h, x.w, out.h, out.w, in.ld, y.ld);
    const real *bias = has_bias(k->node) ? k->x[BIAS].p : NULL;
    for (int i = 0; i < out.rows; i++) {
        real *to = y.p + (out.first + (ptrdiff_t)i * out.w) * y.ld;
        k->kernels->depthwise_row(&g, out.row + i, in.p, in.first, k->packed, bias, to);
        write_finished(k, out.w, to, y.ld, to, y.ld);
    }
}

static void forward(const struct call *k)
{
    team_for(k->team, block_count(&k->node->y[0], forward_rows(k->node)), forward_block, k);
}

static void dx_block(const void *job, int index)
{
    const struct call *k = job;
    const struct block in = block_at(&k->node->x[INPUT], rows_a_block(&k->node->x[INPUT]), index);
    const struct view dx = k->dx[INPUT], dy = level_view(k->dy[0], in.level);
    const struct depthwise g = geometry(k, in.h, in.w, dy.h, dy.w, dx.ld, dy.ld);
    for (int r = 0; r < in.rows; r++)
        k->kernels->depthwise_dx_row(&g, in.row + r, at(dy, in.image, 0, 0), k->work, k->add[INPUT],
                                     dx.p + (in.first + (ptrdiff_t)r * in.w) * dx.ld);
}

static void dw_part(const void *job, int index)
{
    const struct call *k = job;
    const struct node *n = k->node;
    const struct view dy = k->dy[0];
    const int rows = rows_a_block(&n->y[0]);
    const struct part part = part_at(block_count(&n->y[0], rows), index);
    real *dw = (real *)k->work + weights(n) * (1 + index);
    memset(dw, 0, (size_t)weights(n) * sizeof *dw);
    for (int b = part.from; b < part.to; b++) {
        const struct block out = block_at(&n->y[0], rows, b);
        const struct view x = level_view(k->x[INPUT], out.level);
        const struct rows in = input_rows(k, out, call_scratch(k));
        const struct depthwise g = geometry(k, x.h, x.w, out.h, out.w, in.ld, dy.ld);
        for (int i = 0; i < out.rows; i++)
            k->kernels->depthwise_dw_row(&g, out.row + i, in.p, in.first,
                                         dy.p + (out.first + (ptrdiff_t)i * out.w) * dy.ld, dw);
    }
}

static void backward(const struct call *k)
{
    const struct node *n = k->node;
    const int parts = part_count(block_count(&n->y[0], rows_a_block(&n->y[0])));
    if (k->dx[INPUT].p) {
        turn(k, k->work);
        team_for(k->team, block_count(&n->x[INPUT], rows_a_block(&n->x[INPUT])), dx_block, k);
    }
    if (k->dx[WEIGHT].p) {
        team_for(k->team, parts, dw_part, k);
        sum_parts(k, (const real *)k->work + weights(n), parts, weights(n), true);
    }
}

const struct conv_way conv_depthwise = { fits, packed, work, scratch, pack, forward, backward };
