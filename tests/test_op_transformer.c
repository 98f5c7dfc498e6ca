/* tests/test_op_transformer.c -- like test_op_gradients.c, for the layers of transformers. */
#include "graph/operands.h"
#include "op/ops.h"
#include "op_check.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static double want_layer_norm(const struct trial *t, ptrdiff_t pixel, int c)
{
    const int n = t->call.x[0].c;
    double mean = 0, var = 0;
    for (int i = 0; i < n; i++)
        mean += value_of(t, 0, pixel, i) / n;
    for (int i = 0; i < n; i++)
        var += pow(value_of(t, 0, pixel, i) - mean, 2) / n;
    return value_of(t, 1, 0, c) * (value_of(t, 0, pixel, c) - mean) / sqrt(var + norm_attr(&t->node)->eps)
         + value_of(t, 2, 0, c);
}

static double want_position(const struct trial *t, ptrdiff_t pixel, int c)
{
    return value_of(t, 0, pixel, c) + value_of(t, 1, pixel % pixels(t->call.x[1]), c);
}

/* The dropout factor of an element: 0, or 1 / (1 - rate) if it is kept.  Random numbers are those of (image, level). */
static double kept(const struct trial *t, uint64_t image, uint64_t level, ptrdiff_t place, double rate)
{
    struct random random = random_of(t->call.key, image, level);
    for (ptrdiff_t i = 0; i < place; i++)
        random_unit(&random);
    return random_unit(&random) < 1 - rate ? 1 / (1 - rate) : 0;
}

static double want_dropout(const struct trial *t, ptrdiff_t pixel, int c)
{
    const struct const_view x = t->call.x[0];
    const int image = image_of(x, pixel);
    const ptrdiff_t place = (pixel - image_range(x, image).first) * x.c + c;
    return value_of(t, 0, pixel, c)
         * kept(t, (uint64_t)(image % x.n), (uint64_t)(image / x.n), place, (double)drop_attr(&t->node)->rate);
}

/* The weight of input i in output o along an axis of n inputs and m outputs: a hat of width 1 about each centre, the
 * outermost ones prolonged. */
static double hat(int i, int n, int o, int m)
{
    const double u = fmin(fmax((o + 0.5) * n / m - 0.5, 0), n - 1);
    return fmax(0, 1 - fabs(u - i));
}

static double want_resize(const struct trial *t, ptrdiff_t pixel, int c)
{
    const struct const_view x = t->call.x[0];
    const struct view y = t->call.y[0];
    double sum = 0;
    for (int i = 0; i < x.h; i++)
        for (int j = 0; j < x.w; j++)
            sum += hat(i, x.h, (int)(pixel / y.w % y.h), y.h) * hat(j, x.w, (int)(pixel % y.w), y.w)
                 * value_of(t, 0, (pixel / (y.h * y.w) * x.h + i) * x.w + j, c);
    return sum;
}

static double want_attention(const struct trial *t, ptrdiff_t pixel, int c)
{
    const struct const_view x = t->call.x[0];
    const struct view y = t->call.y[0];
    const int heads = attention_attr(&t->node)->heads, d = y.c / heads, head = c / d;
    const ptrdiff_t n = (ptrdiff_t)x.h * x.w, image = pixel / n;
    double above = 0, below = 0;
    for (ptrdiff_t j = 0; j < n; j++) {
        double s = 0;
        for (int i = head * d; i < (head + 1) * d; i++)
            s += value_of(t, 0, pixel, i) * value_of(t, 0, image * n + j, y.c + i);
        const double p = exp(s / sqrt(d));
        below += p;
        above += p * kept(t, (uint64_t)(image * heads + head), 0, pixel % n * n + j,
                           (double)attention_attr(&t->node)->rate)
               * value_of(t, 0, image * n + j, 2 * y.c + c);
    }
    return above / below;
}

#define NORM .attr.norm = { .eps = 1e-3 }
#define LEVELS_OF(N, C) { .n = N, .h = 19, .w = 1, .c = C, .lv = { 3, { 3, 2, 1 }, { 5, 1, 2 } } }

