/* tests/test_deploy.c -- export of graphs to networks, import of networks as graphs, folding and matching: the
 * outputs do not change. */
#include "deploy/import_network.h"
#include "deploy/network_fold.h"
#include "deploy/network_match.h"
#include "kernel/kernels.h"
#include "model/model_network.h"
#include "weights/fold.h"
#include "weights/match.h"
#include "weights/weights.h"
#include <stdio.h>
#include "model_kinds.h"
#include "policy.h"
#include "sample.h"

enum { H = 64, W = 96 };

/* The outputs of a graph for an image of random numbers, a copy; count numbers. */
static float *run(struct graph *g, const struct params *params, ptrdiff_t *count)
{
    struct error err = {0};
    const struct team team = { 1 };
    const struct binding to = { .params = params, .values = params->value, .buffers = params->value, .team = &team,
                                .kernels = kernels_under_test() };
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
    if (!import_network_params(net, &params, &err) || !import_network(net, &params, 1, H, W, &g, &err))
        fail_msg("%s", err.text);
    float *y = run(&g, &params, count);
    params_free(&params);
    return y;
}

static struct network network_of(struct fixture *f)
{
    struct error err = {0};
    struct network net;
    if (!model_export_network(&f->model, f->model.params.value, &net, &err))
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

static void test_network_equals_graph(void **state)
{
    (void)state;
    for (size_t i = 0; i < MODEL_KINDS; i += SAMPLE) {
        struct error err = {0};
        struct fixture f;
        ptrdiff_t wanted, had;
        open_random(&f, model_kinds[i]);
        float *want = run_model(&f, &wanted);
        struct network net = network_of(&f);
        float *have = run_network(&net, &had);
        assert_int_equal(had, wanted);
        assert_true(distance(have, want, wanted, 0) < 1e-4);
        free(have);
        assert_true(count_kind(&net, LAYER_AFFINE) > 0);
        if (!network_fold(&net, &err) || !network_merge(&net, &err))
            fail_msg("%s", err.text);
        assert_true(count_kind(&net, LAYER_AFFINE) < 16);
        have = run_network(&net, &had);
        assert_true(distance(have, want, wanted, 0) < 1e-4);
        free(have);
        free(want);
        network_free(&net);
        close_model(&f);
    }
}

/* ---- matching ---- */

/* Copies weight (which = 0) or bias (1) of a layer into another network. */
static void copy_weights(const struct network *net, const struct layer *layer, int which, struct network *copy,
                         struct layer *to)
{
    struct error err = {0};
    const int from = which ? layer->bias : layer->weight;
    if (from == NO_TENSOR)
        return;
    const struct tensor *t = &net->weights.list[from];
    float *elements;
    const int at = network_add_weights(copy, to->name, t->rank, t->dims, &elements, &err);
    assert_true(at >= 0);
    tensor_floats(t, elements);
    *(which ? &to->bias : &to->weight) = at;
}

/* Adds a copy of the layer with these operands, named by a number, and returns its index. */
static int copy_layer(const struct network *net, const struct layer *layer, const int *operands, struct network *copy)
{
    struct error err = {0};
    char name[24];
    snprintf(name, sizeof name, "%d", copy->count);
    const int place = network_add(copy, layer->kind, name, operands, layer->operands, &err);
    assert_true(place >= 0);
    struct layer *to = &copy->layers[place], with = *layer;
    memcpy(with.operand, to->operand, sizeof with.operand);
    with.name = to->name;
    *to = with;
    for (int which = 0; which < 2; which++)
        copy_weights(net, layer, which, copy, &copy->layers[place]);
    return place;
}

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
        place[i] = copy_layer(net, layer, operands, &copy);
        left--;
    }
    copy.output_count = net->output_count;
    for (int i = 0; i < net->output_count; i++) {       /* coarsest first, each behind a sigmoid of its classes */
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
static void check_match(const char *override, int folded)
{
    struct error err = {0};
    struct fixture f, other;
    struct inference needs;
    struct tensors t = {0};
    struct weights_report report = {0};
    ptrdiff_t count;
    open_random(&f, override);
    float *want = run_model(&f, &count);
    struct network own = network_of(&f);
    if ((folded > 0 && !network_fold(&own, &err)) || (folded > 1 && !network_merge(&own, &err)))
        fail_msg("%s", err.text);
    struct network theirs = disguised(&own, (uint64_t)folded);
    open_model(&other, override);
    for (ptrdiff_t k = 0; k < other.model.params.total; k++)
        other.model.params.value[k] = 0.5f;
    if (!match_weights_by_structure(&other.model, &theirs, "theirs", &t, &err)
        || !inference_of(&needs, &other.model, &err)
        || !inference_unfold(&needs, &other.model.params, &t, "theirs", &err)
        || !weights_from_tensors(&other.model.params, &t, "", other.model.params.value, &report, &err))
        fail_msg("%s", err.text);
    assert_int_equal(report.misfit.count, 0);
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

static void test_match_finds_all_weights(void **state)
{
    (void)state;
    for (size_t i = 0; i < MODEL_KINDS; i += SAMPLE)
        for (int folded = 0; folded < 3; folded++)
            check_match(model_kinds[i], folded);
}

/* A network with one different layer is refused; the error names both layers.  Another number of classes is valid. */
static void test_match_names_differing_layers(void **state)
{
    struct error err = {0};
    struct fixture f, other;
    struct tensors t = {0};
    (void)state;
    open_random(&f, NULL);
    open_model(&other, "model.arch.fpn.kernel_size=3");
    struct network net = network_of(&f);
    assert_false(match_weights_by_structure(&other.model, &net, "net.onnx", &t, &err));
    assert_non_null(strstr(err.text, "net.onnx: not this model's network: layer fpn."));
    assert_non_null(strstr(err.text, "32 x 1 x 5 x 5"));
    assert_non_null(strstr(err.text, "32 x 1 x 3 x 3"));
    assert_int_equal(t.count, 0);
    close_model(&other);
    for (int i = 0; i < net.output_count; i++) {        /* one class less */
        struct layer *last = &net.layers[net.outputs[i]];
        const size_t dims[] = { net.weights.list[last->weight].dims[0] - 1, 32, 1, 1 };
        float *numbers;
        last->weight = network_add_weights(&net, "fewer", 4, dims, &numbers, &err);
        last->bias = network_add_weights(&net, "fewer", 1, dims, &numbers, &err);
    }
    if (!network_check(&net, "net", &err) || !match_weights_by_structure(&f.model, &net, "net.onnx", &t, &err)
        || !tensors_index(&t, "t", &err))
        fail_msg("%s", err.text);
    assert_int_equal(tensors_find(&t, "head.gfl_cls.0.weight")->dims[0], 34);
    network_free(&net);
    tensors_free(&t);
    close_model(&f);
}

/* A norm's epsilon is not a weight: one that differs from the model's would change the outputs. */
static void test_match_compares_epsilons(void **state)
{
    static const enum layer_kind norms[] = { LAYER_NORM, LAYER_GROUP_NORM };
    (void)state;
    for (size_t k = 0; k < sizeof norms / sizeof *norms; k++) {
        int met = 0;
        for (size_t i = 0; i < MODEL_KINDS; i++) {
            struct error err = {0};
            struct fixture f;
            struct tensors t = {0};
            open_random(&f, model_kinds[i]);
            struct network net = network_of(&f);
            for (int l = 0; l < net.count; l++)
                net.layers[l].eps *= net.layers[l].kind == norms[k] ? 10 : 1;
            const bool differs = count_kind(&net, norms[k]) > 0;
            assert_int_equal(match_weights_by_structure(&f.model, &net, "net.onnx", &t, &err), !differs);
            assert_true(!differs || strstr(err.text, ", epsilon "));
            met += differs;
            tensors_free(&t);
            network_free(&net);
            close_model(&f);
        }
        assert_true(met > 0);
    }
}

/* ---- invalid networks ---- */

/* A convolution of 3 to 4 channels, 3 x 3, that an activation follows. */
static struct network little(void)
{
    struct error err = {0};
    struct network net = { .output_count = 1, .outputs = { 2 } };
    float *numbers;
    assert_int_equal(network_add(&net, LAYER_INPUT, "data", NULL, 0, &err), 0);
    assert_int_equal(network_add(&net, LAYER_CONV, "conv", (int[]){ 0 }, 1, &err), 1);
    assert_int_equal(network_add(&net, LAYER_ACTIVATION, "act", (int[]){ 1 }, 1, &err), 2);
    net.layers[1].weight = network_add_weights(&net, "conv.weight", 4, (size_t[]){ 4, 3, 3, 3 }, &numbers, &err);
    net.layers[1].bias = network_add_weights(&net, "conv.bias", 1, (size_t[]){ 4 }, &numbers, &err);
    net.layers[1].kernel = 3;
    net.layers[1].pad = 1;
    net.layers[2].act = ACT_RELU;
    return net;
}

static void refused(struct network *net, const char *why)
{
    struct error err = {0};
    assert_false(network_check(net, "net", &err));
    assert_int_equal(err.exit, 1);
    if (!strstr(err.text, why))
        fail_msg("'%s' does not say '%s'", err.text, why);
    network_free(net);
}

static void test_invalid_networks_are_refused(void **state)
{
    static const struct lie { size_t offset; int number; const char *why; } lies[] = {
        { offsetof(struct layer, operand[0]), 1, "operands" },      /* itself */
        { offsetof(struct layer, operand[0]), 2, "operands" },      /* one that reads it */
        { offsetof(struct layer, operand[0]), -1, "operands" },     { offsetof(struct layer, operands), 0, "operands" },
        { offsetof(struct layer, operands), 7, "operands" },        { offsetof(struct layer, weight), 2, "weights" },
        { offsetof(struct layer, weight), 1, "weights" },           { offsetof(struct layer, weight), -7, "weights" },
        { offsetof(struct layer, bias), 0, "weights" },             { offsetof(struct layer, kernel), 0, "range" },
        { offsetof(struct layer, kernel), 5, "weights" },           { offsetof(struct layer, stride), 0, "range" },
        { offsetof(struct layer, pad), -1, "range" },               { offsetof(struct layer, groups), 0, "range" },
        { offsetof(struct layer, groups), 2, "range" },             { offsetof(struct layer, kind), 99, "operands" },
        { offsetof(struct layer, kind), LAYER_CONCAT, "operands" },
        { offsetof(struct layer, kind), LAYER_INPUT, "operands" } };
    struct error err = {0};
    (void)state;
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        struct network net = little();
        memcpy((char *)&net.layers[1] + lies[i].offset, &lies[i].number, sizeof lies[i].number);
        refused(&net, lies[i].why);
    }
    struct network net = little();
    net.outputs[0] = 3;
    refused(&net, "output 0");
    net = little();
    net.output_count = LAYER_OPERANDS + 1;
    refused(&net, "outputs");
    net = little();
    net.layers[2].slope = NAN;
    refused(&net, "range");
    net = little();
    assert_true(network_check(&net, "net", &err));
    network_free(&net);
}

/* Repeated doubling of the size needs more than any memory. */
static void test_misfits_are_refused(void **state)
{
    struct error err = {0};
    struct params params = {0};
    struct graph g;
    struct network net = little();
    (void)state;
    for (int i = 3; i < 30; i++)
        net.outputs[0] = network_add(&net, LAYER_BILINEAR, "up", (int[]){ i - 1 }, 1, &err);
    assert_true(network_check(&net, "net", &err) && import_network_params(&net, &params, &err));
    assert_false(import_network(&net, &params, 1, H, W, &g, &err));
    assert_non_null(strstr(err.text, "too large"));
    params_free(&params);
    network_free(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_network_equals_graph),
                                        cmocka_unit_test(test_match_finds_all_weights),
                                        cmocka_unit_test(test_match_names_differing_layers),
                                        cmocka_unit_test(test_match_compares_epsilons),
                                        cmocka_unit_test(test_invalid_networks_are_refused),
                                        cmocka_unit_test(test_misfits_are_refused) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
