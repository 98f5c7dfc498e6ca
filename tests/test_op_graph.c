/* tests/test_op_graph.c -- small graphs, in double, whose values and gradients share memory in every way of
 * graph/layout.c: slots of concats and stacks, halves of splits, deferred normalisations.  Gradients of all
 * parameters against central differences; equal bits for planned and separate memory and for any number of threads;
 * equal values up to rounding without deferred values.  A new graph is a function and a row. */
#include "base/random.h"
#include "layers.h"
#include "seed.h"
#include "tables.h"
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- graphs ---- */

static void concats_and_reader(struct builder *b, value in)
{
    const value x = firm(b, "x", in, 2), p = firm(b, "p", in, 3), q = firm(b, "q", in, 1);
    const value left = concat(b, x, p), right = concat(b, q, x), plain = conv(b, "plain", x, 2, 3);
    graph_output(b, "left", conv(b, "l", left, 2, 1));
    graph_output(b, "right", conv(b, "r", right, 2, 1));
    graph_output(b, "plain", plain);
}

static void reader_before_concats(struct builder *b, value in)
{
    const value x = firm(b, "x", in, 2), plain = conv(b, "plain", x, 2, 1), p = firm(b, "p", in, 3);
    const value left = concat(b, x, p);
    const value after = conv(b, "after", left, 2, 3), right = concat(b, plain, x);
    graph_output(b, "after", add(b, after, conv(b, "r", right, 2, 1)));
}

static void halves_used_twice(struct builder *b, value in)
{
    const value x = firm(b, "x", in, 4), left = channels(b, x, 0, 2), right = channels(b, x, 2, 4);
    const value swapped = concat(b, right, left), sum = add(b, left, right);
    graph_output(b, "swapped", conv(b, "s", swapped, 2, 1));
    graph_output(b, "sum", conv(b, "t", sum, 2, 1));
    graph_output(b, "left", conv(b, "l", left, 2, 1));
}

static void one_half_used(struct builder *b, value in)
{
    graph_output(b, "y", conv(b, "y", channels(b, firm(b, "x", in, 4), 2, 4), 2, 1));
}

static void one_half_and_whole(struct builder *b, value in)
{
    const value x = firm(b, "x", in, 4);
    graph_output(b, "half", conv(b, "h", channels(b, x, 0, 1), 2, 1));
    graph_output(b, "whole", conv(b, "w", x, 2, 1));
    graph_output(b, "last", conv(b, "l", channels(b, x, 3, 4), 2, 1));
}

static void halves_overlap(struct builder *b, value in)
{
    const value x = firm(b, "x", in, 5);
    const value y = add(b, channels(b, x, 0, 3), channels(b, x, 1, 4));
    graph_output(b, "y", add(b, y, channels(b, x, 2, 5)));
}

static void half_of_deferred(struct builder *b, value in)
{
    graph_output(b, "y", conv(b, "y", channels(b, soft(b, "x", in, 4), 1, 3), 2, 1));
}

static void shuffle_units(struct builder *b, value in)
{
    value x = soft(b, "x", in, 4);
    for (int i = 0; i < 3; i++) {
        char name[24];
        snprintf(name, sizeof name, "unit.%d", i);
        enter(b, name);
        const value left = channels(b, x, 0, 2), right = soft(b, "right", channels(b, x, 2, 4), 2);
        x = two(b, &op_shuffle, left, right);
        leave(b);
    }
    graph_output(b, "y", x);
}

static void nested_concats(struct builder *b, value in)
{
    const value x = firm(b, "x", in, 1), y = firm(b, "y", in, 2), z = firm(b, "z", in, 1);
    const value inner = concat(b, x, y), outer = concat(b, z, inner), other = concat(b, inner, z);
    graph_output(b, "outer", conv(b, "o", outer, 2, 1));
    graph_output(b, "other", conv(b, "p", other, 2, 1));
    graph_output(b, "x", conv(b, "q", x, 2, 1));
}

static void concat_of_itself(struct builder *b, value in)
{
    const value x = firm(b, "x", in, 2), pair = concat(b, x, x), both = concat(b, pair, x);
    graph_output(b, "y", conv(b, "y", both, 2, 1));
    graph_output(b, "half", conv(b, "h", channels(b, pair, 1, 3), 2, 1));
}

