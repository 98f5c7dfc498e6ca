/* tests/test_levels.c -- levels of stride 4: every backbone, neck and head; weights of a detector without them. */
#include "base/string_list.h"
#include "model/criterion.h"
#include "policy.h"
#include "small_model.h"
#include "weights/load.h"
#include "weights/weights.h"

enum { H = 64, W = 128 };
#define PLUS "head: {name: NanoDetPlusHead, num_classes: 3, input_channel: 16, feat_channels: 16, reg_max: 7, "
#define GHOST "out_channels: 16, kernel_size: 3"

/* Backbone and neck, head; both of a model without auxiliary head. */
static const struct { const char *parts, *head; int levels; } cases[] = {
    { "backbone: {name: ShuffleNetV2, model_size: 0.5x, out_stages: [1, 2, 3, 4]}, "
      "fpn: {name: GhostPAN, in_channels: [24, 48, 96, 192], num_extra_level: 1, " GHOST "}",
      PLUS "strides: [4, 8, 16, 32, 64]}", 5 },
    { "backbone: {name: ShuffleNetV2, model_size: 0.5x, out_stages: [1, 2, 3, 4]}, "
      "fpn: {name: GhostPAN, in_channels: [24, 48, 96, 192], ghost_block_type: plus, " GHOST "}",
      "head: {name: NanoDetPlusPlusHead, num_classes: 3, input_channel: 16, feat_channels: 16, reg_max: 7, "
      "strides: [4, 8, 16, 32]}", 4 },
    { "backbone: {name: ShuffleNetV2, model_size: 0.5x, out_stages: [1, 2, 3, 4]}, "
      "fpn: {name: PAN, in_channels: [24, 48, 96, 192], out_channels: 16, num_outs: 4}",
      "head: {name: NanoDetHead, num_classes: 3, input_channel: 16, feat_channels: 16, strides: [4, 8, 16, 32]}", 4 },
    { "backbone: {name: ShuffleNetV2, model_size: 0.5x, out_stages: [1, 2, 3, 4]}, "
      "fpn: {name: FPN, in_channels: [24, 48, 96, 192], out_channels: 16, num_outs: 4}",
      "head: {name: GFLHead, num_classes: 3, input_channel: 16, feat_channels: 16, strides: [4, 8, 16, 32], "
      "norm_cfg: {type: BN}}", 4 },
    { "backbone: {name: mobilenext, width_mult: 0.25, out_stages: [2, 5, 8, 12]}, "
      "fpn: {name: GhostPAN, in_channels: [40, 48, 72, 96], " GHOST "}", PLUS "strides: [4, 8, 16, 32]}", 4 },
    { "backbone: {name: MobileNetV2, width_mult: 0.25, last_channel: 64}, "
      "fpn: {name: GhostPAN, in_channels: [6, 8, 24, 64], " GHOST "}", PLUS "strides: [4, 8, 16, 32]}", 4 },
    { "backbone: {name: MobileNetV3Small, width_mult: 0.5, out_stages: [1, 3, 8, 12]}, "
      "fpn: {name: GhostPAN, in_channels: [8, 16, 24, 288], " GHOST "}", PLUS "strides: [4, 8, 16, 32]}", 4 },
    { "backbone: {name: GhostNet, width_mult: 0.5, out_stages: [2, 4, 6, 9]}, "
      "fpn: {name: GhostPAN, in_channels: [12, 20, 56, 480], " GHOST "}", PLUS "strides: [4, 8, 16, 32]}", 4 },
    { "backbone: {name: EfficientNetLite, model_name: efficientnet_lite0, out_stages: [1, 2, 4, 6]}, "
      "fpn: {name: GhostPAN, in_channels: [24, 40, 112, 320], " GHOST "}", PLUS "strides: [4, 8, 16, 32]}", 4 },
    { "backbone: {name: RepVGG, arch: A0, last_channel: 192}, "
      "fpn: {name: GhostPAN, in_channels: [48, 96, 192, 192], " GHOST "}", PLUS "strides: [4, 8, 16, 32]}", 4 },
    { "backbone: {name: TIMMWrapper, model_name: convnext_nano}, "
      "fpn: {name: GhostPAN, in_channels: [80, 160, 320, 640], " GHOST "}", PLUS "strides: [4, 8, 16, 32]}", 4 },
    { "backbone: {name: ResNet, depth: 18}, "
      "fpn: {name: GhostPAN, in_channels: [64, 128, 256, 512], " GHOST "}", PLUS "strides: [4, 8, 16, 32]}", 4 },
    { "backbone: {name: CustomCspNet, out_stages: [1, 2, 3, 4], net_cfg: [[Conv, 3, 8, 3, 2], [CspBlock, 8, 1, 3, 2], "
      "[CspBlock, 16, 1, 3, 2], [CspBlock, 32, 1, 3, 2], [CspBlock, 64, 1, 3, 2]]}, "
      "fpn: {name: GhostPAN, in_channels: [16, 32, 64, 128], " GHOST "}", PLUS "strides: [4, 8, 16, 32]}", 4 },
};

