/* tests/test_kernel_rows.c -- the kernels for rows of pixels, in float: the table under test against the plain one,
 * with channel counts around every vector length and gaps between pixels. */
#include "base/random.h"
#include "seed.h"
#include "tables.h"
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { PIXELS = 11, CHANNELS = 130, LD = 2 * CHANNELS + 3, SIZE = (ACT_KINDS + 1) / 2 * PIXELS * LD };

/* The inputs of the kernels, and the outputs of one table's kernels. */
struct inputs { float a[SIZE], b[SIZE], scale[CHANNELS], shift[CHANNELS], mean[CHANNELS]; unsigned char winner[SIZE]; };
struct outputs { float y[SIZE], z[SIZE]; unsigned char winner[SIZE]; };

static void fill(float *p, int count, double low, double high, uint64_t stream)
{
    struct random random = random_of(seed(), stream, 0);
    for (int i = 0; i < count; i++)
        p[i] = (float)random_range(&random, low, high);
}

static struct depthwise window(int c)
{
    return (struct depthwise){ .kernel = 3, .stride = 2, .pad = 1, .c = c, .h = PIXELS, .w = PIXELS, .ldx = c + 3,
                               .out_h = PIXELS / 2 + 1, .out_w = PIXELS / 2 + 1, .ldy = c + 5 };
}

static void copy_rows(const struct kernels *k, int c, bool add, const struct inputs *in, struct outputs *out)
{
    k->copy_rows(PIXELS, c, in->a, LD, add, out->y, c + 1);
}

static void shuffle_rows(const struct kernels *k, int c, bool add, const struct inputs *in, struct outputs *out)
{
    k->interleave(PIXELS, c, in->a, c + 3, in->b, c + 2, out->z, 2 * c + 1);
    k->deinterleave(PIXELS, c, in->a, LD, add, out->y, c + 3);
}

static void activations(const struct kernels *k, int c, bool add, const struct inputs *in, struct outputs *out)
{
    for (int act = ACT_NONE; act < ACT_KINDS; act++)
        for (int affine = 0; affine < 2; affine++) {
            const struct affine f = { affine ? in->scale : NULL, affine ? in->shift : NULL, (enum act)act, 0.1f };
            k->activate(&f, 1, c, in->a + act * LD / 2, LD, out->z + (2 * act + affine) * LD / 2, LD);
            k->activate_grad(&f, 1, c, in->a + act * LD / 2, LD, in->b, LD, add, out->y + (2 * act + affine) * LD / 2,
                             LD);
        }
}

static void keep(const double *a, const double *b, int c, float *to)
{
    for (int i = 0; i < c; i++) {
        to[i] = (float)a[i];
        to[c + i] = (float)b[i];
    }
}

static void normalisation(const struct kernels *k, int c, bool add, const struct inputs *in, struct outputs *out)
{
    const struct norm_map map = { in->shift, in->mean, in->shift };
    double mean[CHANNELS], m2[CHANNELS];
    k->moments(PIXELS, c, in->a, c + 3, mean, m2);
    keep(mean, m2, c, out->z);
    for (int act = ACT_NONE; act < ACT_KINDS; act++) {
        const struct affine f = { in->scale, in->shift, (enum act)act, 0.1f };
        float *dx = out->y + act * PIXELS * (c + 1);
        k->norm_sums(&f, PIXELS, c, in->a, c + 3, in->b, c + 2, in->mean, mean, m2);
        keep(mean, m2, c, out->z + (2 * act + 2) * c);
        k->norm_dx(&f, &map, PIXELS, c, in->a, c + 3, in->b, c + 2, add, dx, c + 1);
    }
}

/* With winners and without. */
static void max_pool(const struct kernels *k, int c, bool add, const struct inputs *in, struct outputs *out)
{
    const struct depthwise g = window(c);
    for (int i = 0; i < g.out_h; i++)
        k->max_pool_row(&g, i, in->a, 0, out->z + i * g.out_w * g.ldy, add ? NULL : out->winner + i * g.out_w * c);
    for (int r = 0; r < g.h; r++)
        k->max_pool_dx_row(&g, r, in->b, in->winner, add, out->y + r * g.w * g.ldx);
}

