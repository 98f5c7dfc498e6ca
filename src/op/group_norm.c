/* op/group_norm.c -- group normalisation (Wu, He 2018) and its activation, deferred: y is x's memory, its value
 * act(scale x + shift), scale = gamma rstd, shift = beta - mean scale.  mean and rstd = 1 / sqrt(var + eps) are those
 * of the pixels and channels of one group in one image of one level.  Operands: x, weight gamma, bias beta. */
#include "graph/operands.h"
#include "graph/parts.h"
#include "kernel/kernels.h"
#include "op/moments.h"
#include "op/norm.h"
#include "op/ops.h"
#include "op/shapes.h"
#include <math.h>
#include <string.h>

static bool shape(struct node *n, struct error *err)
{
    const int c = n->x[0].c, groups = norm_attr(n)->groups;
    n->y[0] = n->x[0];
    if (groups < 1 || c % groups)
        return fail(err, "%d channels do not make %d groups", c, groups);
    return want_vector(n, 1, c, err) && want_vector(n, 2, c, err);
}

/* mean and rstd of each image and group. */
static size_t save(const struct node *n)
{
    return 2 * (size_t)image_count(n->x[0]) * (size_t)norm_attr(n)->groups * sizeof(real);
}

/* Forward: the moments of each image and group.  Backward: sums of g and g (x - mean) of each image and channel. */
static size_t work(const struct node *n, enum pass pass)
{
    const size_t images = (size_t)image_count(n->x[0]);
    return pass == FORWARD ? images * (size_t)norm_attr(n)->groups * sizeof(struct moments)
                           : 2 * images * (size_t)n->x[0].c * sizeof(double);
}

/* The moments or sums of a chunk, then the three vectors of the gradient map. */
static size_t scratch(const struct node *n, enum pass pass)
{
    return (size_t)n->x[0].c * (2 * sizeof(double) + (pass == FORWARD ? 0 : 3 * sizeof(real)));
}

static real *saved(const struct call *k, int image)
{
    return (real *)k->save + 2 * (ptrdiff_t)image * norm_attr(k->node)->groups;
}

static double *sums(const struct call *k, int image)
{
    return (double *)k->work + 2 * (ptrdiff_t)image * k->x[0].c;
}

/* The pixels of chunk i of an image. */
static struct range chunk_in_image(struct range image, int c, int i)
{
    struct range r = chunk_range(image.count, c, i);
    r.first += image.first;
    return r;
}

/* The moments of `channels` neighbouring channels of `count` pixels each. */
static struct moments joined(int count, int channels, const double *mean, const double *m2)
{
    struct moments all = { (double)count * channels, 0, 0 };
    for (int c = 0; c < channels; c++)
        all.mean += mean[c] / channels;
    for (int c = 0; c < channels; c++)
        all.m2 += m2[c] + count * (mean[c] - all.mean) * (mean[c] - all.mean);
    return all;
}

/* The moments of each group of an image; all channels of a chunk are read together. */
static const struct moments *group_moments(const struct call *k, int image)
{
    const struct const_view x = k->x[0];
    const int groups = norm_attr(k->node)->groups, size = x.c / groups;
    const struct range all = image_range(x, image);
    struct moments *group = (struct moments *)k->work + (ptrdiff_t)image * groups;
    double *mean = call_scratch(k), *m2 = mean + x.c;
    memset(group, 0, (size_t)groups * sizeof *group);
    for (int i = 0; i < chunk_count(all.count, x.c); i++) {
        const struct range r = chunk_in_image(all, x.c, i);
        k->kernels->moments(r.count, x.c, x.p + r.first * x.ld, x.ld, mean, m2);
        for (int g = 0; g < groups; g++)
            group[g] = merged(group[g], joined(r.count, size, mean + g * size, m2 + g * size));
    }
    return group;
}

static void forward_image(const void *job, int image)
{
    const struct call *k = job;
    const int groups = norm_attr(k->node)->groups, size = k->x[0].c / groups;
    const ptrdiff_t vector = (ptrdiff_t)image * k->y_deferred[0].ld;
    real *scale = k->y_scale + vector, *shift = k->y_shift + vector;
    const struct moments *group = group_moments(k, image);
    for (int g = 0; g < groups; g++) {
        const struct moments m = group[g];
        const double rstd = norm_rstd(m.m2 / m.count, norm_attr(k->node)->eps);
        saved(k, image)[2 * g] = (real)m.mean;
        saved(k, image)[2 * g + 1] = (real)rstd;
        for (int c = g * size; c < (g + 1) * size; c++)
            norm_affine(m.mean, rstd, k->x[1].p[c], k->x[2].p[c], &scale[c], &shift[c]);
    }
}

static void forward(const struct call *k)
{
    team_for(k->team, image_count(k->node->x[0]), forward_image, k);
}

/* The layout of a thread's scratch in backward. */
struct backward_scratch { double *sum_g, *sum_gx; real *mean, *slope, *shift; };

static struct backward_scratch backward_scratch_of(const struct call *k)
{
    const ptrdiff_t c = k->x[0].c;
    double *sum_g = call_scratch(k);
    real *mean = (real *)(void *)(sum_g + 2 * c);
    return (struct backward_scratch){ sum_g, sum_g + c, mean, mean + c, mean + 2 * c };
}

