/* op/max_pool.c -- the maximum of a window of kernel x kernel.  The first of equal elements in row-major order wins;
 * NaN counts as the largest.  Padding is ignored.  `save` keeps each winner's tap, row * kernel + column. */
#include "graph/operands.h"
#include "kernel/kernels.h"
#include "op/ops.h"
#include "op/shapes.h"

static size_t save(const struct node *n)
{
    return (size_t)n->y[0].n * (size_t)n->y[0].h * (size_t)n->y[0].w * (size_t)n->y[0].c;
}

/* The rows of x that a row of y reads. */
static size_t scratch(const struct node *n, enum pass pass)
{
    const size_t row = (size_t)n->x[0].w * (size_t)n->x[0].c * sizeof(real);
    return pass == FORWARD ? (size_t)pool_attr(n)->kernel * row : 0;
}

static struct depthwise window(const struct call *k, int ldx, int ldy)
{
    const struct shape x = k->node->x[0], y = k->node->y[0];
    return (struct depthwise){
        .kernel = pool_attr(k->node)->kernel, .stride = pool_attr(k->node)->stride, .pad = pool_attr(k->node)->pad,
        .c = x.c, .h = x.h, .w = x.w, .ldx = ldx, .out_h = y.h, .out_w = y.w, .ldy = ldy };
}

static void forward_row(const void *job, int row)
{
    const struct call *k = job;
    const struct const_view x = k->x[0];
    const struct view y = k->y[0];
    struct depthwise g = window(k, 0, y.ld);
    const int start = row % y.h * g.stride - g.pad, first = start > 0 ? start : 0;
    const int end = start + g.kernel < x.h ? start + g.kernel : x.h;
    const struct range r = { ((ptrdiff_t)(row / y.h) * x.h + first) * x.w, (end - first) * x.w };
    const real *p = read_operand(k, 0, r, call_scratch(k), &g.ldx);
    k->kernels->max_pool_row(&g, row % y.h, p, first, at(y, 0, row, 0),
                             k->save ? (unsigned char *)k->save + (ptrdiff_t)row * y.w * y.c : NULL);
}

/* dx[r] = sum of dy over the windows whose winner is r */
static void backward_row(const void *job, int row)
{
    const struct call *k = job;
    const struct view dx = k->dx[0], dy = k->dy[0];
    const struct depthwise g = window(k, dx.ld, dy.ld);
    const int image = row / dx.h;
    k->kernels->max_pool_dx_row(&g, row % dx.h, at(dy, image, 0, 0),
                                (unsigned char *)k->save + (ptrdiff_t)image * dy.h * dy.w * dy.c, k->add[0],
                                at(dx, 0, row, 0));
}

static void forward(const struct call *k)
{
    team_for(k->team, k->y[0].n * k->y[0].h, forward_row, k);
}

static void backward(const struct call *k)
{
    if (k->dx[0].p)
        team_for(k->team, k->dx[0].n * k->dx[0].h, backward_row, k);
}

const struct op op_max_pool = {
    .name = "max_pool", .attr_size = sizeof(struct pool_attr), .in_min = 1, .in_max = 1, .takes_deferred = 1,
    .shape = pooled, .save = save, .saves_for_backward = true, .scratch = scratch, .forward = forward,
    .backward = backward };
