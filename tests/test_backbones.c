/* tests/test_backbones.c -- every backbone alone: output shapes, parameter counts, official names, initial values,
 * gradients of all parameters, random layers, and errors. */
#include "base/random.h"
#include "base/table.h"
#include "config/config.h"
#include "kernel/kernels.h"
#include "mobilenet_v3_small.h"
#include "model/registry.h"
#include "op/ops.h"
#include "policy.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct config config;
    const struct backbone *row;
    void *keys;
    struct params params;
    struct features maps;
    struct graph graph;
};

/* A graph of the backbone alone, its maps as outputs, for n images; false: err says why. */
static bool build(struct fixture *f, bool training, int n, int h, int w, struct error *err)
{
    static const char *const names[] = { "0", "1", "2", "3", "4", "5", "6", "7" };
    struct builder b = { .graph = &f->graph, .params = &f->params, .training = training };
    graph_free(&f->graph);
    f->maps = (struct features){0};
    const value image = graph_input(&b, (struct shape){ n, h, w, 3, {0} });
    f->row->build(&b, f->keys, image, &f->maps);
    for (int i = 0; i < f->maps.count; i++)
        graph_output(&b, names[i], f->maps.at[i]);
    return graph_build(&b, err);
}

static bool open_backbone(struct fixture *f, const char *section, struct error *err)
{
    char yaml[1200];
    *f = (struct fixture){0};
    snprintf(yaml, sizeof yaml,
             "model: {arch: {name: NanoDetPlus, backbone: {%s}, fpn: {name: PAN}, head: {name: NanoDetHead}}}\n"
             "data: {train: {input_size: [64, 64]}}\n"
             "schedule: {optimizer: {name: SGD, lr: 0.1, momentum: 0.9, weight_decay: 0}, total_epochs: 1}\n"
             "class_names: [a]\n", section);
    if (!config_parse(&f->config, yaml, strlen(yaml), "test.yml", NULL, 0, err))
        return false;
    f->row = find_row(f->config.model.name[MODEL_BACKBONE], backbones, sizeof *backbones);
    if (!f->row)
        fail_msg("no such backbone: %s", section);
    f->keys = calloc(1, f->row->config_size);
    return section_read(&f->config, "model.arch.backbone", f->row->keys, f->keys, err);
}

static void close_backbone(struct fixture *f)
{
    graph_free(&f->graph);
    params_free(&f->params);
    free(f->keys);
    config_free(&f->config);
}

/* ---- as published ---- */

