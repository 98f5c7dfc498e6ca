/* model/head/nanodet_head.c -- the head of NanoDet: for each level its own 3x3 convolutions and a 1x1 convolution that
 * predicts classes and boxes together, or, unless share_cls_reg, convolutions for each of the two. */
#include "model/parts.h"
#include <stdio.h>

static const struct word conv_words[] = { { "DWConv", CONV_DEPTHWISE }, { "Conv", CONV_DENSE }, {0} };

const struct key nanodet_head_keys[] = {
    { "num_classes",    FIELD(nanodet_head, head.num_classes),    "#class_names", 1, 4096, "classes" },
    { "input_channel",  FIELD(nanodet_head, head.input_channel),  NULL,  1, 65536, "channels per level" },
    { "feat_channels",  FIELD(nanodet_head, head.feat_channels),  "256", 1, 65536,
      "channels of the inner convolutions" },
    { "stacked_convs",  FIELD(nanodet_head, head.stacked_convs),  "2",   0, 64,    "convolutions per level" },
    { "share_cls_reg",  FIELD(nanodet_head, share_cls_reg),       "false", 0, 0,
      "classes and boxes share the convolutions" },
    { "reg_max",        FIELD(nanodet_head, head.reg_max),        "16",  1, 63,    "max distance in strides" },
    { "strides",        FIELD(nanodet_head, head.strides),        "[8, 16, 32]", 1, 1024, "stride of each level" },
    { "activation",     WORDS(nanodet_head, head.activation, activation_words), "LeakyReLU", 0, 0, "activation" },
    { "conv_type",      WORDS(nanodet_head, conv_type, conv_words), "DWConv", 0, 0, "depthwise separable or dense" },
    { "norm_cfg.type",  WORDS(nanodet_head, norm.type, norm_words), "BN", 0, 0,    "normalisation" },
    { "norm_cfg.num_groups", FIELD(nanodet_head, norm.num_groups), "32", 1, 65536, "groups of GN" },
    { "norm_cfg.requires_grad", .type = KEY_IGNORED, .help = "always true" },
    { "octave_base_scale", FIELD(nanodet_head, head.octave_base_scale), "5", 0.01, 1000,
      "side of the square anchor of a cell for the assigner, in strides" },
    { "ignore_iof_thr", FIELD(nanodet_head, head.ignore_iof_thr), "-1", -1, 1,
      "IoF with an ignore region above which a cell is not trained; not positive: none" },
    { "scales_per_octave", .type = KEY_IGNORED, .help = "no effect, as upstream" },
    { "conv_cfg",       .type = KEY_IGNORED, .help = "no effect, as upstream" },
    { "loss",           .type = KEY_SECTION, .help = "the losses" },
    {0} };

static value level_convs(struct builder *b, const struct nanodet_head *c, const char *name, int level, value x)
{
    const struct conv spec = dense(c->head.feat_channels, 3, 1);
    char list[32];
    snprintf(list, sizeof list, "%s.%d", name, level);
    for (int i = 0; i < c->head.stacked_convs; i++) {
        enter_index(b, list, i);
        x = c->conv_type == CONV_DENSE ? conv_module(b, x, spec, c->norm, c->head.activation)
                                       : depthwise_module(b, x, spec, c->norm, c->head.activation);
        leave(b);
    }
    return x;
}

static value predict(struct builder *b, const struct nanodet_head *c, int level, value x)
{
    const struct conv sides = biased(pointwise(4 * (c->head.reg_max + 1)));
    char cls[32], reg[32];
    snprintf(cls, sizeof cls, "gfl_cls.%d", level);
    snprintf(reg, sizeof reg, "gfl_reg.%d", level);
    const value y = level_convs(b, c, "cls_convs", level, x);
    b->init.bias = -4.595;                              /* a probability of 0.01 */
    const value classes = conv(b, cls, y, biased(pointwise(c->head.num_classes + (c->share_cls_reg ? sides.out : 0))));
    b->init.bias = 0;
    if (c->share_cls_reg) {
        conv_unused(b, reg, c->head.feat_channels, sides);
        return classes;
    }
    return concat(b, classes, conv(b, reg, level_convs(b, c, "reg_convs", level, x), sides));
}

value nanodet_head_build(struct builder *b, const void *config, const struct features *in)
{
    const struct nanodet_head *c = config;
    value rows[FEATURES];
    b->init = (struct layer_init){ .weights = WEIGHTS_NORMAL, .deviation = 0.01 };
    for (int level = 0; level < in->count; level++)
        rows[level] = predict(b, c, level, in->at[level]);
    return stack(b, rows, in->count);
}
