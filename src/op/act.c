/* op/act.c -- an activation that does not follow a normalisation.  y = act(x). */
#include "graph/operands.h"
#include "kernel/kernels.h"
#include "op/ops.h"
#include "op/shapes.h"

static void forward_chunk(const void *job, int chunk)
{
    const struct call *k = job;
    const struct const_view x = k->x[0];
    const struct view y = k->y[0];
    const struct affine f = { .act = act_attr(k->node)->act, .slope = act_attr(k->node)->slope };
    const struct range r = chunk_range(pixels(x), x.c, chunk);
    k->kernels->activate(&f, r.count, x.c, x.p + r.first * x.ld, x.ld, y.p + r.first * y.ld, y.ld);
}

/* dx = dy act'(x) */
static void backward_chunk(const void *job, int chunk)
{
    const struct call *k = job;
    const struct const_view x = k->x[0];
    const struct view dx = k->dx[0], dy = k->dy[0];
    const struct affine f = { .act = act_attr(k->node)->act, .slope = act_attr(k->node)->slope };
    const struct range r = chunk_range(pixels(x), x.c, chunk);
    k->kernels->activate_grad(&f, r.count, x.c, x.p + r.first * x.ld, x.ld, dy.p + r.first * dy.ld, dy.ld, k->add[0],
                              dx.p + r.first * dx.ld, dx.ld);
}

static void forward(const struct call *k)
{
    team_for(k->team, chunk_count(pixels(k->x[0]), k->x[0].c), forward_chunk, k);
}

static void backward(const struct call *k)
{
    if (k->dx[0].p)
        team_for(k->team, chunk_count(pixels(k->x[0]), k->x[0].c), backward_chunk, k);
}

const struct op op_act = {
    .name = "act", .attr_size = sizeof(struct act_attr), .in_min = 1, .in_max = 1, .bwd_reads_x = 1, .takes_levels = 1,
    .shape = unchanged, .forward = forward, .backward = backward };