static void half_of_concat(struct builder *b, value in)
{
    const value x = firm(b, "x", in, 2), y = firm(b, "y", in, 2);
    graph_output(b, "z", conv(b, "z", channels(b, concat(b, x, y), 1, 3), 2, 1));
}

static void deferred_read_by_all(struct builder *b, value in)
{
    const value x = soft(b, "x", in, 2), y = soft(b, "y", in, 3), z = norm(b, "z", conv(b, "zz", in, 2, 1), ACT_NONE);
    const value alike = concat(b, x, y), unlike = concat(b, x, z), sum = add(b, x, z);
    graph_output(b, "alike", conv(b, "a", alike, 2, 3));
    graph_output(b, "unlike", conv(b, "u", unlike, 2, 1));
    graph_output(b, "sum", conv(b, "s", sum, 2, 1));
    graph_output(b, "up", one(b, &op_upsample2x, x));
    graph_output(b, "pool", graph_node(b, &op_max_pool, "pool", &alike, 1, &(struct pool_attr){ 3, 2, 1 }));
}

/* Other readers of a normalised value get the raw value. */
static void raw_read_elsewhere(struct builder *b, value in)
{
    const value x = firm(b, "x", in, 3), y = norm(b, "y", x, ACT_SILU), z = norm(b, "z", x, ACT_NONE);
    const value half = channels(b, x, 1, 3), part = norm(b, "part", half, ACT_SILU);
    const value given = norm(b, "in", in, ACT_SILU);
    graph_output(b, "sum", add(b, add(b, conv(b, "c", x, 3, 3), conv(b, "d", y, 3, 1)), z));
    graph_output(b, "both", conv(b, "e", concat(b, concat(b, x, y), part), 2, 1));
    graph_output(b, "x", x);
    graph_output(b, "half", conv(b, "h", half, 2, 1));
    graph_output(b, "given", conv(b, "g", given, 2, 1));
}

static void deferred_concat_of_concat(struct builder *b, value in)
{
    const value x = soft(b, "x", in, 1), y = soft(b, "y", in, 2), z = soft(b, "z", in, 1);
    const value inner = concat(b, x, y), outer = concat(b, z, inner);
    graph_output(b, "outer", conv(b, "o", outer, 2, 1));
    graph_output(b, "slice", conv(b, "p", channels(b, outer, 1, 3), 2, 3));
    graph_output(b, "x", conv(b, "q", x, 2, 1));
}

static void normalised_output(struct builder *b, value in)
{
    const value x = soft(b, "x", in, 2);
    graph_output(b, "x", x);
    graph_output(b, "y", conv(b, "y", x, 2, 1));
}

static void output_read_elsewhere(struct builder *b, value in)
{
    const value x = firm(b, "x", in, 2), y = firm(b, "y", in, 2), both = concat(b, x, y);
    graph_output(b, "x", x);
    graph_output(b, "both", both);
    graph_output(b, "z", conv(b, "z", both, 2, 1));
}

static void levels_of_stack(struct builder *b, value in)
{
    const value x = soft(b, "x", in, 4), half = graph_node(b, &op_max_pool, "pool", &x, 1,
                                                           &(struct pool_attr){ 3, 2, 1 });
    const value y = conv(b, "y", half, 4, 1), rows = two(b, &op_stack, x, y), twice = two(b, &op_stack, y, y);
    const value z = group_norm(b, "gn", conv(b, "z", rows, 4, 3), 2);
    graph_output(b, "rows", conv(b, "r", z, 2, 3));
    graph_output(b, "twice", conv(b, "t", twice, 2, 1));
    graph_output(b, "y", conv(b, "q", y, 2, 1));
}

static void shared_weights(struct builder *b, value in)
{
    const value x = soft(b, "x", in, 3), y = soft(b, "x", x, 3);
    graph_output(b, "y", conv(b, "x", y, 3, 1));
}

static void nobody_reads(struct builder *b, value in)
{
    const value x = soft(b, "x", in, 2), z = firm(b, "z", in, 2);
    conv(b, "dead", concat(b, z, firm(b, "dead too", in, 2)), 2, 1);
    one(b, &op_upsample2x, one(b, &op_materialise, x));
    channels(b, z, 0, 1);
    graph_output(b, "y", conv(b, "y", add(b, x, z), 2, 1));
}