/* The number of parameters, and channels and sizes of the original's maps for an image of 64 x 96. */
static const struct published {
    const char *section;
    int parameters;
    int maps[4][3];                             /* channels, height, width */
} published[] = {
    { "name: MobileNetV2", 2223872, { { 24, 16, 24 }, { 32, 8, 12 }, { 96, 4, 6 }, { 1280, 2, 3 } } },
    { "name: MobileNetV2, width_mult: 0.75, last_channel: 96, out_stages: [2, 4, 6]", 1060440,
      { { 24, 8, 12 }, { 72, 4, 6 }, { 96, 2, 3 } } },
    { "name: MobileNetV3Small", 927008, { { 24, 8, 12 }, { 48, 4, 6 }, { 576, 2, 3 } } },
    { "name: MobileNetV3Small, width_mult: 0.5, out_stages: [1, 3, 8, 12]", 256296,
      { { 8, 16, 24 }, { 16, 8, 12 }, { 24, 4, 6 }, { 288, 2, 3 } } },
    { "name: GhostNet", 2671428, { { 40, 8, 12 }, { 112, 4, 6 }, { 960, 2, 3 } } },
    { "name: GhostNet, width_mult: 1.3", 4479100, { { 52, 8, 12 }, { 144, 4, 6 }, { 1248, 2, 3 } } },
    { "name: EfficientNetLite, model_name: efficientnet_lite0", 2958848,
      { { 40, 8, 12 }, { 112, 4, 6 }, { 320, 2, 3 } } },
    { "name: EfficientNetLite, model_name: efficientnet_lite1", 3723520,
      { { 40, 8, 12 }, { 112, 4, 6 }, { 320, 2, 3 } } },
    { "name: EfficientNetLite, model_name: efficientnet_lite2", 4357952,
      { { 48, 8, 12 }, { 120, 4, 6 }, { 352, 2, 3 } } },
    { "name: EfficientNetLite, model_name: efficientnet_lite3", 6422016,
      { { 48, 8, 12 }, { 136, 4, 6 }, { 384, 2, 3 } } },
    { "name: EfficientNetLite, model_name: efficientnet_lite4", 11149568,
      { { 56, 8, 12 }, { 160, 4, 6 }, { 448, 2, 3 } } },
    { "name: RepVGG, arch: A0", 7827968, { { 48, 16, 24 }, { 96, 8, 12 }, { 192, 4, 6 }, { 1280, 2, 3 } } },
    { "name: RepVGG, arch: A2", 26801600, { { 96, 16, 24 }, { 192, 8, 12 }, { 384, 4, 6 }, { 1408, 2, 3 } } },
    { "name: RepVGG, arch: B1g4", 37917056, { { 128, 16, 24 }, { 256, 8, 12 }, { 512, 4, 6 }, { 2048, 2, 3 } } },
    { "name: RepVGG, arch: B3", 120524288, { { 192, 16, 24 }, { 384, 8, 12 }, { 768, 4, 6 }, { 2560, 2, 3 } } },
    { "name: ResNet, depth: 18", 11176512, { { 64, 16, 24 }, { 128, 8, 12 }, { 256, 4, 6 }, { 512, 2, 3 } } },
    { "name: ResNet, depth: 34", 21284672, { { 64, 16, 24 }, { 128, 8, 12 }, { 256, 4, 6 }, { 512, 2, 3 } } },
    { "name: ResNet, depth: 50", 23508032, { { 256, 16, 24 }, { 512, 8, 12 }, { 1024, 4, 6 }, { 2048, 2, 3 } } },
    { "name: ResNet, depth: 152", 58143808, { { 256, 16, 24 }, { 512, 8, 12 }, { 1024, 4, 6 }, { 2048, 2, 3 } } },
    { "name: CustomCspNet, out_stages: [3, 4, 5], net_cfg: [[Conv, 3, 16, 3, 2], [MaxPool, 3, 2],"
      " [CspBlock, 16, 1, 3, 1], [CspBlock, 32, 2, 3, 2], [CspBlock, 64, 2, 3, 2], [CspBlock, 128, 3, 3, 2]]", 796912,
      { { 64, 8, 12 }, { 128, 4, 6 }, { 256, 2, 3 } } },
    { "name: TIMMWrapper, model_name: convnext_nano, out_indices: [1, 2, 3]", 14951280,
      { { 160, 8, 12 }, { 320, 4, 6 }, { 640, 2, 3 } } },
    { "name: TIMMWrapper, model_name: convnext_atto", 3373880,
      { { 40, 16, 24 }, { 80, 8, 12 }, { 160, 4, 6 }, { 320, 2, 3 } } },
    { "name: TIMMWrapper, model_name: convnext_tiny", 27818592,
      { { 96, 16, 24 }, { 192, 8, 12 }, { 384, 4, 6 }, { 768, 2, 3 } } },
    {0} };

