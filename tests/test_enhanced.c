/* tests/test_enhanced.c -- Enhanced NanoDet: sizes, names and slopes of the original's files, gradients of every
 * weight, also through computed kernels, folding, and errors. */
#include "base/strbuf.h"
#include "kernel/kernels.h"
#include "op/ops.h"
#include "policy.h"
#include "runtime/cost.h"
#include "small_model.h"
#include "weights/fold.h"
#include <stdio.h>

/* ---- sizes ---- */

static void test_published_sizes(void **state)
{
    static const struct {
        const char *path, *override;
        ptrdiff_t inference, training; double macs; int priors;
    } rows[] = {
        { "configs/enhanced-nanodet-s_320.yml", "seed=0", 813632, 3956404, 593000000, 2125 },
        { "configs/enhanced-nanodet-m_416.yml", "seed=0", 1310726, 4481146, 1221093488, 3598 },
        { "configs/enhanced-nanodet-m-hswish_416.yml", "seed=0", 1310726, 3088506, 1221093488, 3598 },
        { "configs/enhanced-nanodet-l_416.yml", "seed=0", 2664072, 6756092, 1947446992, 3598 },
        { "configs/enhanced-nanodet-l_416.yml", "model.arch.backbone.out_stages=[5, 12, 19]", 2994634, 7086654,
          2002284112, 3598 } };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct config config = {0};
        struct model model = {0};
        struct cost cost;
        struct error err = {0};
        if (!config_read(&config, rows[i].path, &rows[i].override, 1, &err) || !model_open(&model, &config, &err)
            || !model_cost(&cost, &model, &err))
            fail_msg("%s: %s", rows[i].path, err.text);
        if (cost.inference_params != rows[i].inference || cost.training_params != rows[i].training
            || cost.conv_macs < rows[i].macs || cost.conv_macs > rows[i].macs || cost.priors != rows[i].priors)
            fail_msg("%s, %s: %td and %td parameters, %.0f multiply-adds, %d priors", rows[i].path, rows[i].override,
                     cost.inference_params, cost.training_params, cost.conv_macs, cost.priors);
        model_free(&model);
        config_free(&config);
    }
}

/* ---- small ones ---- */

#define NECK      "name: GhostPAN, in_channels: [48, 72, 96], out_channels: 16, num_extra_level: 1, use_depthwise: true"
#define PLUS_NECK NECK ", ghost_block_type: plus"
#define HEAD      "num_classes: 3, input_channel: 16, feat_channels: 24, strides: [8, 16, 32, 64]"

static bool parse(struct fixture *f, const char *backbone, const char *neck, const char *head, const char *act,
                  struct error *err)
{
    char text[2000];
    snprintf(text, sizeof text,
             "model:\n"
             "  arch:\n"
             "    name: NanoDetPlus\n"
             "    backbone: {name: mobilenext, pretrained: false, activation: %4$s, %1$s}\n"
             "    fpn: {%2$s, activation: %4$s}\n"
             "    head: {%3$s, activation: %4$s}\n"
             "    aux_head: {name: SimpleConvHead, num_classes: 3, input_channel: 32, feat_channels: 16, reg_max: 7,\n"
             "               stacked_convs: 1, strides: [8, 16, 32, 64], activation: %4$s,\n"
             "               norm_cfg: {type: GN, num_groups: 4}}\n"
             "data: {train: {input_size: [96, 64]}}\n"
             "schedule: {optimizer: {name: AdamW, lr: 0.001, weight_decay: 0.05}, total_epochs: 1}\n"
             "class_names: [a, b, c]\n", backbone, neck, head, act);
    *f = (struct fixture){0};
    return config_parse(&f->config, text, strlen(text), "enhanced.yml", NULL, 0, err)
        && model_open(&f->model, &f->config, err);
}

static const char small[] = "out_stages: [5, 8, 12], width_mult: 0.25";

static const struct detector_case { const char *name, *neck, *head; } cases[] = {
    { "Plus",               PLUS_NECK, "name: NanoDetPlusHead, conv_type: DWConv, " HEAD },
    { "Plus, branches",     PLUS_NECK, "name: NanoDetPlusHead, conv_type: RepDWConv, " HEAD },
    { "PlusPlus",           PLUS_NECK, "name: NanoDetPlusPlusHead, conv_type: DWConv, " HEAD },
    { "PlusPlus, branches", PLUS_NECK, "name: NanoDetPlusPlusHead, conv_type: RepDWConv, " HEAD },
    { "branches, GN",       PLUS_NECK, "name: NanoDetPlusHead, conv_type: RepDWConv, "
      "norm_cfg: {type: GN, num_groups: 4}, " HEAD },
    { "branches, no norm",  PLUS_NECK, "name: NanoDetPlusHead, conv_type: RepDWConv, norm_cfg: null, " HEAD },
    { "ghost bottlenecks",  NECK ", ghost_block_type: normal, num_blocks: 2", "name: NanoDetPlusHead, " HEAD },
    {0} };