static void upsample(const struct kernels *k, int c, bool add, const struct inputs *in, struct outputs *out)
{
    k->upsample_row(PIXELS, c, in->a, in->b, c + 3, out->z, c + 2);
    k->upsample_dx_row(3, c, in->a, in->a + LD, in->b, in->b + LD, c + 1, add, out->y, c + 4);
}

/* Logits from -40 to 40, so that some probabilities are 0 and 1. */
static void focal(const struct kernels *k, int c, bool add, const struct inputs *in, struct outputs *out)
{
    float logit[CHANNELS];
    for (int i = 0; i < c; i++)
        logit[i] = (add ? 5 : 1) * in->a[i];
    out->z[0] = k->focal(c, logit, 0.5f, out->y);
    out->z[1] = k->focal(c, logit, 0.5f, NULL);
}

/* Some far apart, so that some probabilities are 0. */
static void softmax(const struct kernels *k, int c, bool add, const struct inputs *in, struct outputs *out)
{
    double x[3 * CHANNELS] = {0}, p[3 * CHANNELS];
    for (int i = 0; i < 3 * c; i++)
        x[i] = (add ? 100 : 1) * in->a[i];
    k->softmax_double(3, c, 0.7, x, p);
    for (int i = 0; i < 3 * c; i++)
        out->y[i] = (float)p[i];
    for (int i = 0; i < 3 * c; i++)
        out->z[i] = (float)x[i];
    k->softmax(3, c, 0.7f, out->z, out->z);
}

static void all_finite(const struct kernels *k, int c, bool add, const struct inputs *in, struct outputs *out)
{
    float x[CHANNELS];
    for (int i = 0; i < c; i++) {
        memcpy(x, in->a, sizeof x);
        x[i] = add ? i % 2 ? NAN : -INFINITY : -FLT_MAX;
        out->z[i] = k->finite(c, x);
        out->y[i] = k->largest(c - i, in->a + i);
    }
}

/* c boxes and others without coordinates; edges are multiples of 1/2, so that some touch.  A third are in the list. */
static void ious(const struct kernels *k, int c, bool add, const struct inputs *in, struct outputs *out)
{
    enum { PARTS = (CHANNELS + BOX_BLOCK - 1) / BOX_BLOCK };
    static struct boxes part[PARTS], hull;
    int list[CHANNELS];
    for (int i = 0; i < PARTS * BOX_BLOCK; i++) {
        struct boxes *b = &part[i / BOX_BLOCK];
        float *const edge[4] = { b->x1, b->y1, b->x2, b->y2 };
        for (int j = 0; j < 4; j++)
            edge[j][i % BOX_BLOCK] = (i < c ? roundf(2 * in->a[4 * i + j]) / 2 : -9) + (j < 2 ? 0 : 4);
        b->area[i % BOX_BLOCK] = 16;
        b->factor[i % BOX_BLOCK] = i < c ? 1 + in->b[i] * in->b[i] : INFINITY;
    }
    for (int i = 0; i < BOX_BLOCK; i++) {
        hull.x1[i] = hull.y1[i] = add && i == 1 ? 90 : -10;
        hull.x2[i] = hull.y2[i] = 99;
        hull.factor[i] = i < PARTS ? 1 : INFINITY;
    }
    out->y[0] = k->iou_with_box(PARTS, part, &hull, (const float[4]){ -2, -1, add ? -2 : 2, 0.5f }, 5);
    for (int i = 0; i < PARTS; i++)
        memcpy(out->z + i * BOX_BLOCK, part[i].iou, sizeof part[i].iou);
    memcpy(out->z + PARTS * BOX_BLOCK, hull.iou, sizeof hull.iou);
    const int count = k->list_iou_above(PARTS, part, &hull, 0.1f, add ? -1 : 0.02f, list);
    out->y[1] = (float)count;
    for (int i = 0; i < count; i++)
        out->y[2 + i] = (float)list[i];
}