static void test_published(void **state)
{
    (void)state;
    for (const struct published *row = published; row->section; row++) {
        struct fixture f;
        struct error err = {0};
        ptrdiff_t count = 0;
        if (!open_backbone(&f, row->section, &err) || !build(&f, true, 2, 64, 96, &err))
            fail_msg("%s: %s", row->section, err.text);
        for (int i = 0; i < f.params.count; i++) {
            if (f.params.list[i].kind == PARAM_TRAINED && !f.params.list[i].used)
                fail_msg("%s: no gradient reaches %s", row->section, f.params.list[i].name);
            count += f.params.list[i].kind == PARAM_TRAINED ? f.params.list[i].count : 0;
        }
        if (count != row->parameters)
            fail_msg("%s: %td parameters, not %d", row->section, count, row->parameters);
        for (int i = 0; i < 4 && row->maps[i][0]; i++) {
            const struct shape s = f.graph.values[f.maps.at[i]].shape;
            if (i >= f.maps.count || s.c != row->maps[i][0] || s.h != row->maps[i][1] || s.w != row->maps[i][2])
                fail_msg("%s: map %d has %d channels of %d x %d", row->section, i, s.c, s.h, s.w);
        }
        close_backbone(&f);
    }
}

/* ---- names and first values ---- */

/* A parameter, its shape as in files (0: no such axis), and the deviation or constant that it starts with. */
static const struct named { const char *section, *name; int dims[4]; double first; } named[] = {
    { "name: MobileNetV2", "first_layer.0.weight",          { 32, 3, 3, 3 },   0.001 },
    { "name: MobileNetV2", "stage0.0.conv.1.weight",        { 16, 32, 1, 1 },  0.001 },
    { "name: MobileNetV2", "stage3.2.conv.1.0.weight",      { 384, 1, 3, 3 },  0.001 },
    { "name: MobileNetV2", "stage6.1.1.running_var",        { 1280 },          1 },
    { "name: MobileNetV3Small", "features.2.block.1.0.weight", { 72, 1, 3, 3 }, 0.0555556 },
    { "name: GhostNet",    "conv_stem.weight",              { 16, 3, 3, 3 },   0.01 },
    { "name: GhostNet",    "blocks.3.0.se.conv_reduce.weight", { 20, 72, 1, 1 }, 1.0 / 72 },
    { "name: GhostNet",    "blocks.3.0.se.conv_expand.bias", { 72 },           0 },
    { "name: GhostNet",    "blocks.6.4.ghost2.cheap_operation.1.bias", { 56 }, 0.0001 },
    { "name: GhostNet",    "blocks.9.0.bn1.weight",         { 960 },           1 },
    { "name: EfficientNetLite, model_name: efficientnet_lite0", "stem.0.weight", { 32, 3, 3, 3 }, 0.0833333 },
    { "name: EfficientNetLite, model_name: efficientnet_lite0", "blocks.5.3._depthwise_conv.weight",
      { 1152, 1, 5, 5 }, 0.00833333 },
    { "name: EfficientNetLite, model_name: efficientnet_lite0", "blocks.0.0._bn2.bias", { 16 }, 0 },
    { "name: RepVGG, arch: B1g2", "stage0.rbr_dense.0.weight",   { 64, 3, 3, 3 },    0.111111 },
    { "name: RepVGG, arch: B1g2", "stage1.1.rbr_1x1.0.weight",   { 128, 64, 1, 1 },  0.0721688 },
    { "name: RepVGG, arch: B1g2", "stage1.1.rbr_identity.weight", { 128 },           1 },
    { "name: RepVGG, arch: A0, deploy: true", "stage4.0.rbr_reparam.bias", { 1280 }, 0.0138889 },
    { "name: ResNet, depth: 18", "layer2.0.downsample.1.weight", { 128 },            1 },
    { "name: ResNet, depth: 18", "layer4.1.conv2.weight",        { 512, 512, 3, 3 }, 0.0208333 },
    { "name: ResNet, depth: 50", "layer1.0.downsample.0.weight", { 256, 64, 1, 1 },  0.0883883 },
    { "name: ResNet, depth: 50", "layer3.5.conv3.weight",        { 1024, 256, 1, 1 }, 0.0441942 },
    { "name: CustomCspNet, out_stages: [0, 1], net_cfg: [[Conv, 3, 8, 3, 2], [CspBlock, 8, 2, 3, 2]]",
      "stages.1.res_blocks.1.mid_conv.conv.weight", { 4, 4, 3, 3 }, 0.2357 },
    { "name: TIMMWrapper, model_name: convnext_nano", "timm.stem_0.weight",                { 80, 3, 4, 4 },  0.02 },
    { "name: TIMMWrapper, model_name: convnext_nano", "timm.stages_2.blocks.7.gamma",      { 320 },          1e-6 },
    { "name: TIMMWrapper, model_name: convnext_nano", "timm.stages_3.downsample.1.weight", { 640, 320, 2, 2 }, 0.02 },
    { "name: TIMMWrapper, model_name: convnext_nano", "timm.stages_0.blocks.0.mlp.fc1.weight", { 320, 80, 1, 1 },
      0.02 },
    { "name: TIMMWrapper, model_name: convnext_tiny", "timm.stages_0.blocks.0.mlp.fc1.weight", { 384, 96 }, 0.02 },
    {0} };

