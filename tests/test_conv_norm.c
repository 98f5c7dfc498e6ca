/* tests/test_conv_norm.c -- a convolution and the norm behind it, for each algorithm: norm and activation applied
 * by the convolution (conv_attr.norm) against three separate layers, and a norm fused in training against a
 * separate one, with equal bits. */
#include "base/random.h"
#include "kernel/tables.h"
#include "model/blocks.h"
#include "op/ops.h"
#include "op/policy.h"
#include "seed.h"
#include "tables.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { BATCH = 2, WIDER = 3 };                  /* channels that the input has before and behind those that are read */

struct conv_case { const char *name; int in, h, w; struct conv conv; enum act act; bool levels; int bf16_terms; };

/* The input, one level or two: channels of what is wider, so that its pixels lie apart. */
static value input(struct builder *b, const struct conv_case *row)
{
    const value wide = graph_input(b, (struct shape){ BATCH, row->h, row->w, WIDER + row->in + WIDER, {0} });
    const value x = channels(b, wide, WIDER, WIDER + row->in);
    return row->levels ? stack(b, (value[]){ x, max_pool(b, x, 3, 2, 1) }, 2) : x;
}

/* The convolution twice, into the slots of a concat, so that the output's ld exceeds its channels. */
static void build(const struct conv_case *row, const struct kernels *kernels, bool fold_norm, struct graph *g,
                  struct params *params)
{
    struct error err = {0};
    const struct policy policy = { kernels, .bf16_terms = row->bf16_terms };
    struct builder b = { .graph = g, .params = params, .fold_norm = fold_norm, .policy = &policy };
    *g = (struct graph){0};
    value y = conv_norm(&b, "conv", 0, input(&b, row), row->conv);
    if (!fold_norm)
        y = graph_node(&b, &op_materialise, "norm", &y, 1, NULL);
    y = activate(&b, y, row->act);
    graph_output(&b, "y", concat(&b, y, y));
    if (!graph_build(&b, &err))
        fail_msg("%s: %s", row->name, err.text);
}

static void fill(real *p, ptrdiff_t count, uint64_t stream)
{
    struct random random = random_of(seed(), stream, (uint64_t)count);
    for (ptrdiff_t i = 0; i < count; i++)
        p[i] = (real)random_range(&random, -1, 1);
}

/* Random ones, variances not negative. */
static void start_values(struct params *params)
{
    fill(params->value, params->total, 1);
    for (int i = 0; i < params->count; i++)
        for (ptrdiff_t k = 0; strstr(params->list[i].name, "running_var") && k < params->list[i].count; k++)
            params->value[params->list[i].offset + k] += 1;
}

static void start(const struct conv_case *row, struct params *params)
{
    struct error err = {0};
    struct graph g;
    *params = (struct params){0};
    build(row, NULL, false, &g, params);
    graph_free(&g);
    if (!params_layout(params, NULL, 0, &err))
        fail_msg("%s", err.text);
    start_values(params);
}

struct output { real *p; size_t numbers; };

/* Two pixels of the input are not finite. */
static struct output run(const struct conv_case *row, const struct kernels *kernels, struct params *params,
                         bool fold_norm, int threads)
{
    struct error err = {0};
    struct graph g;
    const struct team team = { threads };
    const struct binding to = { .params = params, .values = params->value, .team = &team, .kernels = kernels };
    build(row, kernels, fold_norm, &g, params);
    int norms = 0;
    for (int i = 0; i < g.node_count; i++)
        norms += g.nodes[i].op == &op_norm || g.nodes[i].op == &op_act;
    assert_int_equal(norms, fold_norm ? 0 : 1 + (row->act != ACT_NONE));
    if (!graph_bind(&g, &to, &err))
        fail_msg("%s", err.text);
    const struct view x = graph_view(&g, 0), y = graph_view(&g, graph_output_named(&g, "y"));
    fill(x.p, pixels(x) * x.c, 2);
    at(x, 0, row->h / 2, row->w - 1)[WIDER] = (real)NAN;
    at(x, BATCH - 1, 0, 0)[WIDER + row->in - 1] = (real)-INFINITY;
    graph_forward(&g, 0);
    struct output out = { NULL, (size_t)pixels(y) * (size_t)y.c };
    out.p = malloc(out.numbers * sizeof *out.p);
    assert_non_null(out.p);
    memcpy(out.p, y.p, out.numbers * sizeof *out.p);
    graph_free(&g);
    return out;
}

/* The same bits, or both a NaN; how many NaNs there are. */
static size_t compare(const struct conv_case *row, const char *what, struct output got, struct output want)
{
    size_t nans = 0;
    assert_int_equal(got.numbers, want.numbers);
    for (size_t i = 0; i < want.numbers; i++) {
        nans += isnan(want.p[i]) != 0;
        if (memcmp(&got.p[i], &want.p[i], sizeof *got.p) != 0 && !(isnan(got.p[i]) && isnan(want.p[i])))
            fail_msg("%s, %s: number %zu is %.9g, should be %.9g; SEED=%" PRIu64, row->name, what, i, got.p[i],
                     want.p[i], seed());
    }
    return nans;
}

