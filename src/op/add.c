/* op/add.c -- y = a + b. */
#include "graph/operands.h"
#include "kernel/kernels.h"
#include "op/ops.h"
#include "op/shapes.h"

static bool shape(struct node *n, struct error *err)
{
    n->y[0] = n->x[0];
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
    int ld;
    const real *b = read_operand(k, 1, r, call_scratch(k), &ld);
    copy_operand(k, 0, r, y.p + r.first * y.ld, y.ld);
    k->kernels->copy_rows(r.count, y.c, b, ld, true, y.p + r.first * y.ld, y.ld);
}

static void forward(const struct call *k)
{
    team_for(k->team, chunk_count(pixels(k->y[0]), k->y[0].c), forward_chunk, k);
}

/* da = dy, db = dy */
static void backward(const struct call *k)
{
    pass_gradient(k, 0, k->dy[0]);
    pass_gradient(k, 1, k->dy[0]);
}

const struct op op_add = {
    .name = "add", .in_min = 2, .in_max = 2, .takes_deferred = 3, .takes_levels = 3,
    .shape = shape, .scratch = scratch, .forward = forward, .backward = backward };
