/* tests/test_detect_loss.c -- losses against difference quotients, and the two phases of a head's loss: gradient,
 * errors, equal bits for any number of threads, equal values for a split batch. */
#include "base/random.h"
#include "detect/box_loss.h"
#include "detect/focal.h"
#include "detect/loss.h"
#include "detect/prediction.h"
#include "tables.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const double step = 1e-6;

static void check_slope(const char *name, uint64_t seed, int i, double got, double up, double down)
{
    const double want = (up - down) / (2 * step);
    if (!(fabs(got - want) <= 1e-6 * (1 + fabs(want))))
        fail_msg("%s: slope %d is %.12g, numeric %.12g; SEED=%d", name, i, got, want, (int)seed);
}

static void test_focal(void **state)
{
    (void)state;
    static const double betas[] = { 0, 1, 1.5, 2, 3 };
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct random r = random_of(seed, 1, 0);
        const double x = random_range(&r, -8, 8), y = seed % 3 ? random_unit(&r) : 0, beta = betas[seed % 5];
        double slope;
        quality_focal(x, y, beta, &slope);
        check_slope("QFL", seed, 0, slope, quality_focal(x + step, y, beta, NULL),
                    quality_focal(x - step, y, beta, NULL));
    }
    for (double x = -1000; x <= 1000; x += 50)                          /* never infinite, never NaN */
        for (int y = 0; y <= 1; y++) {
            double slope;
            assert_true(isfinite(quality_focal(x, y, 1.5, &slope)) && isfinite(slope));
        }
}

/* Both functions of the logits of a side. */
struct side { double focal, integral, slope[17], p[17]; };

static struct side side_of(const double *x, int bins, double y)
{
    struct side s;
    table_under_test()->softmax_double(1, bins, 1, x, s.p);
    s.focal = distribution_focal(x, s.p, bins, y, s.slope);
    s.integral = integral(s.p, bins);
    return s;
}

static void test_distribution(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct random r = random_of(seed, 2, 0);
        const int bins = 2 + random_below(&r, 16);
        const double y = seed % 4 ? random_range(&r, 0, bins - 1.001) : random_below(&r, bins - 1);
        double x[17];
        for (int j = 0; j < bins; j++)
            x[j] = random_range(&r, -5, 5);
        const struct side here = side_of(x, bins, y);
        for (int j = 0; j < bins; j++) {
            const double at = x[j];
            x[j] = at + step;
            const struct side up = side_of(x, bins, y);
            x[j] = at - step;
            const struct side down = side_of(x, bins, y);
            x[j] = at;
            check_slope("DFL", seed, j, here.slope[j], up.focal, down.focal);
            check_slope("integral", seed, j, here.p[j] * (j - here.integral), up.integral, down.integral);
        }
    }
}

static void test_box_losses(void **state)
{
    (void)state;
    for (const struct box_loss *loss = box_losses; loss->name; loss++)
        for (uint64_t seed = 0; seed < 200; seed++) {
            struct random r = random_of(seed, 3, 0);
            double p[4], t[4], slope[4], unused[4];
            const double x = random_range(&r, 0, 20), y = random_range(&r, 0, 20);
            for (int i = 0; i < 4; i++) {
                p[i] = (i % 2 ? y : x) + (i < 2 ? -1 : 1) * random_range(&r, 0.5, 9);
                t[i] = 10 + (i < 2 ? -1 : 1) * random_range(&r, 0.5, 9);
            }
            loss->of(p, t, loss->eps, slope);
            for (int i = 0; i < 4; i++) {
                const double at = p[i];
                p[i] = at + step;
                const double up = loss->of(p, t, loss->eps, unused);
                p[i] = at - step;
                const double down = loss->of(p, t, loss->eps, unused);
                p[i] = at;
                check_slope(loss->name, seed, i, slope[i], up, down);
            }
        }
}

/* Known values: half of each box shared, and boxes apart. */
static void test_box_loss_values(void **state)
{
    (void)state;
    const double a[4] = { 0, 0, 2, 1 }, b[4] = { 1, 0, 3, 1 }, c[4] = { 3, 0, 4, 1 };
    double slope[4];
    const struct box_loss giou = box_losses[BOX_GIoULoss];
    assert_true(fabs(giou.of(a, b, 1e-6, slope) - (1 - 1.0 / 3)) < 1e-12);
    assert_true(fabs(giou.of(a, c, 1e-6, slope) - (1 + 0.25)) < 1e-12);
    assert_true(giou.of(a, a, 1e-6, slope) == 0);
    for (const struct box_loss *loss = box_losses; loss->name; loss++) {
        const double point[4] = { 5, 5, 5, 5 };
        assert_true(isfinite(loss->of(point, point, loss->eps, slope)));
        for (int i = 0; i < 4; i++)
            assert_true(isfinite(slope[i]));
    }
}

