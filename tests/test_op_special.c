/* tests/test_op_special.c -- properties that central differences do not test, in double: memory that operands share
 * with results, ties and NaN, running statistics, refused shapes. */
#include "op/ops.h"
#include "op_trial.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define MAP(N, H, W, C) { .n = N, .h = H, .w = W, .c = C }
#define VECTOR(C)       MAP(1, 1, 1, C)
#define NORM(...)       .attr.norm = { .eps = 1e-3, .momentum = 0.1, .act = ACT_SILU, __VA_ARGS__ }

static void assert_near(double got, double want, double limit)
{
    if (!(fabs(got - want) <= limit))           /* so written, NaN fails */
        fail_msg("%.15g should be %.15g", got, want);
}

static struct trial *new_trial(const struct op_case *row)
{
    struct error err = {0};
    struct trial *t = trial_new(row, 1, &err);
    if (!t)
        fail_msg("%s: %s", row->op->name, err.text);
    return t;
}

/* The gradient of a deferred value may be stored in place of its value's gradient: equal bits, set or accumulated. */
static void test_gradient_in_place(void **state)
{
    static const struct op_case rows[] = {
        { &op_norm, 0, { MAP(2, 9, 8, 130), VECTOR(130), VECTOR(130), VECTOR(130), VECTOR(130) },
          NORM(.training = true) },
        { &op_group_norm, 0, { MAP(2, 9, 8, 130), VECTOR(130), VECTOR(130) }, NORM(.groups = 13) },
        {0} };
    (void)state;
    for (const struct op_case *row = rows; row->op; row++) {
        struct trial *t = new_trial(row);
        struct buffer apart = buffer_like(t->call.x[0]);
        trial_forward(t);
        trial_backward(t, 1, false);
        buffer_copy(apart, t->dx[0]);
        t->call.dx[0] = t->call.dy[0];
        for (t->team.threads = 1; t->team.threads <= THREADS; t->team.threads += 2) {
            struct buffer dy = buffer_like(read_only(t->call.dy[0]));
            buffer_copy(dy, t->dy);
            row->op->backward(&t->call);
            assert_memory_equal(apart.p, t->dy.p, (size_t)apart.elements * sizeof(real));
            buffer_copy(t->dy, dy);
            free(dy.p);
        }
        free(apart.p);
        trial_free(t);
    }
}

/* Operands stored inside the output, with their gradients inside that of the output, must not change. */
static void test_operands_in_output(void **state)
{
    static const struct op_case rows[] = {
        { &op_concat, .x = { MAP(2, 3, 5, 4), MAP(2, 3, 5, 1), MAP(2, 3, 5, 7) } },
        { &op_stack, .x = { MAP(2, 3, 5, 4), MAP(2, 2, 1, 4), MAP(2, 1, 1, 4) } },
        {0} };
    (void)state;
    for (const struct op_case *row = rows; row->op; row++) {
        struct trial *t = new_trial(row);
        struct buffer want = buffer_like(read_only(t->call.y[0]));
        trial_forward(t);
        buffer_copy(want, t->y);
        for (int i = 0; i < 2; i++) {           /* the last operand is still elsewhere */
            struct tensor_slice slice;
            assert_true(row->op->operand_in_output(&t->node, i, &slice));
            const ptrdiff_t offset = slice.pixel * t->call.y[0].ld + slice.channel;
            t->call.x[i].p = t->call.y[0].p + offset;
            t->call.x[i].ld = t->call.y[0].ld;
            const struct const_view x = t->call.x[i];
            t->call.dx[i] = (struct view){ t->dy.p + offset, x.n, x.h, x.w, x.c, x.ld, x.lv };
            t->call.add[i] = true;
        }
        trial_forward(t);
        assert_memory_equal(want.p, t->y.p, (size_t)want.elements * sizeof(real));
        buffer_copy(want, t->dy);
        row->op->backward(&t->call);
        assert_memory_equal(want.p, t->dy.p, (size_t)want.elements * sizeof(real));
        free(want.p);
        trial_free(t);
    }
}

