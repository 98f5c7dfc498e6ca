/* tests/test_conv_algorithms.c -- every algorithm of the table (op/conv/conv.h) on every convolution that it can
 * compute, forward and backward, against plain sums in double; one thread against three, the same bits. */
#include "base/random.h"
#include "graph/builder.h"
#include "kernel/tables.h"
#include "op/conv/conv.h"
#include "op/policy.h"
#include "sample.h"
#include "seed.h"
#include "tables.h"
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { BATCH = 2, THREADS = 3 };

/* pad is (kernel - 1) / 2.  levels: two, the second half as large. */
static const struct conv_case { int in, out, kernel, stride, groups, h, w; bool bias, levels; } cases[] = {
    { 1, 1, 3, 1, 1, 5, 4, false, false },      { 13, 13, 3, 1, 13, 9, 11, true, false },
    { 40, 40, 5, 2, 40, 9, 12, true, false },   { 17, 17, 5, 1, 17, 8, 6, false, true },
    { 6, 4, 3, 1, 2, 5, 7, true, false },       { 5, 19, 3, 2, 1, 9, 11, true, false },
    { 58, 20, 1, 2, 1, 9, 11, false, false },   { 3, 18, 3, 1, 1, 8, 6, true, true },
    { 16, 16, 1, 1, 1, 5, 7, false, false },    { 58, 58, 1, 1, 1, 9, 11, true, false },
    { 17, 65, 1, 1, 1, 4, 150, true, true },    { 16, 20, 3, 1, 1, 9, 11, true, false },
    { 40, 33, 3, 1, 1, 10, 60, false, true },   { 17, 48, 5, 1, 1, 12, 10, true, false },
    { 32, 16, 3, 1, 1, 1, 1, true, false },     { 17, 5, 5, 1, 1, 9, 1, true, false },
    { 16, 1, 3, 1, 1, 40, 60, false, false },   { 32, 65, 3, 1, 1, 1, 1, true, false },
    { 32, 33, 3, 1, 1, 6, 10, true, true },     { 33, 32, 3, 1, 1, 7, 3, false, false },
    { 64, 32, 3, 1, 1, 50, 20, true, true },    { 2, 3, 3, 1, 1, 3, 790, true, false }, {0} };

/* ---- as the formula says, in double ---- */

struct tensors { double *y, *x, *w, *b; };      /* or their gradients; b is NULL without a bias */

struct sizes { ptrdiff_t y, x, w; };

static int level_of(const struct conv_case *c, int l, int *h, int *w)
{
    *h = l ? c->h / 2 : c->h;
    *w = l ? c->w / 2 : c->w;
    return (*h - 1) / c->stride + 1;            /* rows of y; the kernel is odd and padded by half of it */
}

static struct sizes sizes_of(const struct conv_case *c)
{
    struct sizes s = { .w = (ptrdiff_t)c->out * c->kernel * c->kernel * (c->in / c->groups) };
    for (int l = 0; l <= (int)c->levels; l++) {
        int h, w;
        const int rows = level_of(c, l, &h, &w), columns = (w - 1) / c->stride + 1;
        s.y += (ptrdiff_t)BATCH * rows * columns * c->out;
        s.x += (ptrdiff_t)BATCH * h * w * c->in;
    }
    return s;
}

/* Every product of an element of x and one of w, which adds to y.  dy NULL: forward.  Else dx, dw and db from dy. */
static void multiply(const struct conv_case *c, const struct tensors *v, const double *dy, struct tensors *d)
{
    const int k = c->kernel, group_in = c->in / c->groups, group_out = c->out / c->groups;
    ptrdiff_t y = 0, image = 0;
    for (int l = 0; l <= (int)c->levels; l++)
        for (int n = 0, h, w, rows = level_of(c, l, &h, &w); n < BATCH; n++, image += (ptrdiff_t)h * w * c->in)
            for (int i = 0; i < rows; i++)
                for (int j = 0; j <= (w - 1) / c->stride; j++)
                    for (int o = 0; o < c->out; o++, y++) {
                        if (!dy)
                            v->y[y] = v->b ? v->b[o] : 0;
                        else if (d->b)
                            d->b[o] += dy[y];
                        for (int tap = 0; tap < k * k; tap++) {
                            const int r = i * c->stride + tap / k - k / 2, s = j * c->stride + tap % k - k / 2;
                            const ptrdiff_t x = image + ((ptrdiff_t)r * w + s) * c->in + o / group_out * group_in;
                            const ptrdiff_t at = ((ptrdiff_t)o * k * k + tap) * group_in;
                            for (int e = 0; r >= 0 && r < h && s >= 0 && s < w && e < group_in; e++) {
                                if (!dy)
                                    v->y[y] += v->x[x + e] * v->w[at + e];
                                else {
                                    d->x[x + e] += dy[y] * v->w[at + e];
                                    d->w[at + e] += dy[y] * v->x[x + e];
                                }
                            }
                        }
                    }
}

