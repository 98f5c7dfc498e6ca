/* tests/test_op_gradients.c -- every layer, in double, and in float with the table under test: forward against its
 * plain definition, backward against central differences, both with 1, 2 and 3 threads.  A new layer needs a
 * definition (want_...) and rows.  Layers of transformers: test_op_transformer.c. */
#include "base/file.h"
#include "op/ops.h"
#include "op_check.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static double want_materialise(const struct trial *t, ptrdiff_t pixel, int c) { return value_of(t, 0, pixel, c); }

static double want_act(const struct trial *t, ptrdiff_t pixel, int c)
{
    return plain_act(act_attr(&t->node)->act, act_attr(&t->node)->slope, value_of(t, 0, pixel, c));
}

static double want_add(const struct trial *t, ptrdiff_t pixel, int c)
{
    return value_of(t, 0, pixel, c) + value_of(t, 1, pixel, c);
}

static double want_mul(const struct trial *t, ptrdiff_t pixel, int c)
{
    const struct const_view a = t->call.x[0], b = t->call.x[1];
    const bool a_pixel = pixels(b) == pixels(a);
    const ptrdiff_t image = b.n == a.n ? pixel / (a.h * a.w) : 0;
    return value_of(t, 0, pixel, c) * value_of(t, 1, a_pixel ? pixel : image, b.c > 1 ? c : 0);
}

static double want_scale(const struct trial *t, ptrdiff_t pixel, int c)
{
    ptrdiff_t within;
    const int level = image_and_pixel(t->call.x[0], pixel, &within) / t->call.x[0].n;
    return value_of(t, 1 + level, 0, 0) * value_of(t, 0, pixel, c);
}

static double want_drop_path(const struct trial *t, ptrdiff_t pixel, int c)
{
    const struct const_view x = t->call.x[0];
    const double keep = 1 - (double)drop_attr(&t->node)->rate;
    struct random random = random_of(t->call.key, (uint64_t)(pixel / (x.h * x.w)), 0);
    return random_unit(&random) < keep ? value_of(t, 0, pixel, c) / keep : 0;
}

static double want_shuffle(const struct trial *t, ptrdiff_t pixel, int c) { return value_of(t, c % 2, pixel, c / 2); }

static double want_concat(const struct trial *t, ptrdiff_t pixel, int c)
{
    int i = 0;
    while (c >= t->call.x[i].c)
        c -= t->call.x[i++].c;
    return value_of(t, i, pixel, c);
}

static double want_stack(const struct trial *t, ptrdiff_t pixel, int c)
{
    int i = 0;
    while (pixel >= pixels(t->call.x[i]))
        pixel -= pixels(t->call.x[i++]);
    return value_of(t, i, pixel, c);
}

static double want_channels(const struct trial *t, ptrdiff_t pixel, int c)
{
    return value_of(t, 0, pixel, channels_attr(&t->node)->from + c);
}

static double want_global_pool(const struct trial *t, ptrdiff_t image, int c)
{
    const struct const_view x = t->call.x[0];
    const ptrdiff_t size = (ptrdiff_t)x.h * x.w;
    double sum = 0;
    for (ptrdiff_t i = 0; i < size; i++)
        sum += value_of(t, 0, image * size + i, c);
    return sum / (double)size;
}

/* x[i, j] of the image of a pixel of y, or the padding value outside. */
static double neighbour(const struct trial *t, ptrdiff_t pixel, int i, int j, int c, double outside)
{
    const struct const_view x = t->call.x[0];
    const struct view y = t->call.y[0];
    const ptrdiff_t n = pixel / (y.h * y.w);
    return i < 0 || j < 0 || i >= x.h || j >= x.w ? outside : value_of(t, 0, (n * x.h + i) * x.w + j, c);
}

static double want_nearest(const struct trial *t, ptrdiff_t pixel, int c)
{
    const struct view y = t->call.y[0];
    return neighbour(t, pixel, (int)(pixel / y.w % y.h) / 2, (int)(pixel % y.w) / 2, c, NAN);
}

