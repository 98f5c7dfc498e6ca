/* Graphs as networks, networks as graphs, and networks folded and matched: the outputs stay what they were. */
#include "deploy/graph_of_network.h"
#include "deploy/network_fold.h"
#include "deploy/network_match.h"
#include "kernel/kernels.h"
#include "model/as_network.h"
#include "model/fold.h"
#include "model/match.h"
#include "model/weights.h"
#include <stdio.h>
#include "small_model.h"

enum { H = 64, W = 96 };

/* The outputs of a graph for an image of random numbers, a copy; count numbers. */
static float *run(struct graph *g, const struct params *params, ptrdiff_t *count)
{
    struct error err = {0};
    const struct team team = { 1 };
    const struct binding to = { .params = params, .values = params->value, .team = &team,
                                .kernels = kernels_pick(NULL, &err) };
    if (!graph_bind(g, &to, &err))
        fail_msg("%s", err.text);
    fill(graph_view(g, 0).p, (ptrdiff_t)3 * H * W, 1, 77);
    graph_forward(g, 0);
    const struct view y = graph_view(g, graph_output_named(g, "main"));
    *count = pixels(y) * y.c;
    float *copy = malloc((size_t)*count * sizeof *copy);
    assert_non_null(copy);
    memcpy(copy, y.p, (size_t)*count * sizeof *copy);
    graph_free(g);
    return copy;
}

static float *run_model(struct fixture *f, ptrdiff_t *count)
{
    struct error err = {0};
    struct graph g;
    if (!model_graph(&f->model, &(struct graph_options){ .n = 1, .h = H, .w = W }, &g, &err))
        fail_msg("%s", err.text);
    return run(&g, &f->model.params, count);
}

static float *run_network(const struct network *net, ptrdiff_t *count)
{
    struct error err = {0};
    struct params params = {0};
    struct graph g;
    if (!network_params(net, &params, &err) || !network_graph(net, &params, 1, H, W, &g, &err))
        fail_msg("%s", err.text);
    float *y = run(&g, &params, count);
    params_free(&params);
    return y;
}

static void open_random(struct fixture *f, const char *override)
{
    open_model(f, override);
    for (int i = 0; i < f->model.params.count; i++) {
        const struct param *p = &f->model.params.list[i];
        struct random random = random_of(seed(), 1000 + (uint64_t)i, 0);
        for (ptrdiff_t k = p->offset; p->kind == PARAM_BUFFER && k < p->offset + p->count; k++)
            f->model.params.value[k] = (float)random_range(&random, 0.5, 1.5);
    }
}

static struct network network_of(struct fixture *f)
{
    struct error err = {0};
    struct network net;
    if (!model_network(&f->model, f->model.params.value, &net, &err))
        fail_msg("%s", err.text);
    return net;
}

static int count_kind(const struct network *net, enum layer_kind kind)
{
    int count = 0;
    for (int i = 0; i < net->count; i++)
        count += net->layers[i].kind == kind;
    return count;
}

static void test_network_computes_what_the_graph_does(void **state)
{
    static const char *const models[] = {
        NULL, "model.arch.backbone.with_last_conv=false", "model.arch.fpn.use_res=true",
        "model.arch.head.conv_type=Conv", "model.arch.head.norm_cfg.type=BN" };
    (void)state;
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        struct error err = {0};
        struct fixture f;
        ptrdiff_t wanted, had;
        open_random(&f, models[i]);
        float *want = run_model(&f, &wanted);
        struct network net = network_of(&f);
        float *have = run_network(&net, &had);
        assert_int_equal(had, wanted);
        assert_true(distance(have, want, wanted, 0) < 1e-4);
        free(have);
        assert_true(count_kind(&net, LAYER_AFFINE) > 0);
        if (!network_fold(&net, &err) || !network_merge(&net, &err))
            fail_msg("%s", err.text);
        assert_int_equal(count_kind(&net, LAYER_AFFINE), 0);
        have = run_network(&net, &had);
        assert_true(distance(have, want, wanted, 0) < 1e-4);
        free(have);
        free(want);
        network_free(&net);
        close_model(&f);
    }
}

/* ---- matching ---- */

/* The same network as a program without our names might write it: layers in another order that can be computed, the
 * operands of sums swapped, numbers for names, weights that are shared written twice. */
