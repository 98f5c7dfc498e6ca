/* tests/test_distill.c -- the distillation losses: values, difference quotients, what they leave out, equal bits for
 * any number of threads. */
#include "base/random.h"
#include "detect/distill.h"
#include "detect/focal.h"
#include "detect/prediction.h"
#include "tables.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { IMAGES = 2, CLASSES = 4, REG_MAX = 3, CHANNELS = CLASSES + 4 * (REG_MAX + 1), ROWS_MAX = 400 };
static const int strides[] = { 8, 16, 32 };
static const float boxes[][4] = { { 3, 5, 40, 33 }, { 20, 10, 60, 60 }, { 21, 9, 60, 61 } };
static const int labels[] = { 0, 3, 1 };

struct batch {
    struct prior_grid grid;
    struct ground_truth truth[IMAGES];
    struct loss loss;
    struct loss_sums sums;
    float pred[ROWS_MAX][CHANNELS], teacher[ROWS_MAX][CHANNELS], grad[ROWS_MAX][CHANNELS];
    bool has_class[CLASSES];
    struct distill_config config;
};

static int rows(const struct batch *b) { return IMAGES * prior_count(&b->grid); }

/* Two images, three levels; assigned by the predictions themselves.  The teacher lacks class 2. */
static struct batch *new_batch(int threads, double localization, double classification)
{
    struct batch *b = calloc(1, sizeof *b);
    struct random r = random_of(11, 4, 0);
    struct loss_config config = loss_presets[LOSS_PLUS];
    assert_non_null(b);
    config.classes = CLASSES;
    config.reg_max = REG_MAX;
    assert_true(prior_grid_init(&b->grid, strides, 3, 0, IMAGES, 62, 70, NULL));
    assert_true(rows(b) <= ROWS_MAX);
    assert_true(loss_init(&b->loss, &config, &b->grid, &(struct team){ threads }, table_under_test(), NULL));
    b->truth[0] = (struct ground_truth){ .objects = 3, .box = boxes, .label = labels };
    b->truth[1] = (struct ground_truth){ .objects = 2, .box = boxes + 1, .label = labels + 1 };
    for (int i = 0; i < ROWS_MAX * CHANNELS; i++) {
        b->pred[i / CHANNELS][i % CHANNELS] = (float)random_range(&r, -3, i % CHANNELS < CLASSES ? 1 : 2);
        b->teacher[i / CHANNELS][i % CHANNELS] = (float)random_range(&r, -3, i % CHANNELS < CLASSES ? 1 : 2);
    }
    for (int c = 0; c < CLASSES; c++)
        b->has_class[c] = c != 2;
    b->config = (struct distill_config){ localization, classification, 2, b->has_class };
    assert_true(loss_assign(&b->loss, *b->pred, (const float *[]){ *b->pred, NULL }, b->truth, &b->sums, NULL));
    assert_true(b->sums.positives > 3);
    return b;
}

static void free_batch(struct batch *b)
{
    loss_free(&b->loss);
    free(b);
}

/* The distillation alone: its gradient is added to 0. */
static struct distill_values distil(struct batch *b)
{
    memset(b->grad, 0, sizeof b->grad);
    return distill_gradient(&b->loss, &b->config, LOSS_MAIN, *b->pred, *b->teacher, &b->sums, *b->grad);
}

/* Two bins with temperature 1 are one class whose logit is the difference. */
static void test_values(void **state)
{
    const double p = 0.75, q = 0.4, kl = p * log(p / q) + (1 - p) * log((1 - p) / (1 - q));
    const float student[2] = { 0.3f, 0.3f + (float)log(q / (1 - q)) };
    const float teacher[2] = { -2, -2 + (float)log(p / (1 - p)) };
    double slope[2];
    (void)state;
    assert_true(fabs(class_divergence(log(q / (1 - q)), log(p / (1 - p)), 1, slope) - kl) < 1e-12);
    assert_true(fabs(slope[0] - (q - p)) < 1e-12);
    assert_true(fabs(distance_divergence(table_under_test(), student, teacher, 2, 1, slope) - kl) < 1e-6);
    assert_true(fabs(slope[1] - (q - p)) < 1e-6 && fabs(slope[0] + slope[1]) < 1e-12);
    assert_true(fabs(class_divergence(5 * log(q / (1 - q)), 5 * log(p / (1 - p)), 5, slope) - 25 * kl) < 1e-10);
    assert_true(fabs(distance_divergence(table_under_test(), teacher, teacher, 2, 3, slope)) < 1e-15);
}