/* Interpolation between the pixel centres around (i + 1/2) / 2 - 1/2, as its definition says. */
static double want_upsample(const struct trial *t, ptrdiff_t pixel, int c)
{
    const struct const_view x = t->call.x[0];
    const struct view y = t->call.y[0];
    const double i = fmax(((double)(pixel / y.w % y.h) + 0.5) / 2 - 0.5, 0);
    const double j = fmax(((double)(pixel % y.w) + 0.5) / 2 - 0.5, 0);
    const int top = (int)i, low = top + 1 < x.h ? top + 1 : top;
    const int left = (int)j, right = left + 1 < x.w ? left + 1 : left;
    const double v = i - top, u = j - left;
    return (1 - v) * ((1 - u) * neighbour(t, pixel, top, left, c, 0) + u * neighbour(t, pixel, top, right, c, 0))
         + v * ((1 - u) * neighbour(t, pixel, low, left, c, 0) + u * neighbour(t, pixel, low, right, c, 0));
}

static double want_pool(const struct trial *t, ptrdiff_t pixel, int c)
{
    const struct view y = t->call.y[0];
    const struct pool_attr *pool = pool_attr(&t->node);
    const int kernel = pool->kernel, stride = pool->stride, pad = pool->pad;
    const bool largest = t->row->op == &op_max_pool;
    double best = -INFINITY, sum = 0;
    for (int u = 0; u < kernel; u++)
        for (int v = 0; v < kernel; v++) {
            const int i = (int)(pixel / y.w % y.h) * stride - pad + u, j = (int)(pixel % y.w) * stride - pad + v;
            best = fmax(best, neighbour(t, pixel, i, j, c, -INFINITY));
            sum += neighbour(t, pixel, i, j, c, 0);
        }
    return largest ? best : sum / (kernel * kernel);
}

/* Mean and variance of all pixels of channels [from, to), of one image or, with image -1, of all. */
static void plain_moments(const struct trial *t, int image, int from, int to, double *mean, double *var, double *count)
{
    const struct const_view x = t->call.x[0];
    ptrdiff_t within;
    double sum[2] = {0};
    *mean = *count = 0;
    for (int pass = 0; pass < 2; pass++) {
        *count = 0;
        for (ptrdiff_t i = 0; i < pixels(x); i++)
            for (int c = from; c < to; c++)
                if (image < 0 || image_and_pixel(x, i, &within) == image) {
                    const double d = x.p[i * x.ld + c] - *mean;
                    sum[pass] += pass ? d * d : d;
                    ++*count;
                }
        *mean = sum[0] / *count;
    }
    *var = sum[1] / *count;
}

static double normalised(const struct trial *t, ptrdiff_t pixel, int c, double mean, double var)
{
    const struct const_view x = t->call.x[0];
    const double z = (x.p[pixel * x.ld + c] - mean) / sqrt(var + norm_attr(&t->node)->eps);
    return plain_act(norm_attr(&t->node)->act, norm_attr(&t->node)->slope, z * t->call.x[1].p[c] + t->call.x[2].p[c]);
}

static double want_norm(const struct trial *t, ptrdiff_t pixel, int c)
{
    double mean = t->call.x[3].p[c], var = t->call.x[4].p[c], count;
    if (norm_attr(&t->node)->training)
        plain_moments(t, -1, c, c + 1, &mean, &var, &count);
    return normalised(t, pixel, c, mean, var);
}

static double want_group_norm(const struct trial *t, ptrdiff_t pixel, int c)
{
    const int size = t->call.x[0].c / norm_attr(&t->node)->groups, group = c / size;
    ptrdiff_t within;
    double mean, var, count;
    const int image = image_and_pixel(t->call.x[0], pixel, &within);
    plain_moments(t, image, group * size, (group + 1) * size, &mean, &var, &count);
    return normalised(t, pixel, c, mean, var);
}

static double want_conv(const struct trial *t, ptrdiff_t pixel, int o)
{
    const struct const_view weight = t->call.x[1];
    const int stride = conv_attr(&t->node)->stride, pad = conv_attr(&t->node)->pad;
    const int first = o / (weight.n / conv_attr(&t->node)->groups) * weight.c;
    double sum = t->node.in > 2 ? value_of(t, 2, 0, o) : 0;
    int level = 0;
    ptrdiff_t before = 0;                       /* pixels of x in the levels before */
    struct const_view x = const_level(t->call.x[0], 0);
    struct view y = level_view(t->call.y[0], 0);
    while (pixel >= pixels(y)) {
        pixel -= pixels(y);
        before += pixels(x);
        x = const_level(t->call.x[0], ++level);
        y = level_view(t->call.y[0], level);
    }
    for (int u = 0; u < weight.h; u++)
        for (int v = 0; v < weight.w; v++) {
            const ptrdiff_t i = pixel / y.w % y.h * stride - pad + u, j = pixel % y.w * stride - pad + v;
            for (int c = 0; c < weight.c && i >= 0 && j >= 0 && i < x.h && j < x.w; c++)
                sum += at(weight, o, u, v)[c]
                     * value_of(t, 0, before + (pixel / (y.h * y.w) * x.h + i) * x.w + j, first + c);
        }
    return sum;
}