/* Six deviations of the mean square of count numbers. */
static bool starts_as(const real *p, ptrdiff_t count, double first)
{
    double squares = 0;
    for (ptrdiff_t i = 0; i < count; i++)
        squares += (double)p[i] * p[i] / (double)count;
    return fabs(sqrt(squares) - first) <= first * 6 / sqrt(2 * (double)count) + 1e-9;
}

static void test_names(void **state)
{
    (void)state;
    for (const struct named *row = named; row->name; row++) {
        struct fixture f;
        struct error err = {0};
        if (!open_backbone(&f, row->section, &err) || !build(&f, false, 1, 64, 64, &err)
            || !params_layout(&f.params, NULL, 0, &err))
            fail_msg("%s: %s", row->section, err.text);
        params_init(&f.params, 1);
        const int index = params_find(&f.params, row->name);
        if (index < 0)
            fail_msg("%s has no %s", row->section, row->name);
        const struct param *p = &f.params.list[index];
        const bool vector = row->dims[1] == 0;
        const int dims[] = { vector ? p->shape.c : p->shape.n, vector ? 0 : p->shape.c, row->dims[2] ? p->shape.h : 0,
                             row->dims[3] ? p->shape.w : 0 };
        if (memcmp(dims, row->dims, sizeof dims) != 0 || p->rank != (vector ? 1 : row->dims[2] ? 4 : 2))
            fail_msg("%s has another shape", row->name);
        if (!starts_as(f.params.value + p->offset, p->count, row->first))
            fail_msg("%s does not start with %g", row->name, row->first);
        close_backbone(&f);
    }
}

/* ---- MobileNetV3-Small beside torchvision's ---- */

/* The n-th number from -0.5 to 0.5, as in tests/oracle/mobilenet_v3.py. */
static double uniform(const char *name, uint32_t n)
{
    uint32_t x = 2166136261u;
    for (; *name; name++)
        x = (x ^ (uint32_t)(unsigned char)*name) * 16777619u;
    x += n * 2654435761u;
    x = (x ^ x >> 15) * 0x85EBCA6Bu;
    return (x ^ x >> 13) / 4294967296.0 - 0.5;
}

static void set_param(struct params *params, const char *name, const int dims[4])
{
    const int index = params_find(params, name);
    const bool ones = strstr(name, "running_var") || (!dims[1] && strstr(name, "1.weight"));
    const double scale = dims[1] ? sqrt(24.0 / (dims[1] * dims[2] * dims[3])) : 1;
    size_t file[4];
    if (index < 0)
        fail_msg("no parameter %s", name);
    const struct param *p = &params->list[index];
    const int rank = param_dims(p, file);
    assert_int_equal(rank, dims[1] ? 4 : 1);
    for (int i = 0; i < rank; i++)
        assert_int_equal(file[i], dims[i]);
    float *numbers = calloc((size_t)p->count, sizeof *numbers);
    assert_non_null(numbers);
    for (ptrdiff_t i = 0; i < p->count; i++)
        numbers[i] = (float)(ones + scale * uniform(name, (uint32_t)i));
    param_from_file(p, numbers, params->value);
    free(numbers);
}

