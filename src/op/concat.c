/* op/concat.c -- concatenation along the channels.  An operand that is stored in the output is not copied.  Deferred
 * operands are copied as they are, and the graph joins their vectors. */
#include "graph/operands.h"
#include "kernel/kernels.h"
#include "op/ops.h"
#include "op/shapes.h"

static bool shape(struct node *n, struct error *err)
{
    n->y[0] = n->x[0];
    for (int i = 1; i < n->in; i++)
        n->y[0].c += n->x[i].c;
    return want_same(n, 1, false, err);
}

static bool operand_in_output(const struct node *n, int operand, struct tensor_slice *slice)
{
    *slice = (struct tensor_slice){0};
    for (int i = 0; i < operand; i++)
        slice->channel += n->x[i].c;
    return true;
}

/* The operand's channels of y or dy. */
static struct view operand_slot(const struct call *k, int operand, struct view y)
{
    struct tensor_slice slice;
    operand_in_output(k->node, operand, &slice);
    y.p += slice.channel;
    y.c = k->node->x[operand].c;
    return y;
}

static void forward_chunk(const void *job, int chunk)
{
    const struct call *k = job;
    const struct range r = chunk_range(pixels(k->y[0]), k->y[0].c, chunk);
    for (int i = 0; i < k->node->in; i++) {
        const struct const_view x = k->x[i];
        const struct view y = operand_slot(k, i, k->y[0]);
        if (x.p != y.p)
            k->kernels->copy_rows(r.count, x.c, x.p + r.first * x.ld, x.ld, false, y.p + r.first * y.ld, y.ld);
    }
}

static void forward(const struct call *k)
{
    team_for(k->team, chunk_count(pixels(k->y[0]), k->y[0].c), forward_chunk, k);
}

/* dx_i = the operand's channels of dy */
static void backward(const struct call *k)
{
    for (int i = 0; i < k->node->in; i++)
        pass_gradient(k, i, operand_slot(k, i, k->dy[0]));
}

const struct op op_concat = {
    .name = "concat", .in_min = 1, .in_max = OP_IN, .passes_deferred = true, .takes_levels = 0xff,
    .shape = shape, .operand_in_output = operand_in_output, .forward = forward, .backward = backward };