static const struct graph_case {
    const char *name;
    void (*build)(struct builder *, value in);
} cases[] = {
    { "two concats and a reader share a value", concats_and_reader },
    { "a reader comes before the concats", reader_before_concats },
    { "halves of a split are read twice", halves_used_twice },
    { "one half of a split is read", one_half_used },
    { "one half and the whole are read", one_half_and_whole },
    { "parts of a split overlap", halves_overlap },
    { "a part of a deferred value is read", half_of_deferred },
    { "shuffle units", shuffle_units },
    { "concats of concats", nested_concats },
    { "a value is concatenated with itself", concat_of_itself },
    { "a part across the slots of a concat", half_of_concat },
    { "a raw value is read beside its normalisations", raw_read_elsewhere },
    { "a deferred value is read in every way", deferred_read_by_all },
    { "deferred concats of concats", deferred_concat_of_concat },
    { "a normalised value is an output", normalised_output },
    { "an output is read and concatenated", output_read_elsewhere },
    { "levels of a stack", levels_of_stack },
    { "weights are shared", shared_weights },
    { "a branch that nobody reads", nobody_reads },
    {0} };

/* ---- running them ---- */

struct variant { const char *name; bool unfused, separate, evaluation; int threads; };

struct net {
    struct graph graph;
    struct params params;
    struct team team;
    real *gradient;
};

static void build(struct net *net, const struct graph_case *row, const struct variant *v)
{
    struct error err = {0};
    struct builder b = { .graph = &net->graph, .params = &net->params, .training = !v->evaluation,
                         .unfused = v->unfused };
    net->graph = (struct graph){ .separate = v->separate };
    row->build(&b, graph_input(&b, image));
    if (!graph_build(&b, &err))
        fail_msg("%s: %s", row->name, err.text);
}

static void fill(struct view v, uint64_t stream)
{
    struct random random = random_of(seed(), stream, 0);
    for (ptrdiff_t i = 0; i < pixels(v); i++)
        for (int c = 0; c < v.c; c++)
            v.p[i * v.ld + c] = (real)random_range(&random, -1, 1);
}

static void open_net(struct net *net, const struct graph_case *row, const struct variant *v)
{
    struct error err = {0};
    *net = (struct net){ .team = { v->threads } };
    build(net, row, v);
    graph_free(&net->graph);
    if (!params_layout(&net->params, NULL, 0, &err))
        fail_msg("%s", err.text);
    params_init(&net->params, seed());
    build(net, row, v);
    net->gradient = calloc((size_t)net->params.trained, sizeof *net->gradient);
    const struct binding to = { .params = &net->params, .values = net->params.value, .buffers = net->params.value,
                                .gradients = net->gradient, .team = &net->team, .kernels = table_under_test() };
    if (!graph_bind(&net->graph, &to, &err))
        fail_msg("%s", err.text);
}

static void close_net(struct net *net)
{
    graph_free(&net->graph);
    params_free(&net->params);
    free(net->gradient);
}

/* L = sum over the outputs of <r, y>, r random. */
static double forward(struct net *net)
{
    double loss = 0;
    fill(graph_view(&net->graph, 0), 1);
    graph_forward(&net->graph, 0);
    for (int o = 0; o < net->graph.output_count; o++) {
        const struct view y = graph_view(&net->graph, net->graph.outputs[o].v);
        struct random random = random_of(seed(), 2, (uint64_t)o);
        for (ptrdiff_t i = 0; i < pixels(y); i++)
            for (int c = 0; c < y.c; c++)
                loss += (real)random_range(&random, -1, 1) * y.p[i * y.ld + c];
    }
    return loss;
}

static void backward(struct net *net, bool accumulate)
{
    for (int o = 0; o < net->graph.output_count; o++) {
        const struct view dy = graph_gradient(&net->graph, net->graph.outputs[o].v);
        struct random random = random_of(seed(), 2, (uint64_t)o);
        for (ptrdiff_t i = 0; i < pixels(dy); i++)
            for (int c = 0; c < dy.c; c++)
                dy.p[i * dy.ld + c] = (real)random_range(&random, -1, 1);
    }
    graph_backward(&net->graph, accumulate);
}