/* Boxes of 4 x 2 and 2 x 4: IoU 1 / 7, enclosing box 4 x 5, centres 2 apart.  The derivatives are by automatic
 * differentiation of the papers' formulas in PyTorch; torchvision's differ only for CIoU (box_loss.h). */
static void test_box_loss_references(void **state)
{
    static const double p[4] = { 0, 0, 4, 2 }, t[4] = { 1, 1, 3, 5 }, pi = 3.14159265358979323846;
    const double angle = atan(2) - atan(0.5), v = 4 / (pi * pi) * angle * angle, diou = 6.0 / 7 + 4.0 / 41;
    const struct { enum box_loss_kind kind; double value, slope[4]; } rows[] = {
        { BOX_GIoULoss, 6.0 / 7 + 6.0 / 20, { -0.095408163, 0.019183673, 0.095408163, -0.222448980 } },
        { BOX_DIoULoss, diou, { -0.001371875, -0.065801454, 0.001371875, -0.171229467 } },
        { BOX_CIoULoss, diou + v * v / (6.0 / 7 + v), { -0.016507494, -0.033341646, 0.016507494, -0.199312136 } },
        { BOX_EIoULoss, diou + 4.0 / 16 + 4.0 / 25, { -0.126371875, 0.158198546, 0.126371875, -0.331229467 } } };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double slope[4];
        const struct box_loss *loss = &box_losses[rows[i].kind];
        assert_true(fabs(loss->of(p, t, 0, slope) - rows[i].value) < 1e-12);
        for (int k = 0; k < 4; k++)
            if (!(fabs(slope[k] - rows[i].slope[k]) < 1e-9))
                fail_msg("%s: slope %d is %.9f, not %.9f", loss->name, k, slope[k], rows[i].slope[k]);
    }
}

/* ---- Whole heads: 2 images, 3 levels, 4 classes, reg_max 3; image 1 has an empty box and, if asked, no others. */

enum { IMAGES = 2, CLASSES = 4, REG_MAX = 3, CHANNELS = CLASSES + 4 * (REG_MAX + 1), ROWS_MAX = 400 };
static const int strides[] = { 8, 16, 32 };

struct batch {
    struct loss_config config;
    struct prior_grid grid;
    struct ground_truth truth[IMAGES];
    float pred[LOSS_HEADS][ROWS_MAX][CHANNELS], grad[LOSS_HEADS][ROWS_MAX][CHANNELS];
};

static const float boxes[][4] = { { 3, 5, 40, 33 }, { 20, 10, 60, 60 }, { 21, 9, 60, 61 }, { 50, 2, 53, 4 },
                                  { 30, 30, 30, 30 } };
static const int labels[] = { 0, 3, 1, 2, 2 };
static const float regions[][4] = { { 0, 40, 30, 64 } };

static struct batch *new_batch(enum loss_family family, uint64_t seed)
{
    struct batch *b = calloc(1, sizeof *b);
    struct random r = random_of(seed, 4, 0);
    assert_non_null(b);
    b->config = loss_presets[family];
    b->config.classes = CLASSES;
    b->config.reg_max = REG_MAX;
    assert_true(prior_grid_init(&b->grid, strides, 3, family == LOSS_PLUS ? 0 : 0.5, IMAGES, 62, 70, NULL));
    assert_true(IMAGES * prior_count(&b->grid) <= ROWS_MAX);
    b->truth[0] = (struct ground_truth){ .objects = 4, .box = boxes, .label = labels, .ignored = 1, .ignore = regions };
    b->truth[1] = (struct ground_truth){ .objects = 1, .box = boxes + 4, .label = labels + 4 };
    for (enum loss_head head = LOSS_MAIN; head < LOSS_HEADS; head++)
        for (int i = 0; i < ROWS_MAX * CHANNELS; i++)
            b->pred[head][i / CHANNELS][i % CHANNELS] = (float)random_range(&r, -3, i % CHANNELS < CLASSES ? 1 : 2);
    return b;
}