/* With pseudo-trained weights, only gradients that the model's structure makes 0 are 0. */
static void open_case(struct fixture *f, const struct detector_case *row, const char *act)
{
    struct error err = {0};
    if (!parse(f, small, row->neck, row->head, act, &err))
        fail_msg("%s: %s", row->name, err.text);
    model_start(&f->model);
    for (int i = 0; i < f->model.params.count; i++) {
        const struct param *p = &f->model.params.list[i];
        float *v = f->model.params.value + p->offset;
        struct random random = random_of(seed(), (uint64_t)i, 0);
        for (ptrdiff_t k = 0; k < p->count; k++)
            v[k] = p->rank == 4 ? (float)(random_normal(&random) / sqrt(p->shape.h * p->shape.w * p->shape.c))
                                : v[k] + (float)random_range(&random, 0, 0.5);
    }
}

enum { HEIGHT = 64, WIDTH = 96, OUTPUTS = 2 };

struct result {
    float *output[OUTPUTS]; ptrdiff_t count[OUTPUTS];
    double sum;                         /* of outputs times the gradients they are given */
};

/* Writes the gradients of training unless `gradient` is NULL.  Running statistics do not change. */
static struct result run(struct fixture *f, struct graph_options options, int threads, float *gradient)
{
    const struct params *params = &f->model.params;
    const struct team team = { threads };
    const size_t bytes = (size_t)params->total * sizeof(float);
    struct error err = {0};
    struct graph g = {0};
    struct result r = {0};
    float *before = memcpy(malloc(bytes), params->value, bytes);
    float *unread = calloc((size_t)params->trained, sizeof *unread);
    const struct binding to = { .params = params, .values = params->value, .buffers = params->value,
                                .gradients = gradient ? gradient : unread, .team = &team,
                                .kernels = kernels_under_test() };
    options.n = 2;
    options.h = HEIGHT;
    options.w = WIDTH;
    if (!to.kernels || !model_graph(&f->model, &options, &g, &err) || !graph_bind(&g, &to, &err))
        fail_msg("%s", err.text);
    fill(graph_view(&g, MODEL_INPUT).p, 2 * HEIGHT * WIDTH * 3, 1, 1);
    graph_forward(&g, 0);
    for (int i = 0; i < g.output_count; i++) {
        const struct view y = graph_view(&g, g.outputs[i].v);
        const ptrdiff_t count = r.count[i] = pixels(y) * y.c;
        float *dy = malloc((size_t)count * sizeof *dy);
        r.output[i] = memcpy(malloc((size_t)count * sizeof *dy), y.p, (size_t)count * sizeof *dy);
        fill(dy, count, 1, 2);
        for (ptrdiff_t k = 0; k < count; k++)
            r.sum += (double)dy[k] * y.p[k];
        if (options.training)
            memcpy(graph_gradient(&g, g.outputs[i].v).p, dy, (size_t)count * sizeof *dy);
        free(dy);
    }
    if (gradient)
        graph_backward(&g, false);
    graph_free(&g);
    memcpy(params->value, before, bytes);
    free(before);
    free(unread);
    return r;
}

static void free_result(struct result *r)
{
    free(r->output[0]);
    free(r->output[1]);
}

/* ---- gradients ---- */

/* The slope of the sum along the gradient of one parameter is its length: the kernels behind the refinement, their
 * norms, and layers before and after. */
static void test_gradients_are_slopes(void **state)
{
    static const char *const names[] = {
        "backbone.features.0.0.weight", "backbone.features.4.conv.0.weight", "backbone.features.4.aug.bn.weight",
        "backbone.features.12.conv.0.weight", "fpn.bottom_up_blocks.1.blocks.0.shortcut1.0.weight",
        "fpn.top_down_blocks.0.blocks.0.shortcut2.0.weight", "head.gfl_cls.0.reg_conv.3.weight",
        "head.cls_convs.1.0.depthwise.1.weight", "head.cls_convs.1.1.pointwise.0.weight" };
    const struct graph_options training = { .training = true };
    struct fixture f;
    (void)state;
    open_case(&f, &cases[3], "SiLU");
    float *gradient = calloc((size_t)f.model.params.trained, sizeof *gradient);
    struct result r = run(&f, training, 1, gradient);
    free_result(&r);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const int index = params_find(&f.model.params, names[i]);
        if (index < 0)
            fail_msg("no parameter %s", names[i]);
        const struct param *p = &f.model.params.list[index];
        float *x = f.model.params.value + p->offset;
        const float *g = gradient + p->offset;
        double squares = 0, values = 0, sums[2];
        for (ptrdiff_t k = 0; k < p->count; k++) {
            squares += (double)g[k] * g[k];
            values += (double)x[k] * x[k];
        }
        /* So short that norms of few pixels are straight over it, so long that rounding is little. */
        const double step = fmin(1e-3 * sqrt(values / squares), 1 / squares);
        for (int side = 0; side < 2; side++) {
            float *start = memcpy(malloc((size_t)p->count * sizeof *x), x, (size_t)p->count * sizeof *x);
            for (ptrdiff_t k = 0; k < p->count; k++)
                x[k] += (float)((side ? -step : step) * g[k]);
            r = run(&f, training, 1, NULL);
            sums[side] = r.sum;
            free_result(&r);
            memcpy(x, start, (size_t)p->count * sizeof *x);
            free(start);
        }
        const double slope = (sums[0] - sums[1]) / (2 * step);
        if (!(fabs(slope - squares) <= 0.05 * squares))
            fail_msg("%s: slope %g, gradient's square %g; SEED=%llu", names[i], slope, squares,
                     (unsigned long long)seed());
    }
    free(gradient);
    close_model(&f);
}

