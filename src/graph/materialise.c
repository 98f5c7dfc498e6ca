/* graph/materialise.c -- writes the value of a deferred operand to memory. */
#include "graph/operands.h"

static bool shape(struct node *n, struct error *err)
{
    (void)err;
    n->y[0] = n->x[0];
    return true;
}

static void forward_chunk(const void *job, int chunk)
{
    const struct call *k = job;
    const struct view y = k->y[0];
    const struct range r = chunk_range(pixels(y), y.c, chunk);
    copy_operand(k, 0, r, y.p + r.first * y.ld, y.ld);
}

static void forward(const struct call *k)
{
    team_for(k->team, chunk_count(pixels(k->y[0]), k->y[0].c), forward_chunk, k);
}

/* dx = dy: both are gradients of the value.  The norm that made it deferred applies act' and scale. */
static void backward(const struct call *k)
{
    pass_gradient(k, 0, k->dy[0]);
}

const struct op op_materialise = {
    .name = "materialise", .in_min = 1, .in_max = 1, .takes_deferred = 1, .takes_levels = 1,
    .shape = shape, .forward = forward, .backward = backward };