static void open_case(struct fixture *f, const char *parts, const char *head)
{
    char arch[900];
    snprintf(arch, sizeof arch, "model.arch={name: OneStageDetector, %s, %s}", parts, head);
    open_model(f, arch);
}

static void test_every_backbone_has_a_level_of_stride_4(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture f;
        struct graph g = {0};
        struct prior_grid grid;
        struct error err = {0};
        open_case(&f, cases[i].parts, cases[i].head);
        const struct graph_options options = { .n = 1, .h = H, .w = W, .training = true };
        if (!model_graph(&f.model, &options, &g, &err) || !criterion_grid(&f.model, 1, H, W, &grid, &err))
            fail_msg("%s: %s", cases[i].parts, err.text);
        const struct levels *levels = &g.values[graph_output_named(&g, "main")].shape.lv;
        assert_true(levels->count == cases[i].levels && grid.levels == cases[i].levels);
        for (int k = 0; k < levels->count; k++)
            assert_true(levels->h[k] == grid.h[k] && levels->w[k] == grid.w[k] && grid.stride[k] == 4 << k);
        assert_true(levels->h[0] == H / 4 && levels->w[0] == W / 4);
        graph_free(&g);
        close_model(&f);
    }
}

/* ---- weights of a detector without the level ---- */

#define AUX "aux_head: {name: SimpleConvHead, num_classes: 3, input_channel: 32, feat_channels: 32, " \
            "stacked_convs: 2, reg_max: 7, "
static const char three[] =
    "model.arch={name: NanoDetPlus, backbone: {name: ShuffleNetV2, model_size: 0.5x}, "
    "fpn: {name: GhostPAN, in_channels: [48, 96, 192], num_extra_level: 1, " GHOST "}, "
    PLUS "strides: [8, 16, 32, 64]}, " AUX "strides: [8, 16, 32, 64]}}";
static const char four[] =
    "model.arch={name: NanoDetPlus, backbone: {name: ShuffleNetV2, model_size: 0.5x, out_stages: [1, 2, 3, 4]}, "
    "fpn: {name: GhostPAN, in_channels: [24, 48, 96, 192], num_extra_level: 1, " GHOST "}, "
    PLUS "strides: [4, 8, 16, 32, 64]}, " AUX "strides: [4, 8, 16, 32, 64]}}";
static const char coarser[] =                                   /* a level more, but no finer one */
    "model.arch={name: NanoDetPlus, backbone: {name: ShuffleNetV2, model_size: 0.5x}, "
    "fpn: {name: GhostPAN, in_channels: [48, 96, 192], num_extra_level: 2, " GHOST "}, "
    PLUS "strides: [8, 16, 32, 64, 128]}, " AUX "strides: [8, 16, 32, 64, 128]}}";