static struct network disguised(const struct network *net, uint64_t stream)
{
    struct error err = {0};
    struct network copy = {0};
    struct random random = random_of(seed(), stream, 1);
    int *place = malloc((size_t)net->count * sizeof *place), left = net->count;
    assert_non_null(place);
    for (int i = 0; i < net->count; i++)
        place[i] = -1;
    while (left > 0) {
        const int i = left == net->count ? 0 : random_below(&random, net->count);
        const struct layer *layer = &net->layers[i];
        int operands[LAYER_OPERANDS];
        bool ready = place[i] < 0;
        for (int k = 0; k < layer->operands; k++) {
            operands[layer->kind == LAYER_ADD ? 1 - k : k] = place[layer->operand[k]];
            ready = ready && place[layer->operand[k]] >= 0;
        }
        if (!ready)
            continue;
        char name[24];
        snprintf(name, sizeof name, "%d", copy.count);
        place[i] = network_add(&copy, layer->kind, name, operands, layer->operands, &err);
        struct layer *to = &copy.layers[place[i]];
        struct layer as = *layer;
        memcpy(as.operand, to->operand, sizeof as.operand);
        as.name = to->name;
        *to = as;
        for (int k = 0; k < 2; k++) {
            const int from = k ? layer->bias : layer->weight;
            if (from == NO_TENSOR)
                continue;
            const struct tensor *t = &net->weights.list[from];
            float *numbers;
            const int at = network_weights(&copy, name, t->rank, t->dims, &numbers, &err);
            assert_true(at >= 0);
            tensor_floats(t, numbers);
            *(k ? &copy.layers[place[i]].bias : &copy.layers[place[i]].weight) = at;
        }
        left--;
    }
    copy.output_count = net->output_count;
    for (int i = 0; i < net->output_count; i++)         /* coarsest first, each behind a sigmoid of its classes */
    {
        const int x = place[net->outputs[net->output_count - 1 - i]];
        copy.outputs[i] = network_add(&copy, LAYER_SIGMOID_OF, "scores", &x, 1, &err);
        assert_true(copy.outputs[i] >= 0);
        copy.layers[copy.outputs[i]].to = net->classes;
    }
    free(place);
    if (!network_check(&copy, "copy", &err))
        fail_msg("%s", err.text);
    return copy;
}

/* A model of other weights that takes all of a network's by structure detects as the one they come from. */
static void test_match_finds_all_weights(void **state)
{
    static const char *const models[] = { NULL, "model.arch.fpn.use_res=true", "model.arch.head.conv_type=Conv" };
    (void)state;
    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        for (int folded = 0; folded < 2; folded++) {
            struct error err = {0};
            struct fixture f, other;
            struct inference needs;
            struct tensors t = {0};
            struct weights_report report = {0};
            ptrdiff_t count;
            open_random(&f, models[i]);
            float *want = run_model(&f, &count);
            struct network own = network_of(&f);
            if (folded && !network_fold(&own, &err))
                fail_msg("%s", err.text);
            struct network theirs = disguised(&own, i);
            open_model(&other, models[i]);
            for (ptrdiff_t k = 0; k < other.model.params.total; k++)
                other.model.params.value[k] = 0.5f;
            if (!model_match(&other.model, &theirs, "theirs", &t, &err)
                || !inference_of(&needs, &other.model, &err)
                || !inference_unfold(&needs, &other.model.params, &t, "theirs", &err)
                || !weights_take(&other.model.params, &t, "", other.model.params.value, &report, &err))
                fail_msg("%s", err.text);
            assert_int_equal(report.misfit.count + report.unknown.count, 0);
            for (int k = 0; k < report.missing.count; k++)
                assert_false(needs.needed[params_find(&other.model.params, report.missing.list[k])]);
            float *have = run_model(&other, &count);
            assert_true(distance(have, want, count, 0) < 1e-4);
            free(have);
            free(want);
            weights_report_free(&report);
            tensors_free(&t);
            inference_free(&needs);
            network_free(&own);
            network_free(&theirs);
            close_model(&f);
            close_model(&other);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_network_computes_what_the_graph_does),
                                        cmocka_unit_test(test_match_finds_all_weights) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
