/* op/mul.c -- y = a b, elementwise.  b may be broadcast: one pixel per image (the gates of squeeze-and-excite), one
 * pixel for all (layer scale) or one channel (a weight per pixel).  Each image is summed by one thread. */
#include "graph/operands.h"
#include "graph/parts.h"
#include "op/ops.h"
#include "op/shapes.h"
#include <string.h>

/* 1 if b has its own element for each pixel, image or channel, else 0. */
struct broadcast { int pixel, image, channel; };

static struct broadcast broadcast_of(const struct node *n)
{
    const bool pixel = same_pixels(n->x[0], n->x[1]);
    return (struct broadcast){ pixel, !pixel && n->x[1].n == n->x[0].n, n->x[1].c > 1 };
}

static bool shape(struct node *n, struct error *err)
{
    const struct shape a = n->x[0], b = n->x[1];
    n->y[0] = a;
    return (same_pixels(a, b) && (b.c == a.c || b.c == 1))
        || ((b.n == a.n || b.n == 1) && b.h == 1 && b.w == 1 && b.lv.count == 0 && a.lv.count == 0 && b.c == a.c)
        || want_same(n, 1, true, err);
}

/* Per image, the sums over pixels or channels that share an element of b. */
static size_t work(const struct node *n, enum pass pass)
{
    return pass == BACKWARD ? (size_t)image_count(n->x[0]) * (size_t)n->x[1].c * sizeof(double) : 0;
}

static void forward_image(const void *job, int image)
{
    const struct call *k = job;
    const struct const_view a = k->x[0], b = k->x[1];
    const struct view y = k->y[0];
    const struct range r = image_range(a, image);
    const struct broadcast s = broadcast_of(k->node);
    for (ptrdiff_t i = r.first; i < r.first + r.count; i++) {
        const real *factor = b.p + (s.pixel ? i : s.image * image) * b.ld;
        for (int c = 0; c < a.c; c++)
            y.p[i * y.ld + c] = a.p[i * a.ld + c] * factor[c * s.channel];
    }
}

/* da = dy b,  db = dy a, summed over the broadcast dimensions */
static void backward_image(const void *job, int image)
{
    const struct call *k = job;
    const struct const_view a = k->x[0], b = k->x[1];
    const struct view da = k->dx[0], db = k->dx[1], dy = k->dy[0];
    const struct range r = image_range(a, image);
    const struct broadcast s = broadcast_of(k->node);
    const ptrdiff_t end = r.first + r.count;
    double *sum = (double *)k->work + (ptrdiff_t)image * b.c;
    for (ptrdiff_t i = r.first; i < end; i++) {
        const ptrdiff_t pixel = s.pixel ? i : s.image * image;
        for (int c = 0; da.p && c < a.c; c++)
            store(&da.p[i * da.ld + c], k->add[0], dy.p[i * dy.ld + c] * b.p[pixel * b.ld + c * s.channel]);
        if (s.pixel || i == r.first)
            memset(sum, 0, (size_t)b.c * sizeof *sum);
        for (int c = 0; c < a.c; c++)
            sum[c * s.channel] += (double)dy.p[i * dy.ld + c] * a.p[i * a.ld + c];
        for (int c = 0; db.p && c < b.c && (s.pixel || (s.image && i == end - 1)); c++)
            store(&db.p[pixel * db.ld + c], k->add[1], (real)sum[c]);
    }
}

static void forward(const struct call *k)
{
    team_for(k->team, image_count(k->node->x[0]), forward_image, k);
}

static void backward(const struct call *k)
{
    const struct broadcast s = broadcast_of(k->node);
    const int images = image_count(k->node->x[0]), channels = k->x[1].c;
    team_for(k->team, images, backward_image, k);
    for (int c = 0; k->dx[1].p && !s.pixel && !s.image && c < channels; c++)
        store(&k->dx[1].p[c], k->add[1], gradient_of_images(k->node, (const double *)k->work + c, channels));
}

const struct op op_mul = {
    .name = "mul", .in_min = 2, .in_max = 2, .bwd_reads_x = 3, .takes_levels = 3,
    .shape = shape, .work = work, .forward = forward, .backward = backward };