static void check(const struct conv_case *row, const struct kernels *kernels)
{
    struct params params;
    start(row, &params);
    struct output apart = run(row, kernels, &params, false, 1), one = run(row, kernels, &params, true, 1),
                  three = run(row, kernels, &params, true, 3);
    const size_t nans = compare(row, kernels->name, one, apart);
    compare(row, "three threads", three, one);
    assert_true(nans > 0 && nans < one.numbers);
    free(apart.p);
    free(one.p);
    free(three.p);
    params_free(&params);
}

static void test_same_bits(void **state)
{
    const struct conv_case cases[] = {
        { "depthwise", 13, 9, 11, depthwise(3, 1), ACT_RELU, false, 0 },
        { "depthwise, stride", 40, 9, 12, biased(depthwise(5, 2)), ACT_LEAKY_RELU, false, 0 },
        { "depthwise, levels", 17, 7, 5, depthwise(5, 1), ACT_HARD_SWISH, true, 0 },
        { "AMX, 1x1", 58, 9, 11, pointwise(33), ACT_RELU, false, 3 },
        { "AMX, 1x1, levels", 17, 3, 70, biased(pointwise(65)), ACT_NONE, true, 3 },
        { "AMX, 3x3", 17, 9, 11, biased(dense(20, 3, 1)), ACT_SILU, false, 3 },
        { "AMX, 5x5, levels", 16, 7, 5, dense(17, 5, 1), ACT_RELU, true, 3 },
        { "Winograd", 16, 9, 11, biased(dense(20, 3, 1)), ACT_RELU, false, 0 },
        { "Winograd, long rows", 16, 5, 150, dense(16, 3, 1), ACT_RELU, false, 0 },
        { "Winograd, levels", 17, 7, 5, dense(33, 3, 1), ACT_GELU, true, 0 },
        { "dense, stride", 5, 9, 11, biased(dense(19, 3, 2)), ACT_RELU, false, 0 },
        { "dense, 1x1", 58, 9, 11, pointwise(58), ACT_LEAKY_RELU, false, 0 },
        { "dense, levels", 3, 7, 5, dense(18, 3, 1), ACT_RELU6, true, 0 },
        { "dense, groups", 6, 5, 7, { .out = 4, .kernel = 3, .stride = 1, .pad = 1, .groups = 2 }, ACT_RELU, false, 0 },
    };
    const struct kernels *table = table_under_test();
    struct kernels plain = *plain_table();
    (void)state;
    plain.amx = &amx_ref;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check(&cases[i], &plain);
        if (table->amx || !cases[i].bf16_terms)
            check(&cases[i], table);
    }
}

/* ---- training ---- */

struct training { bool unfused, frozen; int threads; };

/* The convolution's input depends on parameters, so both gradients are computed, and has a second reader, so one of the
 * two adds.  Both outputs are slots of one concat. */
static void build_trained(const struct conv_case *row, const struct kernels *kernels, const struct training *how,
                          struct graph *g, struct params *params)
{
    static const char *const freeze[] = { "conv" };
    struct error err = {0};
    const struct policy policy = { kernels, .bf16_terms = row->bf16_terms };
    struct builder b = { .graph = g, .params = params, .training = true, .unfused = how->unfused,
                         .policy = &policy, .freeze = freeze, .freeze_count = how->frozen };
    *g = (struct graph){0};
    const value x = conv_norm(&b, "first", 0, input(&b, row), pointwise(row->in));
    const value y = activate(&b, conv_norm(&b, "conv", 0, x, row->conv), row->act);
    graph_output(&b, "y", concat(&b, y, activate(&b, conv_norm(&b, "other", 0, x, row->conv), row->act)));
    if (!graph_build(&b, &err))
        fail_msg("%s: %s", row->name, err.text);
}

static bool is_fused(const struct graph *g, enum pass pass)
{
    for (int i = 0; i < g->node_count; i++)
        if (g->nodes[i].op == &op_norm && strncmp(g->nodes[i].name, "conv", 4) == 0)
            return g->nodes[i].fused[pass];
    fail_msg("there is no norm");
    return false;
}

/* y, the running statistics and all gradients after two batches. */
static struct output train(const struct conv_case *row, const struct kernels *kernels, const struct training *how,
                           bool fused[2])
{
    struct error err = {0};
    struct graph g;
    struct params params = {0};
    const struct team team = { how->threads };
    build_trained(row, kernels, how, &g, &params);
    graph_free(&g);
    if (!params_layout(&params, NULL, 0, &err))
        fail_msg("%s", err.text);
    start_values(&params);
    build_trained(row, kernels, how, &g, &params);
    real *gradients = calloc((size_t)params.trained, sizeof *gradients);
    const struct binding to = { .params = &params, .values = params.value, .buffers = params.value,
                                .gradients = gradients, .team = &team, .kernels = kernels };
    if (!graph_bind(&g, &to, &err))
        fail_msg("%s", err.text);
    const struct view x = graph_view(&g, 0), y = graph_view(&g, graph_output_named(&g, "y"));
    const struct view dy = graph_gradient(&g, graph_output_named(&g, "y"));
    const ptrdiff_t outputs = pixels(y) * y.c;
    struct output out = { NULL, (size_t)(outputs + params.total + params.trained) };
    out.p = malloc(out.numbers * sizeof *out.p);
    assert_non_null(out.p);
    for (uint64_t batch = 0; batch < 2; batch++) {
        fill(x.p, pixels(x) * x.c, 2 + batch);
        graph_forward(&g, 0);
        memcpy(out.p, y.p, (size_t)outputs * sizeof *out.p);
        fill(dy.p, outputs, 4 + batch);
        graph_backward(&g, batch > 0);
    }
    memcpy(out.p + outputs, params.value, (size_t)params.total * sizeof *out.p);
    memcpy(out.p + outputs + params.total, gradients, (size_t)params.trained * sizeof *out.p);
    fused[FORWARD] = is_fused(&g, FORWARD);
    fused[BACKWARD] = is_fused(&g, BACKWARD);
    free(gradients);
    graph_free(&g);
    params_free(&params);
    return out;
}