static struct loss start(const struct batch *b, int threads)
{
    struct loss loss;
    assert_true(loss_init(&loss, &b->config, &b->grid, &(struct team){ threads }, table_under_test(), NULL));
    return loss;
}

static bool assign(struct batch *b, struct loss *loss, bool aux, struct loss_sums *sums, struct error *err)
{
    const float *const pred[LOSS_HEADS] = { *b->pred[LOSS_MAIN], aux ? *b->pred[LOSS_AUX] : NULL };
    return loss_assign(loss, pred[aux ? LOSS_AUX : LOSS_MAIN], pred, b->truth, sums, err);
}

static struct loss_values backward(struct batch *b, struct loss *loss, enum loss_head head,
                                   const struct loss_sums *sums)
{
    memset(b->grad[head], 0xff, sizeof b->grad[head]);                  /* NaN: all of it must be set */
    return loss_gradient(loss, head, *b->pred[head], b->truth, sums, *b->grad[head]);
}

static double total(struct loss_values v)
{
    return v.qfl + v.bbox + v.dfl;
}

/* Assignment and sums held fast, every logit moved by a power of two that float holds exactly.  The weight of a box
 * follows the class logits but passes no gradient, so those are compared on qfl alone. */
static void gradient_case(enum loss_family family, enum box_loss_kind box_loss)
{
    const double h = 1.0 / 256;
    struct batch *b = new_batch(family, 5);
    b->config.box_loss = box_loss;
    struct loss loss = start(b, 1);
    struct loss_sums sums;
    double largest = 0;
    assert_true(assign(b, &loss, true, &sums, NULL));
    backward(b, &loss, LOSS_AUX, &sums);
    float want[ROWS_MAX][CHANNELS];
    memcpy(want, b->grad[LOSS_AUX], sizeof want);
    for (int row = 0; row < IMAGES * prior_count(&b->grid); row++)
        for (int c = 0; c < CHANNELS; c++) {
            float *x = &b->pred[LOSS_AUX][row][c];
            const float at = *x;
            *x = (float)(at + h);
            const double up = *x;
            const struct loss_values above = backward(b, &loss, LOSS_AUX, &sums);
            *x = (float)(at - h);
            const double width = up - *x;
            const struct loss_values below = backward(b, &loss, LOSS_AUX, &sums);
            *x = at;
            const double slope = (c < CLASSES ? above.qfl - below.qfl : total(above) - total(below)) / width;
            largest = fmax(largest, fabs(slope));
            if (!(fabs(slope - want[row][c]) <= 2e-5))
                fail_msg("row %d channel %d: %.9g, numeric %.9g", row, c, want[row][c], slope);
        }
    assert_true(largest > 0.01);
    loss_free(&loss);
    free(b);
}

static void test_gradient_plus(void **state) { (void)state; gradient_case(LOSS_PLUS, BOX_GIoULoss); }
static void test_gradient_gfl(void **state)  { (void)state; gradient_case(LOSS_GFL, BOX_GIoULoss); }

static void test_gradient_box_losses(void **state)
{
    (void)state;
    for (enum loss_family family = LOSS_PLUS; family <= LOSS_GFL; family++) {
        gradient_case(family, BOX_DIoULoss);
        gradient_case(family, BOX_CIoULoss);
        gradient_case(family, BOX_EIoULoss);
    }
}

static void test_threads(void **state)
{
    (void)state;
    for (enum loss_family family = LOSS_PLUS; family <= LOSS_GFL; family++) {
        struct batch *one = new_batch(family, 6), *many = new_batch(family, 6);
        struct loss a = start(one, 1), b = start(many, 5);
        struct loss_sums sums_a, sums_b;
        const size_t rows = (size_t)(IMAGES * prior_count(&one->grid));
        assert_true(assign(one, &a, true, &sums_a, NULL) && assign(many, &b, true, &sums_b, NULL));
        assert_memory_equal(&sums_a, &sums_b, sizeof sums_a);
        assert_true(sums_a.positives > 3);
        assert_memory_equal(a.match, b.match, rows * sizeof *a.match);
        assert_memory_equal(a.score, b.score, rows * sizeof *a.score);
        for (enum loss_head head = LOSS_MAIN; head < LOSS_HEADS; head++) {
            const struct loss_values u = backward(one, &a, head, &sums_a), v = backward(many, &b, head, &sums_b);
            assert_memory_equal(&u, &v, sizeof u);
            assert_memory_equal(one->grad[head], many->grad[head], rows * sizeof *one->grad[head]);
        }
        loss_free(&a);
        loss_free(&b);
        free(one);
        free(many);
    }
}