static void test_mobilenet_v3(void **state)
{
    enum { COUNT = sizeof mobilenet_v3_small / sizeof *mobilenet_v3_small, H = 64, W = 96 };
    const struct team team = { 1 };
    struct fixture f;
    struct error err = {0};
    (void)state;
    assert_true(open_backbone(&f, "name: MobileNetV3Small", &err) && build(&f, false, 1, H, W, &err)
                && params_layout(&f.params, NULL, 0, &err));
    assert_int_equal(f.params.count, COUNT);
    for (int i = 0; i < COUNT; i++)
        set_param(&f.params, mobilenet_v3_small[i].name, mobilenet_v3_small[i].dims);
    assert_true(build(&f, false, 1, H, W, &err)
                && graph_bind(&f.graph, &(struct binding){ .params = &f.params, .values = f.params.value, .team = &team,
                                                           .kernels = kernels_under_test() }, &err));
    struct view image = graph_view(&f.graph, 0);
    for (int i = 0; i < 3 * H * W; i++)
        image.p[i % (H * W) * image.ld + i / (H * W)] = (float)(4 * uniform("image", (uint32_t)i));
    graph_forward(&f.graph, 0);
    for (int i = 0; i < 3; i++) {
        const struct view y = graph_view(&f.graph, f.graph.outputs[i].v);
        const ptrdiff_t plane = (ptrdiff_t)y.h * y.w, count = plane * y.c;
        const double limit = 2e-5 * mobilenet_v3_maps[i].mean;
        double mean = 0;
        for (ptrdiff_t k = 0; k < count; k++)
            mean += fabs((double)y.p[k / y.c * y.ld + k % y.c]) / (double)count;
        if (!(fabs(mean - mobilenet_v3_maps[i].mean) <= limit))
            fail_msg("map %d: mean %.9g, not %.9g", i, mean, mobilenet_v3_maps[i].mean);
        for (ptrdiff_t k = 0; k < 8; k++) {
            const ptrdiff_t at = k * count / 8 + 5 * k;
            const double got = y.p[at % plane * y.ld + at / plane], want = mobilenet_v3_maps[i].at[k];
            if (!(fabs(got - want) <= limit))
                fail_msg("map %d: element %td is %.9g, not %.9g", i, at, got, want);
        }
    }
    close_backbone(&f);
}

/* ---- running ---- */

static void fill(struct view v, uint64_t stream)
{
    struct random random = random_of(1, stream, 0);
    for (ptrdiff_t i = 0; i < pixels(v) * v.c; i++)
        v.p[i] = (real)random_normal(&random);
}

static const char *const small_ones[] = {
    "name: MobileNetV2, width_mult: 0.25, last_channel: 24, activation: SiLU",
    "name: MobileNetV3Small, width_mult: 0.25, activation: Mish",
    "name: GhostNet, width_mult: 0.25, activation: SiLU",
    "name: EfficientNetLite, model_name: efficientnet_lite0, activation: SiLU, out_stages: [0, 2, 3]",
    "name: RepVGG, arch: A0, activation: SiLU, out_stages: [1, 2], last_channel: 8",
    "name: ResNet, depth: 18, activation: SiLU, out_stages: [1, 2, 4]",
    "name: CustomCspNet, out_stages: [0, 1], net_cfg: [[Conv, 3, 8, 3, 2], [CspBlock, 8, 2, 3, 2]], activation: SiLU",
    "name: TIMMWrapper, model_name: convnext_atto, drop_path_rate: 0.5, out_indices: [0, 1]", NULL };

