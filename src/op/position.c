/* op/position.c -- adds a learnt embedding of each position to every image: y[n, p] = x[n, p] + e[p].
 * Operands: x, and e with as many pixels as an image of x has. */
#include "graph/operands.h"
#include "graph/parts.h"
#include "op/ops.h"

static ptrdiff_t places(struct shape s) { return (ptrdiff_t)s.n * s.h * s.w; }

static bool shape(struct node *n, struct error *err)
{
    const struct shape x = n->x[0], e = n->x[1];
    n->y[0] = x;
    return (places(e) == (ptrdiff_t)x.h * x.w && e.c == x.c)
        || fail(err, "%td positions of %d channels do not fit a map of %d x %d of %d channels", places(e), e.c, x.w,
                x.h, x.c);
}

static void forward_chunk(const void *job, int chunk)
{
    const struct call *k = job;
    const struct const_view x = k->x[0], e = k->x[1];
    const struct view y = k->y[0];
    const struct range r = chunk_range(pixels(x), x.c, chunk);
    for (ptrdiff_t i = r.first; i < r.first + r.count; i++)
        for (int c = 0; c < x.c; c++)
            y.p[i * y.ld + c] = x.p[i * x.ld + c] + e.p[i % pixels(e) * e.ld + c];
}

/* de[p] = sum over n of dy[n, p] */
static void backward_chunk(const void *job, int chunk)
{
    const struct call *k = job;
    const struct view de = k->dx[1], dy = k->dy[0];
    const struct range r = chunk_range(pixels(de), de.c, chunk);
    for (ptrdiff_t p = r.first; p < r.first + r.count; p++)
        for (int c = 0; c < de.c; c++) {
            double sums[PARTS] = {0};
            for (int i = 0; i < k->node->parts; i++) {
                const struct batch_part part = part_of(dy.n, k->node->parts, i);
                for (int n = part.image; n < part.image + part.images; n++)
                    sums[i] += dy.p[(n * pixels(de) + p) * dy.ld + c];
            }
            store(&de.p[p * de.ld + c], k->add[1], gradient_of_parts(sums, k->node->parts));
        }
}

static void forward(const struct call *k)
{
    team_for(k->team, chunk_count(pixels(k->x[0]), k->x[0].c), forward_chunk, k);
}

/* dx = dy */
static void backward(const struct call *k)
{
    pass_gradient(k, 0, k->dy[0]);
    if (k->dx[1].p)
        team_for(k->team, chunk_count(pixels(k->dx[1]), k->dx[1].c), backward_chunk, k);
}

const struct op op_position = {
    .name = "position", .in_min = 2, .in_max = 2, .shape = shape, .forward = forward, .backward = backward };
