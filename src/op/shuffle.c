/* op/shuffle.c -- concatenation and channel shuffle of two groups (Zhang et al., ShuffleNet, 2018):
 * y[2c + k] = x_k[c], k = 0, 1. */
#include "graph/operands.h"
#include "kernel/kernels.h"
#include "op/ops.h"
#include "op/shapes.h"

static bool shape(struct node *n, struct error *err)
{
    n->y[0] = n->x[0];
    n->y[0].c = 2 * n->x[0].c;
    return want_same(n, 1, true, err);
}

static size_t scratch(const struct node *n, enum pass pass)
{
    return pass == FORWARD ? chunk_bytes(n->y[0].c) : 0;
}

static void forward_chunk(const void *job, int chunk)
{
    const struct call *k = job;
    const struct view y = k->y[0];
    const struct range r = chunk_range(pixels(y), y.c, chunk);
    real *scratch = call_scratch(k);
    int ld0, ld1;
    const real *x0 = read_operand(k, 0, r, scratch, &ld0);
    const real *x1 = read_operand(k, 1, r, scratch + (ptrdiff_t)r.count * (y.c / 2), &ld1);
    k->kernels->interleave(r.count, y.c / 2, x0, ld0, x1, ld1, y.p + r.first * y.ld, y.ld);
}

/* dx_k[c] = dy[2c + k] */
static void backward_chunk(const void *job, int chunk)
{
    const struct call *k = job;
    const struct view dy = k->dy[0];
    const struct range r = chunk_range(pixels(dy), dy.c, chunk);
    for (int i = 0; i < 2; i++) {
        const struct view dx = k->dx[i];
        if (dx.p)
            k->kernels->deinterleave(r.count, dx.c, dy.p + r.first * dy.ld + i, dy.ld, k->add[i],
                                     dx.p + r.first * dx.ld, dx.ld);
    }
}

static void forward(const struct call *k)
{
    team_for(k->team, chunk_count(pixels(k->y[0]), k->y[0].c), forward_chunk, k);
}

static void backward(const struct call *k)
{
    team_for(k->team, chunk_count(pixels(k->dy[0]), k->dy[0].c), backward_chunk, k);
}

const struct op op_shuffle = {
    .name = "shuffle", .in_min = 2, .in_max = 2, .takes_deferred = 3, .takes_levels = 3,
    .shape = shape, .scratch = scratch, .forward = forward, .backward = backward };