/* The gradients of used parameters are NaN before the run, and must be set by it. */
static double run(struct net *net)
{
    for (int i = 0; i < net->params.count; i++) {
        const struct param *p = &net->params.list[i];
        for (ptrdiff_t k = 0; p->kind == PARAM_TRAINED && k < p->count; k++)
            net->gradient[p->offset + k] = p->used ? (real)NAN : 0;
    }
    const double loss = forward(net);
    backward(net, false);
    return loss;
}

static bool close_to(double got, double want, double tolerance)
{
    return fabs(got - want) <= tolerance * (1 + fabs(want));
}

static bool check_slopes(const struct graph_case *row, struct net *net, const real *gradient)
{
    const double h = 1e-5;
    for (int i = 0; i < net->params.count; i++) {
        const struct param *p = &net->params.list[i];
        for (ptrdiff_t k = 0; p->kind == PARAM_TRAINED && k < p->count; k++) {
            real *x = &net->params.value[p->offset + k];
            const real old = *x;
            *x = old + h;
            const double plus = forward(net);
            *x = old - h;
            const double slope = (plus - forward(net)) / (2 * h);
            *x = old;
            if (!close_to(gradient[p->offset + k], slope, 1e-7)) {              /* so written, NaN fails */
                printf("FAIL %s: %s[%td]: %.12g, numeric %.12g; SEED=%" PRIu64 "\n", row->name, p->name, k,
                       gradient[p->offset + k], slope, seed());
                return false;
            }
        }
    }
    return true;
}

/* Against the first variant: the same bits, or, where nothing is deferred, the same up to rounding. */
static bool check_variant(const struct graph_case *row, const struct variant *v, double loss, const struct net *first)
{
    struct net net;
    open_net(&net, row, v);
    bool ok = true;
    const double got = run(&net), tolerance = v->unfused ? 1e-12 : 0;
    if (!close_to(got, loss, tolerance)) {
        printf("FAIL %s: %s: loss %.17g, should be %.17g; SEED=%" PRIu64 "\n", row->name, v->name, got, loss, seed());
        ok = false;
    }
    for (int i = 0; ok && i < first->params.count; i++) {
        const struct param *p = &first->params.list[i], *q = &net.params.list[i];
        ok = strcmp(p->name, q->name) == 0 && p->offset == q->offset;
        for (ptrdiff_t k = p->offset; ok && p->kind == PARAM_TRAINED && k < p->offset + p->count; k++)
            if (!close_to(net.gradient[k], first->gradient[k], tolerance)) {
                printf("FAIL %s: %s: %s[%td]: %.17g, should be %.17g; SEED=%" PRIu64 "\n", row->name, v->name, p->name,
                       k - p->offset, net.gradient[k], first->gradient[k], seed());
                ok = false;
            }
    }
    close_net(&net);
    return ok;
}

static bool check_accumulated(const struct graph_case *row, struct net *net, const real *once)
{
    backward(net, true);
    for (ptrdiff_t k = 0; k < net->params.trained; k++)
        if (!close_to(net->gradient[k], 2 * once[k], 1e-12)) {
            printf("FAIL %s: gradient %td of two batches: %.17g, of one %.17g\n", row->name, k, net->gradient[k],
                   once[k]);
            return false;
        }
    return true;
}

static void test_gradients(void **state)
{
    static const struct variant first = { .name = "planned", .threads = 1 }, others[] = {
        { .name = "separate", .separate = true, .threads = 1 },
        { .name = "2 threads", .threads = 2 }, { .name = "3 threads", .threads = 3 },
        { .name = "unfused", .unfused = true, .threads = 1 },
        { .name = "unfused and separate", .unfused = true, .separate = true, .threads = 1 } };
    int failed = 0;
    (void)state;
    for (const struct graph_case *row = cases; row->name; row++) {
        struct net net;
        open_net(&net, row, &first);
        const double loss = run(&net);
        for (size_t i = 0; i < sizeof others / sizeof *others; i++)
            failed += !check_variant(row, &others[i], loss, &net);
        const size_t bytes = (size_t)net.params.trained * sizeof *net.gradient;
        real *gradient = malloc(bytes);
        memcpy(gradient, net.gradient, bytes);
        failed += !check_slopes(row, &net, gradient);
        forward(&net);
        failed += !check_accumulated(row, &net, gradient);
        free(gradient);
        close_net(&net);
    }
    assert_int_equal(failed, 0);
}

