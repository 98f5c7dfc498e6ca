/* op/scale.c -- y = s_l x on level l, with one learnt scalar per level.  Operands: x, then a scalar for each level. */
#include "graph/operands.h"
#include "graph/parts.h"
#include "op/ops.h"
#include "op/shapes.h"

static bool shape(struct node *n, struct error *err)
{
    n->y[0] = n->x[0];
    if (n->in - 1 != level_count(&n->x[0].lv))
        return fail(err, "%d scales for %d levels", n->in - 1, level_count(&n->x[0].lv));
    for (int i = 1; i < n->in; i++)
        if (!want_vector(n, i, 1, err))
            return false;
    return true;
}

/* The sum of dy x of each image. */
static size_t work(const struct node *n, enum pass pass)
{
    return pass == BACKWARD ? (size_t)image_count(n->x[0]) * sizeof(double) : 0;
}

static void forward_image(const void *job, int image)
{
    const struct call *k = job;
    const struct const_view x = k->x[0];
    const struct view y = k->y[0];
    const struct range r = image_range(x, image);
    const real s = *k->x[1 + image / x.n].p;
    for (ptrdiff_t i = r.first; i < r.first + r.count; i++)
        for (int c = 0; c < x.c; c++)
            y.p[i * y.ld + c] = s * x.p[i * x.ld + c];
}

/* dx = s_l dy,  ds_l = sum over level l of dy x */
static void backward_image(const void *job, int image)
{
    const struct call *k = job;
    const struct const_view x = k->x[0];
    const struct view dx = k->dx[0], dy = k->dy[0];
    const struct range r = image_range(x, image);
    const real s = *k->x[1 + image / x.n].p;
    double sum = 0;
    for (ptrdiff_t i = r.first; i < r.first + r.count; i++)
        for (int c = 0; c < x.c; c++) {
            const real g = dy.p[i * dy.ld + c];
            sum += (double)g * x.p[i * x.ld + c];
            if (dx.p)
                store(&dx.p[i * dx.ld + c], k->add[0], s * g);
        }
    ((double *)k->work)[image] = sum;
}

static void forward(const struct call *k)
{
    team_for(k->team, image_count(k->node->x[0]), forward_image, k);
}

static void backward(const struct call *k)
{
    const double *sum = k->work;
    team_for(k->team, image_count(k->node->x[0]), backward_image, k);
    for (int level = 0; level < k->node->in - 1; level++, sum += k->x[0].n)
        if (k->dx[1 + level].p)
            store(k->dx[1 + level].p, k->add[1 + level], gradient_of_images(k->node, sum, 1));
}

const struct op op_scale = {
    .name = "scale", .in_min = 2, .in_max = OP_IN, .bwd_reads_x = 0xff, .takes_levels = 1,
    .shape = shape, .work = work, .forward = forward, .backward = backward };
