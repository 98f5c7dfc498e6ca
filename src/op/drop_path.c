/* op/drop_path.c -- stochastic depth (Huang et al. 2016), also called drop connect: y = m x / keep, keep = 1 - rate,
 * where m is 1 for an image with probability keep, else 0.  m depends on the call's key and on the image's index in the
 * batch. */
#include "base/random.h"
#include "graph/operands.h"
#include "op/ops.h"
#include "op/shapes.h"

/* m / keep */
static real factor(const struct call *k, int image)
{
    struct random random = random_of(k->key, (uint64_t)(k->first_image + image), 0);
    const double keep = 1 - (double)drop_attr(k->node)->rate;
    return (real)(random_unit(&random) < keep ? 1 / keep : 0);
}

static void forward_image(const void *job, int image)
{
    const struct call *k = job;
    const struct view y = k->y[0];
    const struct range r = image_range(read_only(y), image);
    const real f = factor(k, image);
    copy_operand(k, 0, r, y.p + r.first * y.ld, y.ld);
    for (ptrdiff_t i = r.first; i < r.first + r.count; i++)
        for (int c = 0; c < y.c; c++)
            y.p[i * y.ld + c] *= f;
}

/* dx = m dy / keep */
static void backward_image(const void *job, int image)
{
    const struct call *k = job;
    const struct view dx = k->dx[0], dy = k->dy[0];
    const struct range r = image_range(read_only(dx), image);
    const real f = factor(k, image);
    for (ptrdiff_t i = r.first; i < r.first + r.count; i++)
        for (int c = 0; c < dx.c; c++)
            store(&dx.p[i * dx.ld + c], k->add[0], f * dy.p[i * dy.ld + c]);
}

static void forward(const struct call *k)
{
    team_for(k->team, k->y[0].n, forward_image, k);
}

static void backward(const struct call *k)
{
    if (k->dx[0].p)
        team_for(k->team, k->dx[0].n, backward_image, k);
}

const struct op op_drop_path = {
    .name = "drop_path", .attr_size = sizeof(struct drop_attr), .in_min = 1, .in_max = 1, .takes_deferred = 1,
    .draws = true, .shape = dropped, .forward = forward, .backward = backward };