static void load(struct fixture *to, const struct fixture *from, struct string_list *notes)
{
    struct tensors t = {0};
    struct error err = {0};
    if (!weights_to_tensors(&from->model.params, from->model.params.value, "", &t, &err)
        || !model_load_tensors(&to->model, &t, "file", LOAD_TO_TRAIN, to->model.params.value, notes, &err))
        fail_msg("%s", err.text);
    tensors_free(&t);
}

static void same_values(const struct fixture *a, const char *x, const struct fixture *b, const char *y)
{
    const struct params *p = &a->model.params, *q = &b->model.params;
    const float *u = param(a, x), *v = param(b, y);
    const ptrdiff_t count = p->list[params_find(p, x)].count;
    assert_true(count == q->list[params_find(q, y)].count);
    if (memcmp(u, v, (size_t)count * sizeof *u) != 0)
        fail_msg("%s differs from %s of the file", x, y);
}

static void test_levels_keep_their_weights(void **state)
{
    static const char *const pairs[][2] = {                     /* in the model, in the file */
        { "backbone.stage2.1.branch2.0.weight", "backbone.stage2.1.branch2.0.weight" },
        { "fpn.reduce_layers.1.conv.weight", "fpn.reduce_layers.0.conv.weight" },
        { "aux_fpn.reduce_layers.3.bn.running_var", "aux_fpn.reduce_layers.2.bn.running_var" },
        { "fpn.top_down_blocks.0.blocks.0.ghost1.primary_conv.0.weight",
          "fpn.top_down_blocks.0.blocks.0.ghost1.primary_conv.0.weight" },
        { "fpn.downsamples.1.conv.weight", "fpn.downsamples.0.conv.weight" },
        { "fpn.bottom_up_blocks.2.blocks.0.ghost1.primary_conv.0.weight",
          "fpn.bottom_up_blocks.1.blocks.0.ghost1.primary_conv.0.weight" },
        { "fpn.extra_lvl_in_conv.0.conv.weight", "fpn.extra_lvl_in_conv.0.conv.weight" },
        { "head.gfl_cls.1.weight", "head.gfl_cls.0.weight" }, { "head.gfl_cls.4.bias", "head.gfl_cls.3.bias" },
        { "head.cls_convs.2.1.depthwise.weight", "head.cls_convs.1.1.depthwise.weight" },
        { "aux_head.cls_convs.1.conv.weight", "aux_head.cls_convs.1.conv.weight" } };
    struct fixture a, b, c;
    struct string_list notes = {0};
    char loaded[60];
    (void)state;
    open_model(&a, three);
    open_model(&b, four);
    open_model(&c, coarser);
    for (ptrdiff_t i = 0; i < a.model.params.total; i++)
        a.model.params.value[i] = (float)(i % 10007) / 1000;
    load(&b, &a, &notes);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        same_values(&b, pairs[i][0], &a, pairs[i][1]);
    assert_non_null(strstr(notes.list[0], "1 finer level"));
    snprintf(loaded, sizeof loaded, "file: %d tensors loaded", a.model.params.count);       /* all of them */
    assert_string_equal(notes.list[1], loaded);
    assert_non_null(strstr(notes.list[2], "missing, left at the initial values: fpn.reduce_layers.0.conv.weight"));
    string_list_free(&notes);

    load(&c, &a, &notes);
    same_values(&c, "head.gfl_cls.0.weight", &a, "head.gfl_cls.0.weight");
    same_values(&c, "fpn.reduce_layers.2.conv.weight", &a, "fpn.reduce_layers.2.conv.weight");
    assert_string_equal(notes.list[0], loaded);
    string_list_free(&notes);
    close_model(&a);
    close_model(&b);
    close_model(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_backbone_has_a_level_of_stride_4),
        cmocka_unit_test(test_levels_keep_their_weights) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