static void check_fused(const struct conv_case *row, const struct kernels *kernels, bool frozen, const bool want[2])
{
    bool fused[2], alone[2];
    struct output apart = train(row, kernels, &(struct training){ true, frozen, 1 }, alone),
                  one = train(row, kernels, &(struct training){ false, frozen, 1 }, fused),
                  three = train(row, kernels, &(struct training){ false, frozen, 3 }, fused);
    if (fused[FORWARD] != (want[FORWARD] && !frozen) || fused[BACKWARD] != want[BACKWARD] || alone[FORWARD]
        || alone[BACKWARD])
        fail_msg("%s: fused %d %d, unfused %d %d", row->name, fused[FORWARD], fused[BACKWARD], alone[FORWARD],
                 alone[BACKWARD]);
    assert_int_equal(compare(row, kernels->name, one, apart), 0);
    assert_int_equal(compare(row, "three threads", three, one), 0);
    free(apart.p);
    free(one.p);
    free(three.p);
}

static void test_fused(void **state)
{
    const struct { struct conv_case row; bool fused[2]; } cases[] = {
        { { "depthwise", 13, 9, 11, depthwise(3, 1), ACT_RELU, false, 0 }, { true, true } },
        { { "depthwise, many blocks", 150, 21, 33, depthwise(5, 1), ACT_LEAKY_RELU, false, 0 }, { true, true } },
        { { "depthwise, stride", 130, 33, 40, depthwise(5, 2), ACT_NONE, false, 0 }, { true, true } },
        { { "depthwise, stride, bias", 300, 32, 23, biased(depthwise(3, 2)), ACT_SILU, false, 0 }, { true, true } },
        { { "depthwise, levels", 17, 7, 5, depthwise(5, 1), ACT_HARD_SWISH, true, 0 }, { true, true } },
        { { "AMX, 3x3", 17, 17, 29, biased(dense(20, 3, 1)), ACT_SILU, false, 3 }, { true, true } },
        { { "AMX, 5x5, levels", 16, 7, 9, dense(17, 5, 1), ACT_RELU, true, 3 }, { true, true } },
        { { "1-D Winograd", 32, 7, 19, dense(36, 3, 1), ACT_RELU, false, 3 }, { true, false } },
        { { "1-D Winograd, levels", 33, 7, 5, dense(32, 3, 1), ACT_RELU, true, 2 }, { true, false } },
        { { "Winograd", 16, 9, 11, biased(dense(20, 3, 1)), ACT_RELU, false, 0 }, { true, false } },
        { { "Winograd, many tiles", 17, 84, 103, dense(20, 3, 1), ACT_LEAKY_RELU, false, 0 }, { true, false } },
        { { "Winograd, levels", 16, 23, 35, dense(17, 3, 1), ACT_RELU, true, 0 }, { true, false } },
        { { "dense, stride", 5, 49, 51, biased(dense(19, 3, 2)), ACT_RELU, false, 0 }, { true, false } },
        { { "dense, 1x1", 58, 29, 31, pointwise(58), ACT_LEAKY_RELU, false, 0 }, { true, true } },
        { { "dense, 1x1, stride", 58, 29, 31, { .out = 20, .kernel = 1, .stride = 2, .groups = 1 }, ACT_RELU,
            false, 0 }, { true, false } },
        { { "dense, 1x1, levels", 24, 40, 31, biased(pointwise(58)), ACT_RELU6, true, 0 }, { true, true } },
        { { "dense, levels", 3, 7, 5, dense(18, 3, 1), ACT_RELU6, true, 0 }, { true, false } },
        { { "dense, groups", 6, 25, 27, { .out = 4, .kernel = 3, .stride = 1, .pad = 1, .groups = 2 }, ACT_RELU,
            false, 0 }, { true, false } },
    };
    const struct kernels *table = table_under_test();
    struct kernels plain = *plain_table();
    (void)state;
    plain.amx = &amx_ref;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int frozen = 0; frozen < 2; frozen++)
            check_fused(&cases[i].row, cases[i].row.bf16_terms && !table->amx ? &plain : table, frozen, cases[i].fused);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_same_bits), cmocka_unit_test(test_fused) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