/* One window of 2 x 2: the first of equals wins, a NaN beats any number, minus infinity is a number like others. */
static void test_max_pool_picks(void **state)
{
    static const struct op_case row = { &op_max_pool, .x = { MAP(1, 2, 2, 1) }, .attr.pool = { 2, 2, 0 } };
    static const struct { double x[4], y; int winner; } picks[] = {
        { { 1, 2, 2, 1 }, 2, 1 }, { { 3, 3, 3, 3 }, 3, 0 }, { { -1, -2, -3, -0.5 }, -0.5, 3 },
        { { 1, NAN, 5, 2 }, NAN, 1 }, { { NAN, 1, 2, 3 }, NAN, 0 },
        { { -INFINITY, -INFINITY, -INFINITY, -INFINITY }, -INFINITY, 0 }, { { 1, INFINITY, 0, 2 }, INFINITY, 1 } };
    struct trial *t = new_trial(&row);
    (void)state;
    for (size_t i = 0; i < sizeof picks / sizeof *picks; i++) {
        for (int e = 0; e < 4; e++)
            t->x[0].p[e * t->call.x[0].ld] = (real)picks[i].x[e];
        trial_forward(t);
        trial_backward(t, 1, false);
        const double y = t->call.y[0].p[0];
        assert_true(y == picks[i].y || (isnan(y) && isnan(picks[i].y)));
        for (int e = 0; e < 4; e++) {
            const real want = e == picks[i].winner ? t->dy.p[0] : 0;
            assert_true(!(t->dx[0].p[e * t->call.x[0].ld] != want));
        }
    }
    trial_free(t);
}

/* running = 0.9 running + 0.1 batch; the variance of x = 1, 2, 3, 6 about 3 is 14 / 4 to normalise, 14 / 3 to keep. */
static void test_running_statistics(void **state)
{
    static const struct op_case row = { &op_norm, .x = { MAP(1, 2, 2, 1), VECTOR(1), VECTOR(1), VECTOR(1), VECTOR(1) },
                                        NORM(.training = true) };
    static const real x[4] = { 1, 2, 3, 6 };
    struct trial *t = new_trial(&row);
    (void)state;
    for (int e = 0; e < 4; e++)
        t->x[0].p[e * t->call.x[0].ld] = x[e];
    t->x[1].p[0] = 2;
    t->x[2].p[0] = 5;
    t->start[3].p[0] = 10;
    t->start[4].p[0] = 20;
    trial_forward(t);
    assert_near(t->call.x[3].p[0], 0.9 * 10 + 0.1 * 3, 1e-12);
    assert_near(t->call.x[4].p[0], 0.9 * 20 + 0.1 * 14 / 3, 1e-12);
    assert_near(t->call.y_deferred[0].scale[0], 2 / sqrt(14.0 / 4 + 1e-3), 1e-12);
    assert_near(t->call.y_deferred[0].shift[0], 5 - 3 * 2 / sqrt(14.0 / 4 + 1e-3), 1e-12);
    trial_free(t);
}

/* A mean far from 0, or chunks with very different means, must not destroy the precision of the variance. */
static void test_variance_with_large_mean(void **state)
{
    static const struct op_case row = { &op_norm, .x = { MAP(1, 100, 100, 2), VECTOR(2), VECTOR(2), VECTOR(2),
                                                         VECTOR(2) }, NORM(.training = true) };
    struct trial *t = new_trial(&row);
    const struct const_view x = t->call.x[0];
    (void)state;
    for (ptrdiff_t i = 0; i < pixels(x); i++) {
        t->x[0].p[i * x.ld] = (real)(1e8 + (i % 2 ? 1 : -1));
        t->x[0].p[i * x.ld + 1] = (real)(i < 5000 ? 1e6 : -1e6);
    }
    for (int i = 3; i < 5; i++)
        t->start[i].p[0] = t->start[i].p[1] = 0;
    trial_forward(t);
    const double unbiased = 10000.0 / 9999;
    assert_near(t->call.x[3].p[0], 0.1 * 1e8, 1e-5);
    assert_near(t->call.x[4].p[0], 0.1 * unbiased, 1e-7);
    assert_near(t->call.x[3].p[1], 0, 1e-7);
    assert_near(t->call.x[4].p[1] / 1e12, 0.1 * unbiased, 1e-12);
    trial_free(t);
}