/* The guide decides, be it a head that is trained or not.  It has no sum of weights unless it is trained. */
static void test_guide_decides(void **state)
{
    (void)state;
    struct batch *b = new_batch(LOSS_PLUS, 7);
    struct loss loss = start(b, 2), swapped = start(b, 2);
    struct loss_sums sums;
    const size_t bytes = (size_t)(IMAGES * prior_count(&b->grid)) * sizeof *loss.match;
    assert_true(assign(b, &loss, true, &sums, NULL));
    assert_true(sums.weight[LOSS_MAIN] > 0 && sums.weight[LOSS_AUX] > 0);
    const float *const main[LOSS_HEADS] = { *b->pred[LOSS_MAIN], NULL };
    struct loss_sums alone;
    assert_true(loss_assign(&swapped, *b->pred[LOSS_AUX], main, b->truth, &alone, NULL));
    assert_true(alone.weight[LOSS_AUX] == 0 && alone.weight[LOSS_MAIN] == sums.weight[LOSS_MAIN]);
    assert_memory_equal(loss.match, swapped.match, bytes);
    assert_memory_equal(loss.score, swapped.score, bytes);
    assert_true(loss_assign(&swapped, *b->pred[LOSS_MAIN], main, b->truth, &alone, NULL));
    assert_memory_not_equal(loss.match, swapped.match, bytes);
    struct error err = {0};
    b->pred[LOSS_AUX][3][2] = NAN;
    assert_false(loss_assign(&swapped, *b->pred[LOSS_AUX], main, b->truth, &alone, &err));
    assert_string_equal(err.text, "image 0 of the batch: a prediction of the guide is not finite");
    loss_free(&loss);
    loss_free(&swapped);
    free(b);
}

/* Without objects LOSS_PLUS still trains the background, and LOSS_GFL trains nothing. */
static void test_no_objects(void **state)
{
    (void)state;
    for (enum loss_family family = LOSS_PLUS; family <= LOSS_GFL; family++) {
        struct batch *b = new_batch(family, 8);
        struct loss loss = start(b, 2);
        struct loss_sums sums;
        memset(b->truth, 0, sizeof b->truth);
        assert_true(assign(b, &loss, false, &sums, NULL));
        assert_true(sums.positives == (family == LOSS_GFL ? IMAGES : 0) && sums.weight[LOSS_MAIN] == 0);
        const struct loss_values v = backward(b, &loss, LOSS_MAIN, &sums);
        assert_true(v.bbox == 0 && v.dfl == 0 && (family == LOSS_GFL ? v.qfl == 0 : v.qfl > 0));
        for (int row = 0; row < IMAGES * prior_count(&b->grid); row++)
            for (int c = 0; c < CHANNELS; c++) {
                const float g = b->grad[LOSS_MAIN][row][c];
                assert_true(family == LOSS_GFL || c >= CLASSES ? g == 0 : g > 0);
            }
        loss_free(&loss);
        free(b);
    }
}

/* Two processes with an image each, their sums added in between, write the gradient of the batch of two. */
static void test_split_batch(void **state)
{
    (void)state;
    for (enum loss_family family = LOSS_PLUS; family <= LOSS_GFL; family++) {
        struct batch *b = new_batch(family, 9);
        struct loss whole = start(b, 2), part[IMAGES];
        struct loss_sums all, sums[IMAGES];
        struct prior_grid grid;
        const int priors = prior_count(&b->grid);
        static float rows[IMAGES][ROWS_MAX][CHANNELS], grad[ROWS_MAX][CHANNELS];
        b->truth[1] = (struct ground_truth){ .objects = 2, .box = boxes + 1, .label = labels + 1 };
        assert_true(assign(b, &whole, false, &all, NULL));
        const double want = total(backward(b, &whole, LOSS_MAIN, &all));
        double got = 0;
        assert_true(prior_grid_init(&grid, strides, 3, b->grid.offset, 1, b->grid.height, b->grid.width, NULL));
        for (int n = 0; n < IMAGES; n++) {
            for (int i = 0; i < priors; i++)
                memcpy(rows[n][i], b->pred[LOSS_MAIN][prior_row(&b->grid, n, i)], sizeof rows[n][i]);
            assert_true(loss_init(&part[n], &b->config, &grid, &(struct team){ 1 }, whole.kernels, NULL));
            const float *const pred[LOSS_HEADS] = { *rows[n], NULL };
            assert_true(loss_assign(&part[n], *rows[n], pred, &b->truth[n], &sums[n], NULL));
        }
        assert_true(sums[0].positives + sums[1].positives == all.positives);
        for (int n = 0; n < IMAGES; n++) {
            got += total(loss_gradient(&part[n], LOSS_MAIN, *rows[n], &b->truth[n], &all, *grad));
            for (int i = 0; i < priors; i++)
                assert_memory_equal(grad[i], b->grad[LOSS_MAIN][prior_row(&b->grid, n, i)], sizeof grad[i]);
            loss_free(&part[n]);
        }
        assert_true(fabs(got - want) < 1e-12 * want);
        loss_free(&whole);
        free(b);
    }
}