/* Forward and backward with a number of threads; the gradients, which the caller frees. */
static real *train(struct fixture *f, int threads, int h, int w, struct error *err)
{
    struct team team = { threads };
    real *gradients = calloc((size_t)f->params.total, sizeof *gradients);
    const struct binding to = { .params = &f->params, .values = f->params.value, .buffers = f->params.value,
                                .gradients = gradients, .team = &team, .kernels = kernels_under_test() };
    if (!build(f, true, 2, h, w, err) || !graph_bind(&f->graph, &to, err))
        fail_msg("%s", err->text);
    fill(graph_view(&f->graph, 0), 1);
    graph_forward(&f->graph, 3);
    for (int i = 0; i < f->graph.output_count; i++)
        fill(graph_gradient(&f->graph, f->graph.outputs[i].v), 2);
    graph_backward(&f->graph, false);
    return gradients;
}

/* Sizes that no stride divides; the same bits for any number of threads, and a gradient for every weight. */
static void test_gradients(void **state)
{
    (void)state;
    for (const char *const *section = small_ones; *section; section++) {
        struct fixture f;
        struct error err = {0};
        if (!open_backbone(&f, *section, &err) || !build(&f, true, 2, 33, 45, &err)
            || !params_layout(&f.params, NULL, 0, &err))
            fail_msg("%s: %s", *section, err.text);
        params_init(&f.params, 1);
        real *one = train(&f, 1, 33, 45, &err), *three = train(&f, 3, 33, 45, &err);
        assert_memory_equal(one, three, (size_t)f.params.trained * sizeof *one);
        for (int i = 0; i < f.params.count; i++) {
            const struct param *p = &f.params.list[i];
            double sum = 0;
            for (ptrdiff_t k = p->offset; p->kind == PARAM_TRAINED && k < p->offset + p->count; k++)
                sum += fabs((double)one[k]);
            if (!isfinite(sum) || (p->used && p->kind == PARAM_TRAINED && p->rank == 4 && sum == 0))
                fail_msg("%s: the gradients of %s sum to %g", *section, p->name, sum);
        }
        free(one);
        free(three);
        close_backbone(&f);
    }
}

/* Block i of EfficientNet-Lite is skipped with probability 0.2 i / 7, where it has a shortcut. */
static void test_drop_connect(void **state)
{
    static const double blocks[] = { 2, 4, 6, 7, 9, 10, 12, 13, 14 };
    struct fixture f;
    struct error err = {0};
    (void)state;
    assert_true(open_backbone(&f, "name: EfficientNetLite, model_name: efficientnet_lite0", &err));
    for (int training = 0; training < 2; training++) {
        size_t found = 0;
        assert_true(build(&f, training, 2, 64, 64, &err));
        for (int i = 0; i < f.graph.node_count; i++)
            if (f.graph.nodes[i].op == &op_drop_path) {
                assert_true(found < sizeof blocks / sizeof *blocks);
                assert_true(fabs((double)drop_attr(&f.graph.nodes[i])->rate - 0.2 * blocks[found] / 7) < 1e-6);
                found++;
            }
        assert_int_equal(found, training ? sizeof blocks / sizeof *blocks : 0);
    }
    close_backbone(&f);
}

/* The activation under its old name, which a null does not give and the new name overrules. */
static void test_old_names(void **state)
{
    static const struct { const char *section; enum act act; } rows[] = {
        { "name: MobileNetV2, activation: SiLU, act: null", ACT_SILU },
        { "name: MobileNetV2, act: SiLU", ACT_SILU }, { "name: MobileNetV2, activation: Mish", ACT_MISH },
        { "name: GhostNet, act: ReLU6, activation: SiLU", ACT_SILU }, { "name: GhostNet, activation: null", ACT_NONE },
        { "name: GhostNet", ACT_RELU } };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture f;
        struct error err = {0};
        if (!open_backbone(&f, rows[i].section, &err) || !build(&f, false, 1, 64, 64, &err))
            fail_msg("%s: %s", rows[i].section, err.text);
        const struct node *n = f.graph.nodes;
        while (n->op != &op_norm)
            n++;
        assert_int_equal(norm_attr(n)->act, rows[i].act);
        close_backbone(&f);
    }
}