/* c pairs, logits as for the focal loss.  With `add`, some overlaps are too close to the threshold to decide. */
static void pair_costs(const struct kernels *k, int c, bool add, const struct inputs *in, struct outputs *out)
{
    static struct focal_terms pairs;
    int list[CHANNELS];
    for (int i = 0; i < c; i++) {
        pairs.x[i] = (add ? 5 : 1) * in->a[i];
        pairs.u[i] = i % 4 == 0 ? 0 : fabsf(in->b[i]) / 8;
        pairs.u_error[i] = add && i % 5 == 0 ? INFINITY : 1e-6f * (float)(i % 4);
        pairs.rest[i] = 50 + in->a[c + i];
    }
    const float most = k->bound_focal_terms(3, c, &pairs, 5);
    out->z[0] = isinf(most) ? -1 : most;
    for (int i = 0; i < c; i++)
        out->z[1 + i] = isinf(pairs.low[i]) ? -1 : pairs.low[i];
    const int count = k->list_low_terms(c, &pairs, 55, list);
    out->y[0] = (float)count;
    for (int i = 0; i < count; i++)
        out->y[1 + i] = (float)list[i];
}

static void steps(const struct kernels *k, int c, bool add, const struct inputs *in, struct outputs *out)
{
    const struct adam adam = { .clip = 0.5f, .decay = add, .beta1 = 0.9f, .rest1 = 0.1f, .beta2 = 0.75f, .rest2 = 0.25f,
                               .keep = 0.99f, .rate = 0.3f, .root = 2, .eps = 0.01f };
    const struct sgd sgd = { .clip = 0.5f, .decay = add, .momentum = 0.9f, .rate = 0.3f };
    float *m = out->y, *v = out->y + LD, *p = out->y + 2 * LD;
    for (int i = 0; i < c; i++)
        v[i] = fabsf(v[i]);
    k->adam(&adam, c, in->a, m, v, p);
    k->sgd(&sgd, c, in->b, out->z, out->z + LD);
    k->ema_update(c, 0.25f, in->a + LD, out->z + 2 * LD);
    out->z[3 * LD] = (float)k->sum_of_squares(c, in->a);
}

static const struct kernel_case {
    const char *name;
    void (*run)(const struct kernels *, int c, bool add, const struct inputs *, struct outputs *);
} cases[] = {
    { "copy_rows", copy_rows },
    { "interleave, deinterleave", shuffle_rows },
    { "activate, activate_grad", activations },
    { "moments, norm_sums, norm_dx", normalisation },
    { "max_pool_row, max_pool_dx_row", max_pool },
    { "upsample_row, upsample_dx_row", upsample },
    { "focal", focal },
    { "softmax, softmax_double", softmax },
    { "finite, largest", all_finite },
    { "iou_with_box, list_iou_above", ious },
    { "bound_focal_terms, list_low_terms", pair_costs },
    { "sum_of_squares, adam, sgd, ema_update", steps },
    {0} };

static bool same(const float *got, const float *want, const char *isa, const char *name, int c, bool add)
{
    for (int i = 0; i < SIZE; i++)
        if (!(fabsf(got[i] - want[i]) <= 1e-5f * (1 + fabsf(want[i])))) {       /* so written, NaN fails */
            printf("FAIL %s: %s, c %d, add %d: [%d] is %.9g, should be %.9g; SEED=%" PRIu64 "\n", isa, name, c, add, i,
                   (double)got[i], (double)want[i], seed());
            return false;
        }
    return true;
}

static bool check(const struct kernel_case *row, const struct kernels *k, int c, bool add, const struct inputs *in)
{
    static struct outputs got, want;
    fill(want.y, SIZE, -1, 1, 7);
    fill(want.z, SIZE, -1, 1, 8);
    memset(want.winner, 0, sizeof want.winner);
    got = want;
    row->run(plain_table(), c, add, in, &want);
    row->run(k, c, add, in, &got);
    return same(got.y, want.y, k->name, row->name, c, add) && same(got.z, want.z, k->name, row->name, c, add)
        && memcmp(got.winner, want.winner, sizeof got.winner) == 0;
}