static void test_gradients_reach_all(void **state)
{
    (void)state;
    for (const struct detector_case *row = cases; row->name; row++) {
        struct fixture f;
        open_case(&f, row, "SiLU");
        const struct params *params = &f.model.params;
        float *one = calloc((size_t)params->trained, sizeof *one);
        float *three = calloc((size_t)params->trained, sizeof *three);
        struct result a = run(&f, (struct graph_options){ .training = true }, 1, one);
        struct result b = run(&f, (struct graph_options){ .training = true, .separate = true }, 3, three);
        for (int i = 0; i < params->count; i++) {
            const struct param *p = &params->list[i];
            if (p->kind == PARAM_TRAINED && !(p->used && largest_of(one + p->offset, p->count) > 0))
                fail_msg("%s: no gradient reaches %s", row->name, p->name);
        }
        if (memcmp(one, three, (size_t)params->trained * sizeof *one) != 0)
            fail_msg("%s: other gradients with three threads and memory of their own", row->name);
        free_result(&a);
        free_result(&b);
        free(one);
        free(three);
        close_model(&f);
    }
}

/* ---- folding ---- */

static bool is_refinement(const char *name) { return strstr(name, ".aug.bn.") != NULL; }

/* Norms of branches fold, those of the refinement stay, and the folded model computes the same. */
static void test_folds(void **state)
{
    (void)state;
    for (const struct detector_case *row = cases; row->name; row++) {
        struct fixture f;
        struct inference inference;
        struct error err = {0};
        const struct graph_options evaluation = {0};
        int branches = 0;
        open_case(&f, row, "HardSwish");
        struct params *params = &f.model.params;
        struct result want = run(&f, evaluation, 1, NULL);
        float *before = memcpy(malloc((size_t)params->total * sizeof *before), params->value,
                               (size_t)params->total * sizeof *before);
        if (!inference_of(&inference, &f.model, &err))
            fail_msg("%s", err.text);
        for (int i = 0; i < inference.fold_count; i++) {
            const char *name = params->list[inference.folds[i].gamma].name;
            branches += strstr(name, "dwnorm.1.") || strstr(name, "pwnorm.1.");
            assert_false(is_refinement(name));
        }
        const bool rep = strstr(row->head, "RepDWConv") && !strstr(row->head, "norm_cfg");
        assert_int_equal(branches, rep ? 4 * 2 * 2 : 0);                /* levels, layers, depth and point */
        fold_norms(&inference, params, params->value, params->value);
        for (int i = 0; i < params->count; i++)
            if (is_refinement(params->list[i].name))
                assert_memory_equal(params->value + params->list[i].offset, before + params->list[i].offset,
                                    sizeof(float));
        struct result got = run(&f, evaluation, 1, NULL);
        const double off = distance(got.output[0], want.output[0], want.count[0], 0);
        if (!(off < 1e-4))
            fail_msg("%s: folded, outputs are %g off", row->name, off);
        free(before);
        free_result(&want);
        free_result(&got);
        inference_free(&inference);
        close_model(&f);
    }
}

/* ---- slopes ---- */

static double slope_of(const struct node *n)
{
    return n->op == &op_norm && norm_attr(n)->act == ACT_LEAKY_RELU ? norm_attr(n)->slope
         : n->op == &op_act && act_attr(n)->act == ACT_LEAKY_RELU ? act_attr(n)->slope : 0;
}

