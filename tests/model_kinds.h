/* tests/model_kinds.h -- small models of every kind that files of other programs may hold. */
#ifndef TESTS_MODEL_KINDS_H
#define TESTS_MODEL_KINDS_H
#include "small_model.h"

/* Overrides of the small model. */
static const char *const model_kinds[] = {
    NULL, "model.arch.fpn.use_res=true", "model.arch.head.conv_type=Conv",
    /* branches that merge, in backbone and head */
    "model.arch={name: NanoDetPlus, backbone: {name: RepVGG, arch: A0, out_stages: [2, 3, 4], last_channel: 192}, "
    "fpn: {name: GhostPAN, in_channels: [96, 192, 192], out_channels: 32, num_extra_level: 1}, "
    "head: {name: NanoDetPlusHead, num_classes: 3, input_channel: 32, feat_channels: 32, conv_type: RepDWConv, "
    "strides: [8, 16, 32, 64], reg_max: 7}}",
    /* squeeze-and-excitation, hard swish */
    "model.arch={name: NanoDetPlus, backbone: {name: MobileNetV3Small, width_mult: 0.5}, "
    "fpn: {name: GhostPAN, in_channels: [16, 24, 288], out_channels: 32, num_extra_level: 1, activation: Mish}, "
    "head: {name: NanoDetPlusHead, num_classes: 3, input_channel: 32, feat_channels: 32, "
    "strides: [8, 16, 32, 64], reg_max: 7}}",
    /* kernels that are sums, norms that cannot fold */
    "model.arch={name: NanoDetPlus, backbone: {name: mobilenext, out_stages: [5, 8, 12], activation: ReLU6}, "
    "fpn: {name: GhostPAN, in_channels: [192, 288, 384], out_channels: 32, num_extra_level: 1, "
    "ghost_block_type: plus}, "
    "head: {name: NanoDetPlusHead, num_classes: 3, input_channel: 32, feat_channels: 32, "
    "strides: [8, 16, 32, 64], reg_max: 7}}",
    /* layer norms, a factor for each channel, layers that begin with a norm */
    "model.arch={name: NanoDetPlus, backbone: {name: TIMMWrapper, model_name: convnext_nano, "
    "out_indices: [1, 2, 3]}, "
    "fpn: {name: GhostPAN, in_channels: [160, 320, 640], out_channels: 32, num_extra_level: 1}, "
    "head: {name: NanoDetPlusHead, num_classes: 3, input_channel: 32, feat_channels: 32, "
    "strides: [8, 16, 32, 64], reg_max: 7}}",
    /* attention, layer norms, positions */
    "model.arch={name: OneStageDetector, backbone: {name: ShuffleNetV2, model_size: 0.5x}, "
    "fpn: {name: TAN, in_channels: [48, 96, 192], out_channels: 32, feature_hw: [4, 6], num_heads: 4, "
    "num_encoders: 1, mlp_ratio: 4, dropout_ratio: 0}, "
    "head: {name: NanoDetHead, num_classes: 3, input_channel: 32, feat_channels: 32, "
    "strides: [8, 16, 32], reg_max: 7}}",
    /* scales of levels, convolutions that levels share, scores apart from boxes */
    "model.arch={name: OneStageDetector, backbone: {name: ShuffleNetV2, model_size: 0.5x}, "
    "fpn: {name: PAN, in_channels: [48, 96, 192], out_channels: 32, start_level: 0, num_outs: 3}, "
    "head: {name: GFLHead, num_classes: 3, input_channel: 32, feat_channels: 32, stacked_convs: 2, "
    "strides: [8, 16, 32], reg_max: 7, norm_cfg: {type: BN}}}",
    /* a level of stride 4 */
    "model.arch={name: NanoDetPlus, backbone: {name: ShuffleNetV2, model_size: 0.5x, out_stages: [1, 2, 3, 4]}, "
    "fpn: {name: GhostPAN, in_channels: [24, 48, 96, 192], out_channels: 32, num_extra_level: 1}, "
    "head: {name: NanoDetPlusHead, num_classes: 3, input_channel: 32, feat_channels: 32, "
    "strides: [4, 8, 16, 32, 64], reg_max: 7}}",
    /* norms of groups */
    "model.arch={name: OneStageDetector, backbone: {name: ShuffleNetV2, model_size: 0.5x}, "
    "fpn: {name: FPN, in_channels: [48, 96, 192], out_channels: 32, start_level: 0, num_outs: 3}, "
    "head: {name: GFLHead, num_classes: 3, input_channel: 32, feat_channels: 32, stacked_convs: 2, "
    "strides: [8, 16, 32], reg_max: 7, norm_cfg: {type: GN, num_groups: 4}}}" };
enum { MODEL_KINDS = sizeof model_kinds / sizeof *model_kinds };

/* Batch norms have statistics of some training. */
static inline void open_random(struct fixture *f, const char *override)
{
    open_model(f, override);
    for (int i = 0; i < f->model.params.count; i++) {
        const struct param *p = &f->model.params.list[i];
        struct random random = random_of(seed(), 1000 + (uint64_t)i, 0);
        for (ptrdiff_t k = p->offset; p->kind == PARAM_BUFFER && k < p->offset + p->count; k++)
            f->model.params.value[k] = (float)random_range(&random, 0.5, 1.5);
    }
}
#endif