static double want_sum_taps(const struct trial *t, ptrdiff_t pixel, int c)
{
    const struct const_view w = t->call.x[0];
    double sum = 0;
    (void)pixel;
    for (int u = 0; u < w.h; u++)
        for (int v = 0; v < w.w; v++)
            sum += at(w, c, u, v)[0];
    return sum;
}

/* Shapes, the last of three levels of 3 x 5, 2 x 1 and 1 x 2, and what all normalisations have in common. */
#define VECTORS(C)       VECTOR(C), VECTOR(C), VECTOR(C), VECTOR(C)
#define LEVELS_OF(N, C)  { .n = N, .h = 19, .w = 1, .c = C, .lv = { 3, { 3, 2, 1 }, { 5, 1, 2 } } }
#define NORM(...)        .attr.norm = { .eps = 1e-3, .momentum = 0.1, __VA_ARGS__ }
#define CONV(STRIDE, PAD, GROUPS) .attr.conv = { .stride = STRIDE, .pad = PAD, .groups = GROUPS }

static const struct op_case cases[] = {
    { &op_act, 1e-8, { MAP(1, 1, 1, 1) }, .attr.act = { ACT_NONE, 0 }, .want = want_act },
    { &op_act, 1e-8, { MAP(2, 3, 5, 7) }, .attr.act = { ACT_RELU, 0 }, .want = want_act },
    { &op_act, 1e-8, { MAP(2, 3, 5, 7) }, .attr.act = { ACT_LEAKY_RELU, 0.1 }, .want = want_act },
    { &op_act, 1e-8, { MAP(2, 3, 5, 7) }, .attr.act = { ACT_RELU6, 0 }, .want = want_act },
    { &op_act, 1e-8, { MAP(2, 3, 5, 7) }, .attr.act = { ACT_HARD_SWISH, 0 }, .want = want_act },
    { &op_act, 1e-8, { MAP(2, 3, 5, 7) }, .attr.act = { ACT_HARD_SIGMOID, 0 }, .want = want_act },
    { &op_act, 1e-8, { MAP(2, 3, 5, 7) }, .attr.act = { ACT_SILU, 0 }, .want = want_act },
    { &op_act, 1e-8, { MAP(2, 3, 5, 7) }, .attr.act = { ACT_SIGMOID, 0 }, .want = want_act },
    { &op_act, 1e-8, { MAP(2, 3, 5, 7) }, .attr.act = { ACT_MISH, 0 }, .want = want_act },
    { &op_act, 1e-8, { LEVELS_OF(2, 3) }, .attr.act = { ACT_GELU, 0 }, .want = want_act },
    { &op_act, 1e-8, { MAP(1, 2, 35, 130) }, .attr.act = { ACT_GELU, 0 }, .want = want_act },    /* two chunks */

    { &op_materialise, 1e-8, { MAP(2, 3, 5, 7) }, .want = want_materialise },
    { &op_materialise, 1e-8, { MAP(1, 1, 1, 1) }, .want = want_materialise, .deferred = 1 },
    { &op_materialise, 1e-8, { MAP(2, 3, 5, 7) }, .want = want_materialise, .deferred = 1, .act = ACT_LEAKY_RELU },
    { &op_materialise, 1e-8, { MAP(2, 3, 5, 7) }, .want = want_materialise, .deferred = 1, .act = ACT_RELU },
    { &op_materialise, 1e-8, { MAP(2, 3, 5, 7) }, .want = want_materialise, .deferred = 1, .act = ACT_RELU6 },
    { &op_materialise, 1e-8, { MAP(2, 3, 5, 7) }, .want = want_materialise, .deferred = 1, .act = ACT_HARD_SWISH },
    { &op_materialise, 1e-8, { MAP(2, 3, 5, 7) }, .want = want_materialise, .deferred = 1, .act = ACT_HARD_SIGMOID },
    { &op_materialise, 1e-8, { MAP(2, 3, 5, 7) }, .want = want_materialise, .deferred = 1, .act = ACT_SIGMOID },
    { &op_materialise, 1e-8, { MAP(2, 3, 5, 7) }, .want = want_materialise, .deferred = 1, .act = ACT_MISH },
    { &op_materialise, 1e-8, { LEVELS_OF(2, 3) }, .want = want_materialise, .deferred = 1, .act = ACT_SILU,
      .per_image = true },
    { &op_materialise, 1e-8, { MAP(3, 5, 9, 130) }, .want = want_materialise, .deferred = 1, .act = ACT_GELU,
      .per_image = true },                                              /* chunks that end within an image */

    { &op_add, 1e-8, { MAP(1, 1, 1, 1), MAP(1, 1, 1, 1) }, .want = want_add },
    { &op_add, 1e-8, { MAP(2, 3, 5, 7), MAP(2, 3, 5, 7) }, .want = want_add, .deferred = 1, .act = ACT_LEAKY_RELU },
    { &op_add, 1e-8, { MAP(2, 3, 5, 7), MAP(2, 3, 5, 7) }, .want = want_add, .deferred = 2, .act = ACT_SILU },
    { &op_add, 1e-8, { LEVELS_OF(2, 3), LEVELS_OF(2, 3) }, .want = want_add, .deferred = 3, .act = ACT_RELU,
      .per_image = true },

    { &op_mul, 1e-8, { MAP(1, 1, 1, 1), MAP(1, 1, 1, 1) }, .want = want_mul },
    { &op_mul, 1e-8, { MAP(2, 3, 5, 7), MAP(2, 3, 5, 7) }, .want = want_mul },
    { &op_mul, 1e-8, { MAP(2, 3, 5, 7), MAP(2, 1, 1, 7) }, .want = want_mul },
    { &op_mul, 1e-8, { MAP(2, 3, 5, 7), VECTOR(7) }, .want = want_mul },
    { &op_mul, 1e-8, { MAP(2, 3, 5, 7), MAP(2, 3, 5, 1) }, .want = want_mul },
    { &op_mul, 1e-8, { MAP(2, 3, 5, 1), MAP(2, 1, 1, 1) }, .want = want_mul },
    { &op_mul, 1e-8, { LEVELS_OF(2, 3), LEVELS_OF(2, 1) }, .want = want_mul },

    { &op_sum_taps, 1e-8, { MAP(1, 1, 1, 1) }, .want = want_sum_taps },
    { &op_sum_taps, 1e-8, { MAP(7, 3, 5, 1) }, .want = want_sum_taps },

    { &op_scale, 1e-8, { MAP(1, 1, 1, 1), VECTOR(1) }, .want = want_scale },
    { &op_scale, 1e-8, { MAP(2, 3, 5, 7), VECTOR(1) }, .want = want_scale },
    { &op_scale, 1e-8, { LEVELS_OF(2, 3), VECTOR(1), VECTOR(1), VECTOR(1) }, .want = want_scale },

    { &op_drop_path, 1e-8, { MAP(1, 1, 1, 1) }, .attr.drop = { 0 }, .want = want_drop_path },
    { &op_drop_path, 1e-8, { MAP(9, 3, 5, 2) }, .attr.drop = { 0.4 }, .want = want_drop_path },
    { &op_drop_path, 1e-8, { MAP(9, 3, 5, 2) }, .attr.drop = { 0.7 }, .want = want_drop_path, .deferred = 1,
      .act = ACT_SILU, .per_image = true },

    { &op_shuffle, 1e-8, { MAP(1, 1, 1, 1), MAP(1, 1, 1, 1) }, .want = want_shuffle },
    { &op_shuffle, 1e-8, { MAP(2, 3, 5, 7), MAP(2, 3, 5, 7) }, .want = want_shuffle, .deferred = 2, .act = ACT_RELU },
    { &op_shuffle, 1e-8, { MAP(2, 3, 5, 7), MAP(2, 3, 5, 7) }, .want = want_shuffle, .deferred = 3, .act = ACT_SILU },
    { &op_shuffle, 1e-8, { LEVELS_OF(2, 3), LEVELS_OF(2, 3) }, .want = want_shuffle, .deferred = 1, .act = ACT_GELU,
      .per_image = true },

    { &op_concat, 1e-8, { MAP(1, 1, 1, 1), MAP(1, 1, 1, 1) }, .want = want_concat },
    { &op_concat, 1e-8, { MAP(2, 3, 5, 7), MAP(2, 3, 5, 1), MAP(2, 3, 5, 4) }, .want = want_concat },
    { &op_concat, 1e-8, { LEVELS_OF(2, 3), LEVELS_OF(2, 2) }, .want = want_concat },
    { &op_concat, 1e-8, { MAP(1, 1, 3, 1), MAP(1, 1, 3, 2), MAP(1, 1, 3, 1), MAP(1, 1, 3, 3), MAP(1, 1, 3, 1),
      MAP(1, 1, 3, 1), MAP(1, 1, 3, 2), MAP(1, 1, 3, 1) }, .want = want_concat },

    { &op_stack, 1e-8, { MAP(1, 1, 1, 1) }, .want = want_stack },
    { &op_stack, 1e-8, { MAP(2, 3, 5, 7), MAP(2, 2, 3, 7), MAP(2, 1, 1, 7) }, .want = want_stack },
    { &op_stack, 1e-8, { MAP(1, 9, 8, 130), MAP(1, 5, 4, 130) }, .want = want_stack },

    { &op_channels, 1e-8, { MAP(2, 3, 5, 7) }, .attr.channels = { 2, 5 }, .want = want_channels, .idle = 1 },
    { &op_detach, 1e-8, { MAP(2, 3, 5, 7) }, .want = want_materialise, .idle = 1 },

    { &op_max_pool, 1e-8, { MAP(1, 1, 1, 1) }, .attr.pool = { 3, 2, 1 }, .want = want_pool },
    { &op_max_pool, 1e-8, { MAP(2, 7, 6, 5) }, .attr.pool = { 3, 2, 1 }, .want = want_pool },
    { &op_max_pool, 1e-8, { MAP(2, 7, 6, 5) }, .attr.pool = { 3, 2, 1 }, .want = want_pool, .deferred = 1,
      .act = ACT_LEAKY_RELU },
    { &op_max_pool, 1e-8, { MAP(2, 7, 6, 5) }, .attr.pool = { 3, 2, 1 }, .want = want_pool, .deferred = 1,
      .act = ACT_RELU, .per_image = true },
    { &op_max_pool, 1e-8, { MAP(1, 7, 6, 3) }, .attr.pool = { 5, 1, 2 }, .want = want_pool },
    { &op_max_pool, 1e-8, { MAP(1, 5, 8, 3) }, .attr.pool = { 2, 3, 0 }, .want = want_pool },  /* not all read */

    { &op_avg_pool, 1e-8, { MAP(1, 1, 1, 1) }, .attr.pool = { 1, 1, 0 }, .want = want_pool },
    { &op_avg_pool, 1e-8, { MAP(2, 7, 6, 5) }, .attr.pool = { 3, 2, 1 }, .want = want_pool },
    { &op_avg_pool, 1e-8, { MAP(1, 5, 8, 3) }, .attr.pool = { 2, 3, 0 }, .want = want_pool },

    { &op_global_pool, 1e-8, { MAP(1, 1, 1, 1) }, .want = want_global_pool },
    { &op_global_pool, 1e-8, { MAP(2, 3, 5, 7) }, .want = want_global_pool, .deferred = 1, .act = ACT_SILU },
    { &op_global_pool, 1e-8, { MAP(2, 9, 8, 130) }, .want = want_global_pool, .deferred = 1, .act = ACT_RELU,
      .per_image = true },

    { &op_upsample2x, 1e-8, { MAP(1, 1, 1, 1) }, .want = want_upsample },
    { &op_upsample2x, 1e-8, { MAP(2, 3, 5, 7) }, .want = want_upsample },
    { &op_upsample2x, 1e-8, { MAP(2, 1, 4, 2) }, .want = want_upsample, .deferred = 1, .act = ACT_LEAKY_RELU,
      .per_image = true },
    { &op_nearest2x, 1e-8, { MAP(1, 1, 1, 1) }, .want = want_nearest },
    { &op_nearest2x, 1e-8, { MAP(2, 3, 5, 7) }, .want = want_nearest, .deferred = 1, .act = ACT_LEAKY_RELU },

    { &op_norm, 1e-7, { MAP(2, 3, 5, 7), VECTORS(7) }, NORM(.training = true), .want = want_norm, .idle = 0x18 },
    { &op_norm, 1e-7, { MAP(2, 3, 5, 7), VECTORS(7) },
      NORM(.act = ACT_LEAKY_RELU, .slope = 0.1, .training = true), .want = want_norm, .idle = 0x18 },
    { &op_norm, 1e-7, { MAP(1, 7, 11, 130), VECTORS(130) },
      NORM(.act = ACT_RELU6, .training = true), .want = want_norm, .idle = 0x18 },    /* two chunks */
    { &op_norm, 1e-7, { LEVELS_OF(2, 3), VECTORS(3) },
      NORM(.act = ACT_SILU, .training = true), .want = want_norm, .idle = 0x18 },
    { &op_norm, 1e-7, { MAP(1, 1, 1, 1), VECTORS(1) },
      NORM(.act = ACT_SIGMOID, .training = true), .want = want_norm, .idle = 0x18 },
    { &op_norm, 1e-8, { MAP(2, 3, 5, 7), VECTORS(7) },
      NORM(.act = ACT_GELU), .want = want_norm, .idle = 0x18 },
    { &op_norm, 1e-8, { MAP(1, 1, 1, 1), VECTORS(1) }, NORM(.act = ACT_NONE), .want = want_norm, .idle = 0x18 },

    { &op_group_norm, 1e-7, { MAP(1, 1, 1, 2), VECTOR(2), VECTOR(2) }, NORM(.groups = 1), .want = want_group_norm },
    { &op_group_norm, 1e-7, { MAP(2, 3, 5, 6), VECTOR(6), VECTOR(6) }, NORM(.act = ACT_RELU, .groups = 3),
      .want = want_group_norm },
    { &op_group_norm, 1e-7, { LEVELS_OF(2, 4), VECTOR(4), VECTOR(4) }, NORM(.act = ACT_SILU, .groups = 2),
      .want = want_group_norm },
    { &op_group_norm, 1e-7, { MAP(1, 9, 8, 130), VECTOR(130), VECTOR(130) },
      NORM(.act = ACT_LEAKY_RELU, .slope = 0.1, .groups = 65), .want = want_group_norm },

    { &op_conv, 1e-8, { MAP(1, 1, 1, 1), MAP(1, 1, 1, 1) }, CONV(1, 0, 1), .want = want_conv, .dense = 6 },
    { &op_conv, 1e-8, { MAP(2, 3, 5, 7), MAP(4, 1, 1, 7), VECTOR(4) }, CONV(1, 0, 1), .want = want_conv, .dense = 6 },
    { &op_conv, 1e-8, { MAP(2, 7, 6, 3), MAP(5, 3, 3, 3) }, CONV(2, 1, 1), .want = want_conv, .dense = 6 },
    { &op_conv, 1e-8, { MAP(2, 5, 7, 3), MAP(5, 3, 3, 3), VECTOR(5) }, CONV(1, 1, 1), .want = want_conv, .dense = 6,
      .deferred = 1, .act = ACT_LEAKY_RELU },
    { &op_conv, 1e-8, { MAP(1, 5, 4, 3), MAP(2, 5, 5, 3) }, CONV(2, 2, 1), .want = want_conv, .dense = 6 },
    { &op_conv, 1e-8, { MAP(1, 2, 2, 3), MAP(2, 5, 5, 3) }, CONV(1, 2, 1), .want = want_conv, .dense = 6 },
    { &op_conv, 1e-8, { MAP(2, 5, 4, 6), MAP(4, 3, 3, 3), VECTOR(4) }, CONV(2, 1, 2), .want = want_conv, .dense = 6,
      .deferred = 1, .act = ACT_SILU, .per_image = true },
    { &op_conv, 1e-8, { MAP(1, 1, 1, 1), MAP(1, 3, 3, 1) }, CONV(1, 1, 1), .want = want_conv, .dense = 6 },
    { &op_conv, 1e-8, { MAP(2, 7, 5, 6), MAP(6, 3, 3, 1) }, CONV(1, 1, 6), .want = want_conv, .dense = 6 },
    { &op_conv, 1e-8, { MAP(2, 7, 6, 5), MAP(5, 3, 3, 1), VECTOR(5) }, CONV(2, 1, 5), .want = want_conv, .dense = 6,
      .deferred = 1, .act = ACT_LEAKY_RELU },
    { &op_conv, 1e-8, { MAP(1, 7, 9, 5), MAP(5, 5, 5, 1) }, CONV(1, 2, 5), .want = want_conv, .dense = 6 },
    { &op_conv, 1e-8, { MAP(1, 7, 9, 3), MAP(6, 3, 3, 1) }, CONV(1, 1, 3), .want = want_conv, .dense = 6 },
    { &op_conv, 1e-8, { LEVELS_OF(2, 3), MAP(4, 3, 3, 3), VECTOR(4) }, CONV(1, 1, 1), .want = want_conv, .dense = 6,
      .deferred = 1, .act = ACT_RELU, .per_image = true },
    { &op_conv, 1e-8, { LEVELS_OF(2, 3), MAP(3, 5, 5, 1) }, CONV(1, 2, 3), .want = want_conv, .dense = 6 },
    { &op_conv, 1e-8, { LEVELS_OF(2, 3), MAP(4, 1, 1, 3) }, CONV(1, 0, 1), .want = want_conv, .dense = 6 },

    /* Winograd: from 16 channels and outputs on.  One pixel, whole tiles, clipped tiles, several bands.  Its
     * transforms magnify rounding, which the difference quotients show. */
    { &op_conv, 1e-7, { MAP(1, 1, 1, 16), MAP(16, 3, 3, 16) }, CONV(1, 1, 1), .want = want_conv, .dense = 6 },
    { &op_conv, 1e-7, { MAP(1, 4, 8, 16), MAP(17, 3, 3, 16), VECTOR(17) }, CONV(1, 1, 1), .want = want_conv,
      .dense = 6 },
    { &op_conv, 1e-7, { MAP(2, 7, 5, 17), MAP(16, 3, 3, 17) }, CONV(1, 1, 1), .want = want_conv, .dense = 6,
      .deferred = 1, .act = ACT_LEAKY_RELU },
    { &op_conv, 1e-7, { LEVELS_OF(2, 16), MAP(19, 3, 3, 16), VECTOR(19) }, CONV(1, 1, 1), .want = want_conv,
      .dense = 6, .deferred = 1, .act = ACT_SILU, .per_image = true },
    { &op_conv, 1e-7, { MAP(1, 31, 33, 16), MAP(16, 3, 3, 16) }, CONV(1, 1, 1), .want = want_conv, .dense = 6,
      .deferred = 1, .act = ACT_SILU },
    { &op_conv, 1e-8, { MAP(2, 7, 5, 16), MAP(16, 3, 3, 16), VECTOR(16) }, CONV(1, 1, 1),
      .want = want_conv, .dense = 6, .direct = true },

    /* On a matrix unit, where the table under test has one: 1x1, 5x5, 1-D Winograd. */
    { &op_conv, 1e-8, { MAP(2, 7, 5, 17), MAP(20, 1, 1, 17), VECTOR(20) }, CONV(1, 0, 1), .want = want_conv, .dense = 6,
      .with_unit = true, .deferred = 1, .act = ACT_LEAKY_RELU },
    { &op_conv, 1e-8, { LEVELS_OF(2, 16), MAP(17, 5, 5, 16) }, CONV(1, 2, 1), .want = want_conv, .dense = 6,
      .with_unit = true },
    { &op_conv, 1e-7, { MAP(1, 9, 13, 32), MAP(33, 3, 3, 32), VECTOR(33) }, CONV(1, 1, 1), .want = want_conv,
      .dense = 6, .with_unit = true, .deferred = 1, .act = ACT_SILU },
    {0} };

static void test_cases(void **state)
{
    (void)state;
    assert_int_equal(check_cases(cases), 0);
}

/* A layer named in op/ops.h that no case covers is not tested. */
static void test_all_ops_have_cases(void **state)
{
    (void)state;
    FILE *file = fopen("src/op/ops.h", "r");
    char line[256], name[64], row[80];
    struct bytes here = {0}, there = {0};
    struct error err = {0};
    int found = 0;
    assert_non_null(file);
    assert_true(file_read(&here, "tests/test_op_gradients.c", &err)
                && file_read(&there, "tests/test_op_transformer.c", &err));
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "extern const struct op op_%63[a-z0-9_]", name) == 1) {
            snprintf(row, sizeof row, "{ &op_%s, 1e", name);
            if (!memmem(here.p, here.size, row, strlen(row)) && !memmem(there.p, there.size, row, strlen(row)))
                fail_msg("no case for op_%s", name);
            found++;
        }
    fclose(file);
    bytes_free(&here);
    bytes_free(&there);
    assert_true(found > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_all_ops_have_cases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