/* ---- as a graph ---- */

static void fill(real *p, ptrdiff_t count, uint64_t stream)
{
    struct random random = random_of(seed(), stream, (uint64_t)count);
    for (ptrdiff_t i = 0; i < count; i++)
        p[i] = (real)random_normal(&random);
}

/* x is a parameter, so the gradients of all three are in one array. */
static void build(const struct conv_case *c, const struct policy *policy, bool training, struct graph *g,
                  struct params *params)
{
    struct error err = {0};
    struct builder b = { .graph = g, .params = params, .training = training, .policy = policy };
    const struct shape one = { BATCH, c->h, c->w, c->in, {0} };
    const struct shape two = { BATCH, c->h * c->w + c->h / 2 * (c->w / 2), 1, c->in,
                               { 2, { c->h, c->h / 2 }, { c->w, c->w / 2 } } };
    const struct shape w = { c->out, c->kernel, c->kernel, c->in / c->groups, {0} }, bias = { 1, 1, 1, c->out, {0} };
    const struct init any = { INIT_CONSTANT, 0 };
    *g = (struct graph){0};
    const value operands[] = { graph_param(&b, "x", c->levels ? two : one, 4, PARAM_TRAINED, any),
                               graph_param(&b, "weight", w, 4, PARAM_TRAINED, any),
                               graph_param(&b, "bias", bias, 1, PARAM_TRAINED, any) };
    graph_output(&b, "y", graph_node(&b, &op_conv, "conv", operands, 2 + c->bias,
                                     &(struct conv_attr){ .stride = c->stride, .pad = (c->kernel - 1) / 2,
                                                          .groups = c->groups }));
    if (!graph_build(&b, &err))
        fail_msg("%s", err.text);
}

static const char *chosen(const struct conv_case *c, const struct policy *policy, bool training)
{
    struct graph g;
    struct params params = {0};
    build(c, policy, training, &g, &params);
    const char *name = conv_attr(&g.nodes[0])->algorithm->name;
    graph_free(&g);
    params_free(&params);
    return name;
}

struct result { real *y, *gradient; };

/* Two passes; the second adds to the gradients of the first. */
static struct result run(const struct conv_case *c, const struct policy *policy, struct params *params, const real *dy)
{
    struct error err = {0};
    struct graph g;
    const struct team team = { policy->threads };
    const struct sizes size = sizes_of(c);
    struct result r = { malloc((size_t)size.y * sizeof(real)), calloc((size_t)params->trained, sizeof(real)) };
    build(c, policy, true, &g, params);
    const struct binding to = { .params = params, .values = params->value, .gradients = r.gradient, .team = &team,
                                .kernels = policy->kernels };
    if (!graph_bind(&g, &to, &err))
        fail_msg("%s", err.text);
    const value y = graph_output_named(&g, "y");
    for (int pass = 0; pass < 2; pass++) {
        graph_forward(&g, 0);
        memcpy(r.y, graph_view(&g, y).p, (size_t)size.y * sizeof(real));
        memcpy(graph_gradient(&g, y).p, dy, (size_t)size.y * sizeof(real));
        graph_backward(&g, pass > 0);
    }
    graph_free(&g);
    return r;
}

/* ---- both ---- */

struct problem {
    const struct conv_case *c;
    struct params params;
    struct sizes size;
    real *dy;
    struct tensors value, gradient;             /* as the formula says */
};

static double *numbers(const real *from, ptrdiff_t count)
{
    double *p = calloc((size_t)count, sizeof *p);
    assert_non_null(p);
    for (ptrdiff_t i = 0; from && i < count; i++)
        p[i] = (double)from[i];
    return p;
}

