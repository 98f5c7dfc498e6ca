/* Graphs as networks, networks as graphs, and networks folded and matched: the outputs stay what they were. */
#include "deploy/graph_of_network.h"
#include "deploy/network_fold.h"
#include "kernel/kernels.h"
#include "model/as_network.h"
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

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_network_computes_what_the_graph_does) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