/* Extreme logits give finite values: float's largest differ by more than exp can tell. */
static void test_extremes(void **state)
{
    const float low[3] = { -3e38f, 0, 3e38f }, high[3] = { 3e38f, 0, -3e38f };
    double slope[3];
    (void)state;
    assert_true(isfinite(distance_divergence(table_under_test(), low, high, 3, 0.1, slope)));
    assert_true(isfinite(slope[0]) && isfinite(slope[1]) && isfinite(slope[2]));
    assert_true(isfinite(class_divergence(3e38, -3e38, 0.1, slope)) && isfinite(*slope));
}

/* The assignment, the weights of the boxes and the normalisers are constants: every logit moves the loss alone. */
static void gradient_case(double localization, double classification)
{
    const double h = 1.0 / 256;
    struct batch *b = new_batch(1, localization, classification);
    double largest = 0;
    float want[ROWS_MAX][CHANNELS];
    distil(b);
    memcpy(want, b->grad, sizeof want);
    for (int row = 0; row < rows(b); row++)
        for (int c = localization > 0 ? CLASSES : 0; c < CHANNELS; c++) {
            float *x = &b->pred[row][c];
            const float at = *x;
            *x = (float)(at + h);
            const double up = *x;
            const struct distill_values above = distil(b);
            *x = (float)(at - h);
            const double width = up - *x;
            const struct distill_values below = distil(b);
            *x = at;
            const double slope = (above.localization + above.classification - below.localization
                                  - below.classification) / width;
            largest = fmax(largest, fabs(slope));
            if (!(fabs(slope - want[row][c]) <= 2e-6))
                fail_msg("row %d channel %d: %.9g, numeric %.9g", row, c, want[row][c], slope);
        }
    assert_true(largest > 0.01);
    free_batch(b);
}

static void test_gradients(void **state)
{
    (void)state;
    gradient_case(0, 1.5);
    gradient_case(0.7, 0);
    gradient_case(0.7, 1.5);
}

/* Rows without an object, classes that the teacher lacks, and a loss of weight 0 get nothing. */
static void test_left_out(void **state)
{
    struct batch *b = new_batch(2, 1, 1);
    int positives = 0;
    (void)state;
    const struct distill_values both = distil(b);
    assert_true(both.localization > 0 && both.classification > 0);
    for (int row = 0; row < rows(b); row++) {
        const bool positive = b->loss.match[row] >= 0;
        positives += positive;
        for (int c = 0; c < CHANNELS; c++)
            assert_true((b->grad[row][c] != 0) == (positive && c != 2));
        b->teacher[row][2] = NAN;                               /* it is not read */
    }
    assert_true(positives == b->sums.positives);
    assert_true(distil(b).classification == both.classification);
    b->config.localization = 0;
    assert_true(distil(b).localization == 0 && b->grad[0][CLASSES] == 0);
    b->config = (struct distill_config){ 1, 0, 2, NULL };       /* without classes there is no table of them */
    assert_true(distil(b).localization == both.localization);
    free_batch(b);
}

/* The gradient is added to that of the head's own losses. */
static void test_adds(void **state)
{
    struct batch *b = new_batch(1, 1, 1);
    float own[ROWS_MAX][CHANNELS], extra[ROWS_MAX][CHANNELS];
    (void)state;
    distil(b);
    memcpy(extra, b->grad, sizeof extra);
    loss_gradient(&b->loss, LOSS_MAIN, *b->pred, b->truth, &b->sums, *b->grad);
    memcpy(own, b->grad, sizeof own);
    distill_gradient(&b->loss, &b->config, LOSS_MAIN, *b->pred, *b->teacher, &b->sums, *b->grad);
    for (int row = 0; row < rows(b); row++)
        for (int c = 0; c < CHANNELS; c++) {
            const double mine = own[row][c];
            assert_true(fabs(b->grad[row][c] - mine - extra[row][c]) <= 1e-7 * (1 + fabs(mine)));
        }
    free_batch(b);
}

static void test_threads(void **state)
{
    struct batch *one = new_batch(1, 0.5, 2), *many = new_batch(5, 0.5, 2);
    (void)state;
    const struct distill_values a = distil(one), c = distil(many);
    assert_memory_equal(&a, &c, sizeof a);
    assert_memory_equal(one->grad, many->grad, sizeof one->grad);
    free_batch(one);
    free_batch(many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values), cmocka_unit_test(test_extremes), cmocka_unit_test(test_gradients),
        cmocka_unit_test(test_left_out), cmocka_unit_test(test_adds), cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