static void test_refusals(void **state)
{
    static const struct op_case rows[] = {
        { &op_add, .x = { MAP(1, 2, 2, 3), MAP(1, 2, 2, 4) } },
        { &op_add, .x = { MAP(1, 2, 2, 3), MAP(1, 2, 3, 3) } },
        { &op_add, .x = { MAP(1, 4, 1, 3), { .n = 1, .h = 4, .w = 1, .c = 3, .lv = { 2, { 1, 3 }, { 1, 1 } } } } },
        { &op_mul, .x = { MAP(3, 2, 2, 3), MAP(2, 1, 1, 3) } },
        { &op_mul, .x = { MAP(2, 2, 2, 3), MAP(2, 2, 2, 2) } },
        { &op_mul, .x = { { .n = 2, .h = 4, .w = 1, .c = 3, .lv = { 2, { 1, 3 }, { 1, 1 } } }, MAP(2, 1, 1, 3) } },
        { &op_sum_taps, .x = { MAP(3, 3, 3, 2) } },
        { &op_shuffle, .x = { MAP(1, 2, 2, 3), MAP(1, 2, 2, 4) } },
        { &op_scale, .x = { MAP(1, 2, 2, 3), VECTOR(1), VECTOR(1) } },
        { &op_scale, .x = { MAP(1, 2, 2, 3), VECTOR(2) } },
        { &op_concat, .x = { MAP(1, 2, 2, 3), MAP(2, 2, 2, 3) } },
        { &op_stack, .x = { MAP(1, 2, 2, 3), MAP(1, 2, 2, 4) } },
        { &op_stack, .x = { MAP(1, 2, 2, 3), MAP(2, 2, 2, 3) } },
        { &op_channels, .x = { MAP(1, 2, 2, 3) }, .attr.channels = { 2, 2 } },
        { &op_channels, .x = { MAP(1, 2, 2, 3) }, .attr.channels = { -1, 2 } },
        { &op_channels, .x = { MAP(1, 2, 2, 3) }, .attr.channels = { 0, 4 } },
        { &op_max_pool, .x = { MAP(1, 2, 2, 3) }, .attr.pool = { 3, 1, 0 } },
        { &op_max_pool, .x = { MAP(1, 20, 20, 3) }, .attr.pool = { 17, 1, 0 } },
        { &op_max_pool, .x = { MAP(1, 9, 9, 3) }, .attr.pool = { 3, 1, 2 } },
        { &op_max_pool, .x = { MAP(1, 9, 9, 3) }, .attr.pool = { 3, 0, 1 } },
        { &op_avg_pool, .x = { MAP(1, 9, 9, 3) }, .attr.pool = { 0, 1, 0 } },
        { &op_avg_pool, .x = { MAP(1, 9, 9, 3) }, .attr.pool = { 3, 1, -1 } },
        { &op_drop_path, .x = { MAP(1, 2, 2, 3) }, .attr.drop = { 1 } },
        { &op_drop_path, .x = { MAP(1, 2, 2, 3) }, .attr.drop = { NAN } },
        { &op_norm, .x = { MAP(1, 2, 2, 3), VECTOR(3), VECTOR(3), VECTOR(2), VECTOR(3) } },
        { &op_group_norm, .x = { MAP(1, 2, 2, 3), VECTOR(3), VECTOR(3) }, NORM(.groups = 2) },
        { &op_group_norm, .x = { MAP(1, 2, 2, 3), VECTOR(3), VECTOR(3) }, NORM(.groups = 0) },
        {0} };
    (void)state;
    for (const struct op_case *row = rows; row->op; row++) {
        struct error err = {0};
        struct trial *t = trial_new(row, 1, &err);
        if (t || !err.exit || !err.text[0])
            fail_msg("row %td: %s took shapes that do not fit", row - rows, row->op->name);
    }
}

/* A folded norm has the bits of a separate one. */
static void test_norm_within_convolution(void **state)
{
    static const struct op_case rows[] = {
        { &op_conv, 0, { MAP(2, 5, 7, 20), MAP(33, 1, 1, 20), VECTOR(33), VECTOR(33), VECTOR(33), VECTOR(33) },
          .attr.conv = { .stride = 1, .groups = 1, .norm = 2, .eps = 1e-3, .act = ACT_RELU }, .dense = 2 },
        { &op_conv, 0, { MAP(2, 5, 7, 20), MAP(33, 1, 1, 20) }, .attr.conv = { .stride = 1, .groups = 1 }, .dense = 2 },
        { &op_norm, 0, { MAP(2, 5, 7, 33), VECTOR(33), VECTOR(33), VECTOR(33), VECTOR(33) },
          .attr.norm = { .eps = 1e-3, .act = ACT_RELU } } };
    struct trial *both = new_trial(&rows[0]), *conv = new_trial(&rows[1]), *norm = new_trial(&rows[2]);
    const struct view y = conv->call.y[0];
    (void)state;
    memcpy(both->call.x, conv->call.x, 2 * sizeof *conv->call.x);
    memcpy(&both->call.x[2], &norm->call.x[1], 4 * sizeof *norm->call.x);
    norm->call.x[0] = read_only(y);
    norm->call.y[0] = y;
    trial_forward(both);
    trial_forward(conv);
    trial_forward(norm);
    for (ptrdiff_t e = 0; e < pixels(y) * y.c; e++)
        assert_true(both->y.p[place(read_only(y), e)]
                    == value_at(read_only(y), norm->call.y_deferred[0], e / y.c, (int)(e % y.c)));
    trial_free(both);
    trial_free(conv);
    trial_free(norm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradient_in_place),
        cmocka_unit_test(test_operands_in_output),
        cmocka_unit_test(test_max_pool_picks),
        cmocka_unit_test(test_running_statistics),
        cmocka_unit_test(test_variance_with_large_mean),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_norm_within_convolution),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
