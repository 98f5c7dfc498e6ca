/* model/head/nanodet_plus_head.c -- the head of NanoDet-Plus: for each level its own depthwise separable convolutions
 * and one 1x1 convolution that predicts classes and boxes together; NanoDetPlusPlusHead of Enhanced NanoDet predicts
 * them apart. */
#include "model/parts.h"
#include <stdio.h>

static const struct word conv_words[] = { { "DWConv", CONV_DEPTHWISE }, { "RepDWConv", CONV_REP_DEPTHWISE },
                                          { "Conv", CONV_DENSE }, {0} };

const struct key nanodet_plus_head_keys[] = {
    { "num_classes",    FIELD(nanodet_plus_head, head.num_classes),    "#class_names", 1, 4096, "classes" },
    { "input_channel",  FIELD(nanodet_plus_head, head.input_channel),  NULL, 1, 65536, "channels per level" },
    { "feat_channels",  FIELD(nanodet_plus_head, head.feat_channels),  "96", 1, 65536,
      "channels of the inner convolutions" },
    { "stacked_convs",  FIELD(nanodet_plus_head, head.stacked_convs),  "2",  0, 64,    "convolutions per level" },
    { "reg_max",        FIELD(nanodet_plus_head, head.reg_max),        "7",  1, 63,    "max distance in strides" },
    { "strides",        FIELD(nanodet_plus_head, head.strides),        "[8, 16, 32]", 1, 1024, "stride of each level" },
    { "activation",     WORDS(nanodet_plus_head, head.activation, activation_words), "LeakyReLU", 0, 0, "activation" },
    { "kernel_size",    FIELD(nanodet_plus_head, kernel_size),         "5",  1, 31, "kernel size of the convolutions" },
    { "conv_type",      WORDS(nanodet_plus_head, conv_type, conv_words), "DWConv", 0, 0,
      "depthwise separable, the same with two branches, or dense" },
    { "norm_cfg.type",  WORDS(nanodet_plus_head, norm.type, norm_words), "BN", 0, 0,   "normalisation" },
    { "norm_cfg.num_groups", FIELD(nanodet_plus_head, norm.num_groups), "32", 1, 65536, "groups of GN" },
    { "loss",           .type = KEY_SECTION, .help = "the losses" },
    { "assigner_cfg",   .type = KEY_SECTION, .help = "the dynamic soft label assigner" },
    {0} };

static value level_convs(struct builder *b, const struct nanodet_plus_head *c, int level, value x)
{
    static value (*const modules[])(struct builder *, value, struct conv, struct norm_config, enum act) = {
        [CONV_DEPTHWISE] = depthwise_module, [CONV_REP_DEPTHWISE] = rep_depthwise_module, [CONV_DENSE] = conv_module };
    const struct conv spec = dense(c->head.feat_channels, c->kernel_size, 1);
    char list[32];
    snprintf(list, sizeof list, "cls_convs.%d", level);
    for (int i = 0; i < c->head.stacked_convs; i++) {
        enter_index(b, list, i);
        x = modules[c->conv_type](b, x, spec, c->norm, c->head.activation);
        leave(b);
    }
    return x;
}

static int box_logits(const struct nanodet_plus_head *c) { return 4 * (c->head.reg_max + 1); }

static value levels(struct builder *b, const struct nanodet_plus_head *c, const struct features *in,
                    value (*predict)(struct builder *, const struct nanodet_plus_head *, const char *name, value))
{
    value rows[FEATURES];
    for (int level = 0; level < in->count; level++) {
        char name[32];
        snprintf(name, sizeof name, "gfl_cls.%d", level);
        b->init = (struct layer_init){ .weights = WEIGHTS_NORMAL, .deviation = 0.01 };
        const value x = level_convs(b, c, level, in->at[level]);
        b->init.bias = -4.595;                          /* a probability of 0.01 */
        rows[level] = predict(b, c, name, x);
    }
    return stack(b, rows, in->count);
}

static value together(struct builder *b, const struct nanodet_plus_head *c, const char *name, value x)
{
    return conv(b, name, x, biased(pointwise(c->head.num_classes + box_logits(c))));
}

value nanodet_plus_head_build(struct builder *b, const void *config, const struct features *in)
{
    return levels(b, config, in, together);
}

/* Asymmetric decoupling: boxes are predicted through one more depthwise separable convolution. */
static value decoupled(struct builder *b, const struct nanodet_plus_head *c, const char *name, value x)
{
    const int channels_in = channels_of(b, x);
    enter(b, name);
    const value classes = conv(b, "cls_conv", x, biased(pointwise(c->head.num_classes)));
    value y = activate_plain(b, conv_norm(b, "reg_conv", 0, x, depthwise(5, 1)), c->head.activation);
    y = activate_plain(b, conv_norm(b, "reg_conv", 3, y, pointwise(channels_in)), c->head.activation);
    const value sides = conv(b, "reg_conv.6", y, biased(pointwise(box_logits(c))));
    leave(b);
    return concat(b, classes, sides);
}

value nanodet_plus_plus_head_build(struct builder *b, const void *config, const struct features *in)
{
    return levels(b, config, in, decoupled);
}