static void test_rows(void **state)
{
    static const int channels[] = { 1, 3, 4, 7, 8, 15, 16, 17, 24, 31, 33, 64, 65, CHANNELS };
    static struct inputs in;
    const struct kernels *k = table_under_test();
    int failed = 0;
    (void)state;
    if (plain_is_under_test())
        skip();
    fill(in.a, SIZE, -8, 8, 1);
    fill(in.b, SIZE, -8, 8, 2);
    fill(in.scale, CHANNELS, 0.5, 2, 3);
    fill(in.shift, CHANNELS, -1, 1, 4);
    fill(in.mean, CHANNELS, -1, 1, 5);
    for (int i = 0; i < SIZE; i++)
        in.winner[i] = (unsigned char)(i * 7 % 9);
    for (const struct kernel_case *row = cases; row->name; row++)
        for (size_t c = 0; c < sizeof channels / sizeof *channels; c++)
            failed += !check(row, k, channels[c], false, &in) || !check(row, k, channels[c], true, &in);
    assert_int_equal(failed, 0);
}

/* Far from zero an activation is 0, z or a limit of at most 6, and its derivative 0 or 1. */
static void test_large_arguments(void **state)
{
    enum { COUNT = 64 };
    const struct kernels *k = table_under_test();
    float z[COUNT], ones[COUNT], y[COUNT], dy[COUNT];
    (void)state;
    for (int i = 0; i < COUNT; i++) {
        z[i] = (i % 2 ? -1 : 1) * ldexpf(100, i / 2);
        ones[i] = 1;
    }
    for (int act = ACT_NONE; act < ACT_KINDS; act++) {
        const struct affine f = { .act = (enum act)act };
        k->activate(&f, 1, COUNT, z, COUNT, y, COUNT);
        k->activate_grad(&f, 1, COUNT, z, COUNT, ones, COUNT, false, dy, COUNT);
        for (int i = 0; i < COUNT; i++)
            if ((y[i] != z[i] && !(fabsf(y[i]) <= 6)) || !(fabsf(dy[i]) < 1e-6f || fabsf(dy[i] - 1) < 1e-6f))
                fail_msg("%s: activation %d of %g is %g, its derivative %g", k->name, act, (double)z[i], (double)y[i],
                         (double)dy[i]);
    }
}

/* The moments of a float's numbers are those of exact arithmetic, also with a large mean, and for equal numbers. */
static void test_exact_moments(void **state)
{
    enum { ROWS = 1000, C = 19 };
    static float x[ROWS * C];
    long double mean[C] = {0}, m2[C] = {0};
    const struct kernels *k = table_under_test();
    double got[C], got_m2[C];
    (void)state;
    fill(x, ROWS * C, 99, 101, 9);
    for (int i = 0; i < ROWS * C; i++)
        x[i] = i % C % 4 ? x[i] : 81234.567f;
    for (int i = 0; i < ROWS * C; i++)
        mean[i % C] += x[i] / (long double)ROWS;
    for (int i = 0; i < ROWS * C; i++)
        m2[i % C] += (x[i] - mean[i % C]) * (x[i] - mean[i % C]);
    k->moments(ROWS, C, x, C, got, got_m2);
    for (int c = 0; c < C; c++)
        if (!(fabsl(got[c] - mean[c]) <= 1e-12L * mean[c] && fabsl(got_m2[c] - m2[c]) <= 1e-9L * m2[c] + 1e-20L
              && got_m2[c] >= 0))
            fail_msg("%s: channel %d: %.17g %.17g, should be %.17Lg %.17Lg; SEED=%" PRIu64, k->name, c, got[c],
                     got_m2[c], mean[c], m2[c], seed());
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows), cmocka_unit_test(test_large_arguments),
                                        cmocka_unit_test(test_exact_moments) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