static const struct op_case cases[] = {
    { &op_layer_norm, 1e-7, { MAP(1, 1, 1, 1), VECTOR(1), VECTOR(1) }, NORM, .want = want_layer_norm },
    { &op_layer_norm, 1e-7, { MAP(2, 3, 5, 7), VECTOR(7), VECTOR(7) }, NORM, .want = want_layer_norm },
    { &op_layer_norm, 1e-7, { LEVELS_OF(2, 3), VECTOR(3), VECTOR(3) }, NORM, .want = want_layer_norm },
    { &op_layer_norm, 1e-7, { MAP(1, 9, 8, 130), VECTOR(130), VECTOR(130) }, NORM, .want = want_layer_norm },

    { &op_position, 1e-8, { MAP(1, 1, 1, 1), MAP(1, 1, 1, 1) }, .want = want_position },
    { &op_position, 1e-8, { MAP(3, 3, 5, 7), MAP(15, 1, 1, 7) }, .want = want_position },
    { &op_position, 1e-8, { MAP(2, 9, 8, 130), MAP(1, 9, 8, 130) }, .want = want_position },

    { &op_dropout, 1e-8, { MAP(1, 1, 1, 1) }, .attr.drop = { 0 }, .want = want_dropout },
    { &op_dropout, 1e-8, { MAP(2, 3, 5, 7) }, .attr.drop = { 0.4 }, .want = want_dropout },
    { &op_dropout, 1e-8, { LEVELS_OF(2, 3) }, .attr.drop = { 0.1 }, .want = want_dropout },
    { &op_dropout, 1e-8, { MAP(1, 9, 8, 130) }, .attr.drop = { 0.7 }, .want = want_dropout },

    { &op_resize, 1e-8, { MAP(1, 1, 1, 1) }, .attr.resize = { 1, 1 }, .want = want_resize },
    { &op_resize, 1e-8, { MAP(1, 1, 1, 2) }, .attr.resize = { 3, 4 }, .want = want_resize },
    { &op_resize, 1e-8, { MAP(2, 3, 5, 7) }, .attr.resize = { 6, 10 }, .want = want_resize },
    { &op_resize, 1e-8, { MAP(2, 6, 10, 3) }, .attr.resize = { 3, 5 }, .want = want_resize },
    { &op_resize, 1e-8, { MAP(2, 7, 5, 3) }, .attr.resize = { 4, 9 }, .want = want_resize },
    { &op_resize, 1e-8, { MAP(1, 11, 8, 2) }, .attr.resize = { 3, 2 }, .want = want_resize },

    { &op_attention, 1e-7, { MAP(1, 1, 1, 3) }, .attr.attention = { 1, 0 }, .want = want_attention },
    { &op_attention, 1e-7, { MAP(2, 3, 2, 12) }, .attr.attention = { 2, 0 }, .want = want_attention },
    { &op_attention, 1e-7, { MAP(2, 2, 3, 12) }, .attr.attention = { 4, 0.3 }, .want = want_attention },
    { &op_attention, 1e-7, { MAP(1, 5, 7, 15) }, .attr.attention = { 1, 0.6 }, .want = want_attention },
    {0} };

static void test_cases(void **state)
{
    (void)state;
    assert_int_equal(check_cases(cases), 0);
}

static void test_refusals(void **state)
{
    static const struct op_case rows[] = {
        { &op_layer_norm, .x = { MAP(1, 2, 2, 3), VECTOR(3), VECTOR(2) } },
        { &op_position, .x = { MAP(2, 2, 3, 3), MAP(5, 1, 1, 3) } },
        { &op_position, .x = { MAP(2, 2, 3, 3), MAP(6, 1, 1, 4) } },
        { &op_dropout, .x = { MAP(1, 2, 2, 3) }, .attr.drop = { 1 } },
        { &op_dropout, .x = { MAP(1, 2, 2, 3) }, .attr.drop = { (real)NAN } },
        { &op_resize, .x = { MAP(1, 2, 2, 3) }, .attr.resize = { 0, 3 } },
        { &op_attention, .x = { MAP(1, 2, 2, 9) }, .attr.attention = { 2, 0 } },
        { &op_attention, .x = { MAP(1, 2, 2, 9) }, .attr.attention = { 0, 0 } },
        { &op_attention, .x = { MAP(1, 2, 2, 9) }, .attr.attention = { 3, -1 } },
        {0} };
    (void)state;
    for (const struct op_case *row = rows; row->op; row++) {
        struct error err = {0};
        if (trial_new(row, 1, &err) || !err.exit || !err.text[0])
            fail_msg("row %td: %s took what does not fit", row - rows, row->op->name);
    }
}

/* A fraction of about `rate` of the elements is dropped, other elements for another key. */
static void test_dropout_is_random(void **state)
{
    static const struct op_case row = { &op_dropout, .x = { MAP(1, 50, 50, 40) }, .attr.drop = { 0.1 } };
    struct error err = {0};
    struct trial *t = trial_new(&row, 1, &err);
    const struct const_view x = t->call.x[0];
    const struct view y = t->call.y[0];
    double dropped = 0, both = 0;
    char *first = calloc((size_t)(pixels(x) * x.c), 1);
    (void)state;
    for (t->call.key = 1; t->call.key <= 2; t->call.key++) {
        trial_forward(t);
        for (ptrdiff_t e = 0; e < pixels(x) * x.c; e++) {
            const bool zero = y.p[place(read_only(y), e)] == 0;
            dropped += zero;
            both += zero && first[e];
            first[e] = zero;
        }
    }
    const double count = (double)pixels(x) * x.c;
    assert_true(fabs(dropped / (2 * count) - 0.1) < 0.003 && fabs(both / count - 0.01) < 0.002);
    free(first);
    trial_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_dropout_is_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
