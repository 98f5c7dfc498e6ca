/* op/stack.c -- joins maps of one level each to one tensor of several levels, [level][image][y][x].  A map that is
 * stored in the output is not copied. */
#include "graph/operands.h"
#include "kernel/kernels.h"
#include "op/ops.h"

static bool shape(struct node *n, struct error *err)
{
    struct shape y = { .n = n->x[0].n, .w = 1, .c = n->x[0].c, .lv.count = n->in };
    for (int i = 0; i < n->in; i++) {
        const struct shape x = n->x[i];
        if (x.n != y.n || x.c != y.c || x.lv.count)
            return fail(err, "level %d is %d images of %d channels, the first %d of %d", i, x.n, x.c, y.n, y.c);
        y.lv.h[i] = x.h;
        y.lv.w[i] = x.w;
        y.h += x.h * x.w;
    }
    n->y[0] = y;
    return true;
}

static bool operand_in_output(const struct node *n, int operand, struct tensor_slice *slice)
{
    *slice = (struct tensor_slice){0};
    for (int i = 0; i < operand; i++)
        slice->pixel += (ptrdiff_t)n->x[i].n * n->x[i].h * n->x[i].w;
    return true;
}

static void copy_chunk(const void *job, int chunk)
{
    const struct call *k = job;
    for (int i = 0; i < k->node->in; i++) {
        const struct const_view x = k->x[i];
        const struct view y = level_view(k->y[0], i);
        const int chunks = chunk_count(pixels(x), x.c);
        if (chunk < chunks && x.p != y.p) {
            const struct range r = chunk_range(pixels(x), x.c, chunk);
            k->kernels->copy_rows(r.count, x.c, x.p + r.first * x.ld, x.ld, false, y.p + r.first * y.ld, y.ld);
        }
        chunk -= chunks;
        if (chunk < 0)
            return;
    }
}

static void forward(const struct call *k)
{
    int chunks = 0;
    for (int i = 0; i < k->node->in; i++)
        chunks += chunk_count(pixels(k->x[i]), k->x[i].c);
    team_for(k->team, chunks, copy_chunk, k);
}

/* dx_i = level i of dy */
static void backward(const struct call *k)
{
    for (int i = 0; i < k->node->in; i++)
        pass_gradient(k, i, level_view(k->dy[0], i));
}

const struct op op_stack = {
    .name = "stack", .in_min = 1, .in_max = LEVELS,
    .shape = shape, .operand_in_output = operand_in_output, .forward = forward, .backward = backward };