/* Forward in evaluation, twice: planned, separate and unfused; the parameters do not change. */
static void test_evaluation(void **state)
{
    static const struct variant variants[] = {
        { .name = "planned", .evaluation = true, .threads = 1 },
        { .name = "separate", .evaluation = true, .separate = true, .threads = 1 },
        { .name = "unfused", .evaluation = true, .unfused = true, .threads = 2 } };
    (void)state;
    for (const struct graph_case *row = cases; row->name; row++) {
        double loss[3];
        for (int i = 0; i < 3; i++) {
            struct net net;
            open_net(&net, row, &variants[i]);
            const size_t bytes = (size_t)net.params.total * sizeof(real);
            real *before = malloc(bytes);
            memcpy(before, net.params.value, bytes);
            loss[i] = forward(&net);
            assert_true(loss[i] == forward(&net));
            assert_memory_equal(before, net.params.value, bytes);
            free(before);
            close_net(&net);
        }
        if (loss[0] != loss[1] || !close_to(loss[2], loss[0], 1e-12))
            fail_msg("%s: %.17g planned, %.17g separate, %.17g unfused", row->name, loss[0], loss[1], loss[2]);
    }
}

/* A detached branch gets gradients, but passes none to its input. */
static void detached_branch(struct builder *b, value in)
{
    const value x = soft(b, "x", in, 2), kept = one(b, &op_detach, x), y = soft(b, "y", kept, 2);
    graph_output(b, "y", conv(b, "z", concat(b, one(b, &op_detach, x), y), 2, 1));
    if (!b->unfused)
        graph_output(b, "x", conv(b, "main", x, 2, 1));
}

static void test_detached(void **state)
{
    static const struct graph_case row = { "detached", detached_branch };
    struct net net;
    (void)state;
    open_net(&net, &row, &(struct variant){ .threads = 1, .unfused = true });        /* without the main branch */
    run(&net);
    for (int i = 0; i < net.params.count; i++) {
        const struct param *p = &net.params.list[i];
        const real g = p->kind == PARAM_TRAINED ? net.gradient[p->offset] : 0;
        if (p->kind == PARAM_TRAINED)
            assert_int_equal(p->used, p->name[0] != 'x');
        assert_true(p->name[0] == 'x' ? g == 0 : p->kind == PARAM_BUFFER || (g != 0 && isfinite(g)));
    }
    close_net(&net);
}

/* Weights and norms that are set between binding and the first run are used. */
static void test_parameters_of_the_first_run(void **state)
{
    const struct variant evaluation = { .threads = 1, .evaluation = true };
    struct net net;
    struct error err = {0};
    (void)state;
    open_net(&net, &cases[1], &evaluation);
    for (ptrdiff_t i = 0; i < net.params.total; i++)
        net.params.value[i] *= 2;
    const double first = forward(&net);
    graph_free(&net.graph);
    build(&net, &cases[1], &evaluation);
    const struct binding to = { .params = &net.params, .values = net.params.value, .team = &net.team,
                                .kernels = table_under_test() };
    assert_true(graph_bind(&net.graph, &to, &err));
    assert_true(first == forward(&net));
    close_net(&net);
}

/* The first layer whose output is not finite is named, even if the input's memory was reused. */
static void test_non_finite_layers_are_named(void **state)
{
    struct net net;
    (void)state;
    open_net(&net, &cases[1], &(struct variant){ .threads = 1 });
    forward(&net);
    fill(graph_view(&net.graph, 0), 1);
    assert_null(graph_find_nonfinite(&net.graph, 0));
    net.params.value[net.params.list[params_find(&net.params, "after.weight")].offset] = INFINITY;
    fill(graph_view(&net.graph, 0), 1);
    assert_string_equal(graph_find_nonfinite(&net.graph, 0), "after");
    assert_true(graph_macs(&net.graph) > 0);
    close_net(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradients),
        cmocka_unit_test(test_evaluation),
        cmocka_unit_test(test_detached),
        cmocka_unit_test(test_parameters_of_the_first_run),
        cmocka_unit_test(test_non_finite_layers_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
