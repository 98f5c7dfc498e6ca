/* op/dropout.c -- dropout (Srivastava et al. 2014): y = m x / keep, keep = 1 - rate, where m is 1 for an element
 * with probability keep, else 0.  m depends on the call's key, the image's index in the batch, and the
 * element's index in the image. */
#include "base/random.h"
#include "graph/operands.h"
#include "op/ops.h"
#include "op/shapes.h"

/* to = m from / keep, or to += */
static void drop(const struct call *k, int image, struct const_view from, bool add, struct view to)
{
    const struct range r = image_range(from, image);
    const double keep = 1 - (double)drop_attr(k->node)->rate;
    const real factor = (real)(1 / keep);
    struct random random = random_of(k->key, (uint64_t)(k->first_image + image % from.n), (uint64_t)(image / from.n));
    for (ptrdiff_t i = r.first; i < r.first + r.count; i++)
        for (int c = 0; c < from.c; c++)
            store(&to.p[i * to.ld + c], add, random_unit(&random) < keep ? factor * from.p[i * from.ld + c] : 0);
}

static void forward_image(const void *job, int image)
{
    const struct call *k = job;
    drop(k, image, k->x[0], false, k->y[0]);
}

/* dx = m dy / keep */
static void backward_image(const void *job, int image)
{
    const struct call *k = job;
    drop(k, image, read_only(k->dy[0]), k->add[0], k->dx[0]);
}

static void forward(const struct call *k)
{
    team_for(k->team, image_count(k->node->x[0]), forward_image, k);
}

static void backward(const struct call *k)
{
    if (k->dx[0].p)
        team_for(k->team, image_count(k->node->x[0]), backward_image, k);
}

const struct op op_dropout = {
    .name = "dropout", .attr_size = sizeof(struct drop_attr), .in_min = 1, .in_max = 1, .takes_levels = 1,
    .draws = true, .shape = dropped, .forward = forward, .backward = backward };