static struct affine affine_of(const struct call *k, int image)
{
    const ptrdiff_t vector = (ptrdiff_t)image * k->y_deferred[0].ld;
    return (struct affine){ k->y_deferred[0].scale + vector, k->y_deferred[0].shift + vector, norm_attr(k->node)->act,
                            norm_attr(k->node)->slope };
}

static void image_sums(const struct call *k, int image, struct backward_scratch scratch)
{
    const struct const_view x = k->x[0];
    const struct view dy = k->dy[0];
    const struct range all = image_range(x, image);
    const struct affine f = affine_of(k, image);
    double *sum_g = sums(k, image), *sum_gx = sum_g + x.c;
    memset(sum_g, 0, 2 * (size_t)x.c * sizeof *sum_g);
    for (int i = 0; i < chunk_count(all.count, x.c); i++) {
        const struct range r = chunk_in_image(all, x.c, i);
        k->kernels->norm_sums(&f, r.count, x.c, x.p + r.first * x.ld, x.ld, dy.p + r.first * dy.ld, dy.ld, scratch.mean,
                              scratch.sum_g, scratch.sum_gx);
        for (int c = 0; c < x.c; c++) {
            sum_g[c] += scratch.sum_g[c];
            sum_gx[c] += scratch.sum_gx[c];
        }
    }
}

/* With g = dy act'(z), x^ = (x - mean) rstd, and E the mean over the m pixels and channels of a group in an image:
 *     dbeta = sum g        dgamma = sum g x^        dx = rstd (gamma g - E[gamma g] - x^ E[gamma g x^])
 * so that dx = scale g + slope (x - mean) + shift, slope = -rstd^3 E[gamma g (x - mean)], shift = -rstd E[gamma g]. */
static void group_map(const struct call *k, int image, int group, struct backward_scratch scratch)
{
    const int channels = k->x[0].c, size = channels / norm_attr(k->node)->groups;
    const double m = (double)size * image_range(k->x[0], image).count, rstd = saved(k, image)[2 * group + 1];
    const double *sum_g = sums(k, image), *sum_gx = sum_g + channels;
    double mean_g = 0, mean_gx = 0;
    for (int c = group * size; c < (group + 1) * size; c++) {
        mean_g += k->x[1].p[c] * sum_g[c] / m;
        mean_gx += k->x[1].p[c] * sum_gx[c] / m;
    }
    for (int c = group * size; c < (group + 1) * size; c++) {
        scratch.slope[c] = (real)(-rstd * rstd * rstd * mean_gx);
        scratch.shift[c] = (real)(-rstd * mean_g);
    }
}

/* dx may be dy's memory.  The second pass runs backwards, as the last chunks are still in the cache. */
static void backward_image(const void *job, int image)
{
    const struct call *k = job;
    const struct const_view x = k->x[0];
    const struct view dy = k->dy[0], dx = k->dx[0];
    const struct range all = image_range(x, image);
    const int groups = norm_attr(k->node)->groups;
    const struct backward_scratch scratch = backward_scratch_of(k);
    const struct affine f = affine_of(k, image);
    const struct norm_map map = { scratch.slope, scratch.mean, scratch.shift };
    for (int c = 0; c < x.c; c++)
        scratch.mean[c] = saved(k, image)[2 * (c / (x.c / groups))];
    image_sums(k, image, scratch);
    for (int g = 0; g < groups; g++)
        group_map(k, image, g, scratch);
    for (int i = chunk_count(all.count, x.c); dx.p && i-- > 0;) {
        const struct range r = chunk_in_image(all, x.c, i);
        k->kernels->norm_dx(&f, &map, r.count, x.c, x.p + r.first * x.ld, x.ld, dy.p + r.first * dy.ld, dy.ld,
                            k->add[0], dx.p + r.first * dx.ld, dx.ld);
    }
}

static void backward(const struct call *k)
{
    const struct node *n = k->node;
    const int channels = n->x[0].c, size = channels / norm_attr(n)->groups;
    team_for(k->team, image_count(n->x[0]), backward_image, k);
    for (int c = 0; c < channels; c++) {
        double dbeta[PARTS] = {0}, dgamma[PARTS] = {0};
        for (int i = 0; i < n->parts * level_count(&n->x[0].lv); i++) {
            const struct batch_part part = part_of(n->x[0].n, n->parts, i % n->parts);
            const int first = i / n->parts * n->x[0].n + part.image;
            for (int image = first; image < first + part.images; image++) {
                dbeta[i % n->parts] += sums(k, image)[c];
                dgamma[i % n->parts] += sums(k, image)[channels + c] * saved(k, image)[2 * (c / size) + 1];
            }
        }
        if (k->dx[1].p)
            store(&k->dx[1].p[c], k->add[1], gradient_of_parts(dgamma, n->parts));
        if (k->dx[2].p)
            store(&k->dx[2].p[c], k->add[2], gradient_of_parts(dbeta, n->parts));
    }
}

/* Vectors per image. */
static struct deferred deferred(const struct node *n)
{
    return (struct deferred){ .ld = n->y[0].c, .act = norm_attr(n)->act, .slope = norm_attr(n)->slope };
}

const struct op op_group_norm = {
    .name = "group_norm", .attr_size = sizeof(struct norm_attr), .in_min = 3, .in_max = 3, .bwd_reads_x = 1,
    .makes_deferred = deferred, .takes_levels = 1, .shape = shape, .save = save, .work = work, .scratch = scratch,
    .forward = forward, .backward = backward };