static real *tensor(const struct params *params, real *array, const char *name)
{
    return array + params->list[params_find(params, name)].offset;
}

static void open_problem(struct problem *p, const struct conv_case *c)
{
    struct error err = {0};
    struct graph g;
    *p = (struct problem){ .c = c, .size = sizes_of(c) };
    build(c, NULL, true, &g, &p->params);
    graph_free(&g);
    assert_true(params_layout(&p->params, NULL, 0, &err));
    fill(p->params.value, p->params.total, 1);
    p->dy = malloc((size_t)p->size.y * sizeof *p->dy);
    fill(p->dy, p->size.y, 2);
    real *start = p->params.value;
    p->value = (struct tensors){ numbers(NULL, p->size.y), numbers(tensor(&p->params, start, "x"), p->size.x),
                                 numbers(tensor(&p->params, start, "weight"), p->size.w),
                                 c->bias ? numbers(tensor(&p->params, start, "bias"), c->out) : NULL };
    p->gradient = (struct tensors){ numbers(p->dy, p->size.y), numbers(NULL, p->size.x), numbers(NULL, p->size.w),
                                    c->bias ? numbers(NULL, c->out) : NULL };
    multiply(c, &p->value, NULL, NULL);
    multiply(c, &p->value, p->gradient.y, &p->gradient);
}

static void close_problem(struct problem *p)
{
    double *all[] = { p->value.y, p->value.x, p->value.w, p->value.b,
                      p->gradient.y, p->gradient.x, p->gradient.w, p->gradient.b };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    free(p->dy);
    params_free(&p->params);
}

/* The largest difference of a / passes from b, relative to the largest element. */
static double off(const real *a, int passes, const double *b, ptrdiff_t count)
{
    double worst = 0, largest = 0;
    for (ptrdiff_t i = 0; i < count; i++) {
        worst = fmax(worst, isnan(a[i]) ? INFINITY : fabs((double)a[i] / passes - b[i]));
        largest = fmax(largest, fabs(b[i]));
    }
    return worst / largest;
}

/* True if the row can compute it; then its results are the formula's, to rounding.  Transforms magnify rounding, two
 * bf16 terms drop 2^-17 of each factor. */
static bool check(struct problem *p, const struct conv_algorithm *row, struct policy policy)
{
    const struct conv_case *c = p->c;
    policy.conv = row;
    policy.threads = 1;
    if (strcmp(chosen(c, &policy, true), row->name) != 0)
        return false;
    struct result one = run(c, &policy, &p->params, p->dy);
    policy.threads = THREADS;
    struct result many = run(c, &policy, &p->params, p->dy);
    const double limit = policy.bf16_terms == 2 ? 1e-4 : strstr(row->name, "winograd") ? 2e-5 : 5e-6;
    const double y = off(one.y, 1, p->value.y, p->size.y);
    const double x = off(tensor(&p->params, one.gradient, "x"), 2, p->gradient.x, p->size.x);
    const double w = off(tensor(&p->params, one.gradient, "weight"), 2, p->gradient.w, p->size.w);
    const double b = c->bias ? off(tensor(&p->params, one.gradient, "bias"), 2, p->gradient.b, c->out) : 0;
    if (!(y < limit && x < limit && w < limit && b < limit))
        fail_msg("%s, %d to %d channels, kernel %d, %d x %d, %d bf16 terms: y is %.1e off, dx %.1e, dw %.1e, db %.1e; "
                 "SEED=%" PRIu64, row->name, c->in, c->out, c->kernel, c->h, c->w, policy.bf16_terms, y, x, w, b,
                 seed());
    assert_memory_equal(one.y, many.y, (size_t)p->size.y * sizeof *one.y);
    assert_memory_equal(one.gradient, many.gradient, (size_t)p->params.trained * sizeof *one.gradient);
    free(one.y);
    free(one.gradient);
    free(many.y);
    free(many.gradient);
    return true;
}