/* ---- refused ---- */

static const struct { const char *section, *say; } refused[] = {
    { "name: EfficientNetLite", "model_name must be given" },
    { "name: EfficientNetLite, model_name: efficientnet_lite7", "did you mean efficientnet_lite" },
    { "name: EfficientNetLite, model_name: efficientnet_lite0, out_stages: [7]", "out_stages" },
    { "name: EfficientNetLite, model_name: efficientnet_lite0, drop_connect_rate: .nan", "drop_connect_rate" },
    { "name: RepVGG, arch: C1", "no such RepVGG" },
    { "name: RepVGG, arch: B1g4, last_channel: -1", "last_channel" },
    { "name: ResNet, depth: 20", "18, 34, 50, 101 or 152" },
    { "name: ResNet, depth: 17", "depth" },
    { "name: MobileNetV2, width_mult: 0", "width_mult" },
    { "name: GhostNet, out_stages: [0, 1, 2, 3, 4, 5, 6, 7, 8]", "more than 8 maps" },
    { "name: TIMMWrapper, model_name: resnet18", "only ConvNeXt" },
    { "name: TIMMWrapper, model_name: convnext_nano, features_only: false", "features_only" },
    { "name: TIMMWrapper, model_name: convnext_nano, checkpoint_path: nano.pth", "pretrained" },
    { "name: CustomCspNet, out_stages: [0]", "net_cfg" },
    { "name: CustomCspNet, out_stages: [0], net_cfg: 3", "net_cfg must be a list of lists" },
    { "name: CustomCspNet, out_stages: [0], net_cfg: []", "list of stages" },
    { "name: CustomCspNet, out_stages: [0], net_cfg: [[Conv, 3, 8, 3]]", "net_cfg[0] must be" },
    { "name: CustomCspNet, out_stages: [0], net_cfg: [[Conv, 3, 8, 3, 1e9]]", "net_cfg[0] must be" },
    { "name: CustomCspNet, out_stages: [0], net_cfg: [[Conv, 3, [8], 3, 1]]", "net_cfg[0] must be" },
    { "name: CustomCspNet, out_stages: [0], net_cfg: [[], Conv]", "net_cfg[0] must be" },
    { "name: CustomCspNet, out_stages: [0], net_cfg: [[Pool, 3, 8]]", "net_cfg[0] must be" },
    { "name: CustomCspNet, out_stages: [0], net_cfg: [[Conv, 3, 8, 3, 0]]", "net_cfg[0] must be" },
    { "name: CustomCspNet, out_stages: [0], net_cfg: [[Conv, 3, 8, 0, 1]]", "net_cfg[0] must be" },
    { "name: CustomCspNet, out_stages: [1], net_cfg: [[Conv, 3, 8, 3, 2], [CspBlock, 6, 1, 3, 1]]", "wants 6 chan" },
    { "name: CustomCspNet, out_stages: [1], net_cfg: [[Conv, 3, 7, 3, 2], [CspBlock, 7, 1, 3, 1]]", "even" },
    { "name: CustomCspNet, out_stages: [0], net_cfg: [[MaxPool, 99, 1]]", "stages.0.max_pool" },
    {0} };

static void test_refused(void **state)
{
    (void)state;
    for (int i = 0; refused[i].section; i++) {
        struct fixture f;
        struct error err = {0};
        if ((open_backbone(&f, refused[i].section, &err) && build(&f, true, 1, 64, 64, &err)) || err.exit != 2
            || !strstr(err.text, refused[i].say))
            fail_msg("%s: '%s' does not say '%s'", refused[i].section, err.text, refused[i].say);
        close_backbone(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published), cmocka_unit_test(test_names), cmocka_unit_test(test_mobilenet_v3),
        cmocka_unit_test(test_gradients),
        cmocka_unit_test(test_drop_connect),
        cmocka_unit_test(test_old_names),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
