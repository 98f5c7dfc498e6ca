/* op/avg_pool.c -- the mean of a window of kernel x kernel; padding counts as zeros.  It is a depthwise convolution
 * whose weights are all 1 / kernel^2. */
#include "kernel/kernels.h"
#include "op/ops.h"
#include "op/shapes.h"

/* The weights. */
static size_t work(const struct node *n, enum pass pass)
{
    (void)pass;
    return (size_t)pool_attr(n)->kernel * (size_t)pool_attr(n)->kernel * (size_t)n->x[0].c * sizeof(real);
}

static struct depthwise window(const struct call *k, int ldx, int ldy)
{
    const struct shape x = k->node->x[0], y = k->node->y[0];
    return (struct depthwise){
        .kernel = pool_attr(k->node)->kernel, .stride = pool_attr(k->node)->stride, .pad = pool_attr(k->node)->pad,
        .c = x.c, .h = x.h, .w = x.w, .ldx = ldx, .out_h = y.h, .out_w = y.w, .ldy = ldy };
}

static void fill_weights(const struct call *k)
{
    const int taps = pool_attr(k->node)->kernel * pool_attr(k->node)->kernel;
    for (ptrdiff_t i = 0; i < (ptrdiff_t)taps * k->node->x[0].c; i++)
        ((real *)k->work)[i] = (real)1 / (real)taps;
}

static void forward_row(const void *job, int row)
{
    const struct call *k = job;
    const struct const_view x = k->x[0];
    const struct view y = k->y[0];
    const struct depthwise g = window(k, x.ld, y.ld);
    k->kernels->depthwise_row(&g, row % y.h, at(x, row / y.h, 0, 0), 0, k->work, NULL, at(y, 0, row, 0));
}

/* dx[r] = sum of dy / kernel^2 over the windows that hold r */
static void backward_row(const void *job, int row)
{
    const struct call *k = job;
    const struct view dx = k->dx[0], dy = k->dy[0];
    const struct depthwise g = window(k, dx.ld, dy.ld);
    k->kernels->depthwise_dx_row(&g, row % dx.h, at(dy, row / dx.h, 0, 0), 0, k->work, k->add[0], at(dx, 0, row, 0));
}

static void forward(const struct call *k)
{
    fill_weights(k);
    team_for(k->team, k->y[0].n * k->y[0].h, forward_row, k);
}

static void backward(const struct call *k)
{
    fill_weights(k);
    if (k->dx[0].p)
        team_for(k->team, k->dx[0].n * k->dx[0].h, backward_row, k);
}

const struct op op_avg_pool = {
    .name = "avg_pool", .attr_size = sizeof(struct pool_attr), .in_min = 1, .in_max = 1,
    .shape = pooled, .work = work, .forward = forward, .backward = backward };