/* LeakyReLU's slope is 0.01 in the backbone and where boxes are predicted apart, 0.1 elsewhere. */
static void test_slopes(void **state)
{
    struct fixture f;
    struct graph g = {0};
    struct error err = {0};
    int plain = 0, others = 0;
    (void)state;
    open_case(&f, &cases[3], "LeakyReLU");
    if (!model_graph(&f.model, &(struct graph_options){ .n = 1, .h = HEIGHT, .w = WIDTH }, &g, &err))
        fail_msg("%s", err.text);
    for (int i = 0; i < g.node_count; i++) {
        const double slope = slope_of(&g.nodes[i]);
        const bool is_plain = starts_with(g.nodes[i].name, "backbone.") || strstr(g.nodes[i].name, ".reg_conv.");
        if (slope > 0 && fabs(slope - (is_plain ? 0.01 : 0.1)) > 1e-6)
            fail_msg("%s: slope %g", g.nodes[i].name, slope);
        plain += slope > 0 && is_plain;
        others += slope > 0 && !is_plain;
    }
    assert_int_equal(plain, 1 + 12 + 9 + 4 * 2);        /* the first layer, blocks by wide and by deep layers, boxes */
    assert_true(others > 0);
    graph_free(&g);
    close_model(&f);
}

/* ---- extra levels ---- */

/* The node of that name, and the one that makes its input. */
static const struct node *node_named(const struct graph *g, const char *name, const struct node **before)
{
    int i = 0;
    while (i < g->node_count && strcmp(g->nodes[i].name, name) != 0)
        i++;
    if (i == g->node_count)
        fail_msg("no layer %s", name);
    *before = &g->nodes[g->values[g->nodes[i].operand[0]].producer];
    return &g->nodes[i];
}

/* Each halves the two maps that the one before was the sum of: the original adds maps of different sizes here. */
static void test_extra_levels(void **state)
{
    static const char *const overrides[] = { "model.arch.fpn.num_extra_level=3", "model.arch.aux_head=null",
                                             "model.arch.head.strides=[8, 16, 32, 64, 128, 256]" };
    struct config config = {0};
    struct model model = {0};
    struct graph g = {0};
    struct error err = {0};
    (void)state;
    if (!config_parse(&config, small_model, strlen(small_model), "small.yml", overrides, 3, &err)
        || !model_open(&model, &config, &err)
        || !model_graph(&model, &(struct graph_options){ .n = 1, .h = 512, .w = 256 }, &g, &err))
        fail_msg("%s", err.text);
    for (int i = 1; i < 3; i++) {
        const char *const paths[] = { "in", "out" };
        for (int k = 0; k < 2; k++) {
            char name[64], other[64];
            const struct node *before, *own;
            snprintf(name, sizeof name, "fpn.extra_lvl_%s_conv.%d.depthwise", paths[k], i);
            snprintf(other, sizeof other, "fpn.extra_lvl_in_conv.%d.pwnorm", i - 1);
            own = node_named(&g, name, &before);
            assert_string_equal(before->name, k == 0 ? other : "fpn.add");
            assert_int_equal(own->y[0].h, 512 / 64 >> i);
            assert_int_equal(own->y[0].w, 256 / 64 >> i);
        }
    }
    graph_free(&g);
    model_free(&model);
    config_free(&config);
}

/* ---- refusals ---- */

static void test_refusals(void **state)
{
    static const struct { const char *backbone, *neck, *head, *said; } rows[] = {
        { "out_stages: [5, 8, 13]", PLUS_NECK, "name: NanoDetPlusHead, " HEAD, "out_stages must be" },
        { "out_stages: [5, 8]", PLUS_NECK, "name: NanoDetPlusHead, " HEAD, "out_stages must be" },
        { small, PLUS_NECK ", expand: 2", "name: NanoDetPlusHead, " HEAD, "expand is 2" },
        { small, PLUS_NECK ", num_blocks: 2", "name: NanoDetPlusHead, " HEAD, "num_blocks is 2" },
        { small, "name: GhostPAN, in_channels: [48, 72, 96], out_channels: 16, num_extra_level: 2",
          "name: NanoDetPlusHead, " HEAD, "strides has 4 numbers" },
        { small, PLUS_NECK ", ghost_block_type: extra", "name: NanoDetPlusHead, " HEAD, "ghost_block_type" },
        { small, PLUS_NECK, "name: NanoDetPlusHead, conv_type: RepConv, " HEAD, "conv_type" } };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture f;
        struct error err = {0};
        const bool opened = parse(&f, rows[i].backbone, rows[i].neck, rows[i].head, "ReLU6", &err);
        if (opened || err.exit != 2 || !strstr(err.text, rows[i].said))
            fail_msg("row %zu should say '%s', not '%s'", i, rows[i].said, err.text);
        close_model(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_sizes),
        cmocka_unit_test(test_gradients_are_slopes),
        cmocka_unit_test(test_gradients_reach_all),
        cmocka_unit_test(test_folds),
        cmocka_unit_test(test_slopes),
        cmocka_unit_test(test_extra_levels),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