static void test_ignored(void **state)
{
    (void)state;
    struct batch *b = new_batch(LOSS_GFL, 10);
    b->config.atss.ignore_iof_thr = 0.2;
    struct loss loss = start(b, 1);
    struct loss_sums sums;
    int ignored = 0;
    assert_true(assign(b, &loss, false, &sums, NULL));
    backward(b, &loss, LOSS_MAIN, &sums);
    for (int row = 0; row < IMAGES * prior_count(&b->grid); row++)
        for (int c = 0; c < CHANNELS && loss.match[row] == MATCH_IGNORED; c++) {
            assert_true(b->grad[LOSS_MAIN][row][c] == 0);
            ignored++;
        }
    assert_true(ignored > 0);
    loss_free(&loss);
    free(b);
}

static void test_refusals(void **state)
{
    (void)state;
    struct batch *b = new_batch(LOSS_PLUS, 11);
    struct loss loss = start(b, 2);
    struct loss_sums sums;
    struct error err = {0};
    float *x = &b->pred[LOSS_AUX][prior_row(&b->grid, 1, prior_count(&b->grid) - 1)][CHANNELS - 1];
    const float at = *x, bad[] = { NAN, INFINITY, -INFINITY };
    for (int i = 0; i < 3; i++) {
        *x = bad[i];
        assert_false(assign(b, &loss, true, &sums, &err));
        assert_string_equal(err.text, "image 1 of the batch: a prediction is not finite");
        assert_int_equal(err.exit, 1);
        assert_true(assign(b, &loss, false, &sums, &err));              /* the main head is sound */
    }
    *x = at;
    const float box[1][4] = { { 0, 0, NAN, 9 } };
    b->truth[0].box = box;
    b->truth[0].objects = 1;
    assert_false(assign(b, &loss, true, &sums, &err));
    assert_string_equal(err.text, "image 0 of the batch: a box is not finite or its label out of range");
    b->truth[0].box = boxes;
    for (int wrong = -1; wrong <= CLASSES; wrong += CLASSES + 1) {
        b->truth[0].label = &wrong;
        assert_false(assign(b, &loss, true, &sums, &err));
    }
    b->truth[0].label = labels;
    assert_true(assign(b, &loss, true, &sums, &err));

    struct loss none;
    b->config.reg_max = REG_MAX_LIMIT + 1;
    assert_false(loss_init(&none, &b->config, &b->grid, &(struct team){ 1 }, loss.kernels, &err));
    assert_int_equal(err.exit, 2);
    b->config.reg_max = REG_MAX;
    b->config.beta = NAN;
    assert_false(loss_init(&none, &b->config, &b->grid, &(struct team){ 1 }, loss.kernels, &err));
    loss_free(&none);
    loss_free(&loss);
    free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_focal), cmocka_unit_test(test_distribution), cmocka_unit_test(test_box_losses),
        cmocka_unit_test(test_box_loss_values), cmocka_unit_test(test_box_loss_references),
        cmocka_unit_test(test_gradient_box_losses), cmocka_unit_test(test_gradient_plus),
        cmocka_unit_test(test_gradient_gfl), cmocka_unit_test(test_threads), cmocka_unit_test(test_guide_decides),
        cmocka_unit_test(test_no_objects), cmocka_unit_test(test_split_batch), cmocka_unit_test(test_ignored),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests_name("detect: losses", tests, NULL, NULL);
}