/* Rows for a matrix unit run on that of the table under test, else on the plain one. */
static void test_every_row_is_the_formula(void **state)
{
    const struct kernels *table = table_under_test();
    struct kernels plain = *plain_table();
    int runs[16] = {0};
    (void)state;
    plain.amx = &amx_ref;
    for (int i = 0; cases[i].in; i++) {
        struct problem p;
        if (i % SAMPLE / 2)                             /* of four, two */
            continue;
        open_problem(&p, &cases[i]);
        for (int r = 0; conv_algorithms[r]; r++)
            if (check(&p, conv_algorithms[r], (struct policy){ .kernels = table }))
                runs[r]++;
            else
                for (int terms = 2; terms <= 3; terms++)
                    runs[r] += check(&p, conv_algorithms[r],
                                     (struct policy){ .kernels = table->amx ? table : &plain, .bf16_terms = terms });
        close_problem(&p);
    }
    for (int r = 0; conv_algorithms[r]; r++) {
        printf("%s: %d convolutions\n", conv_algorithms[r]->name, runs[r]);
        assert_true(runs[r] >= (SAMPLE > 1 ? 1 : 3));
    }
}

/* ---- the choice ---- */

static void test_choice(void **state)
{
    static const struct conv_case depthwise = { 32, 32, 3, 1, 32, 8, 8, 0, 0 }, one = { 32, 32, 1, 1, 1, 8, 8, 0, 0 },
        three = { 32, 32, 3, 1, 1, 8, 8, 0, 0 }, five = { 16, 8, 5, 1, 1, 8, 8, 0, 0 },
        few = { 15, 32, 3, 1, 1, 8, 8, 0, 0 }, stride = { 32, 32, 3, 2, 1, 8, 8, 0, 0 };
    struct kernels with_unit = *plain_table();
    const struct policy vectors = { .kernels = plain_table(), .bf16_terms = 3, .threads = 1 },
        unit = { .kernels = &with_unit, .bf16_terms = 3, .threads = 1 },
        direct = { .kernels = &with_unit, .direct = true, .bf16_terms = 3, .threads = 1 },
        dense = { .kernels = &with_unit, .conv = &conv_dense, .bf16_terms = 3, .threads = 1 },
        winograd = { .kernels = &with_unit, .conv = &conv_winograd, .bf16_terms = 3, .threads = 1 };
    const struct { const struct conv_case *c; const struct policy *policy; bool training; const char *name; } rows[] = {
        { &depthwise, &vectors, false, "depthwise" }, { &one, &vectors, false, "dense" },
        { &three, &vectors, true, "winograd" },       { &few, &vectors, true, "dense" },
        { &depthwise, &unit, false, "depthwise" },    { &one, &unit, false, "amx_1x1" },
        { &one, &unit, true, "dense" },               { &three, &unit, true, "winograd_1d" },
        { &five, &unit, true, "amx" },                { &few, &unit, true, "dense" },
        { &stride, &unit, true, "dense" },            { &three, &direct, true, "dense" },
        { &depthwise, &direct, true, "depthwise" },   { &depthwise, &dense, true, "dense" },
        { &few, &winograd, true, "winograd" },        { &stride, &winograd, true, "dense" },
        { &three, NULL, true, "winograd" } };
    (void)state;
    with_unit.amx = &amx_ref;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(chosen(rows[i].c, rows[i].policy, rows[i].training), rows[i].name);
}

static void test_names(void **state)
{
    struct policy policy;
    struct error err = {0};
    (void)state;
    for (int i = 0; conv_algorithms[i]; i++) {
        assert_true(policy_choose(&policy, "ref", conv_algorithms[i]->name, 2, &err));
        assert_true(policy.conv == conv_algorithms[i] && !policy.direct && policy.threads == 2);
    }
    assert_true(policy_choose(&policy, "ref", "direct", 1, &err) && policy.direct && !policy.conv);
    assert_true(policy_choose(&policy, "ref", "", 1, &err) && !policy.direct && !policy.conv);
    assert_true(policy_choose(&policy, NULL, NULL, 1, &err) && policy.kernels == kernels_pick(NULL, NULL));
    assert_false(policy_choose(&policy, "ref", "Winograd", 1, &err));
    assert_int_equal(err.exit, 2);
    assert_non_null(strstr(err.text, "NANODET_CONV=Winograd: there is no such algorithm; known are direct, depthwise"));
    assert_false(policy_choose(&policy, "avx1024", NULL, 1, &err));
    assert_non_null(strstr(err.text, "NANODET_ISA=avx1024"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row_is_the_formula), cmocka_unit_test(test_choice), cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
