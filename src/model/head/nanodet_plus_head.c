/* model/head/nanodet_plus_head.c -- the head of NanoDet-Plus: for each level its own depthwise separable convolutions
 * and one 1x1 convolution that predicts classes and boxes together. */
#include "model/parts.h"
#include <stdio.h>

const struct word conv_words[] = { { "DWConv", CONV_DEPTHWISE }, { "Conv", CONV_DENSE }, {0} };

const struct key nanodet_plus_head_keys[] = {
    { "num_classes",    FIELD(nanodet_plus_head, head.num_classes),    NULL, 1, 4096,  "classes" },
    { "input_channel",  FIELD(nanodet_plus_head, head.input_channel),  NULL, 1, 65536, "channels of every level" },
    { "feat_channels",  FIELD(nanodet_plus_head, head.feat_channels),  "96", 1, 65536, "channels inside" },
    { "stacked_convs",  FIELD(nanodet_plus_head, head.stacked_convs),  "2",  0, 64,    "convolutions a level" },
    { "reg_max",        FIELD(nanodet_plus_head, head.reg_max),        "7",  1, 63,    "largest distance, in strides" },
    { "strides",        FIELD(nanodet_plus_head, head.strides),        "[8, 16, 32]", 1, 1024, "of the levels" },
    { "activation",     WORDS(nanodet_plus_head, head.activation, activation_words), "LeakyReLU", 0, 0, "activation" },
    { "kernel_size",    FIELD(nanodet_plus_head, kernel_size),         "5",  1, 31,    "of the convolutions" },
    { "conv_type",      WORDS(nanodet_plus_head, conv_type, conv_words), "DWConv", 0, 0,
      "depthwise separable or dense" },
    { "norm_cfg.type",  WORDS(nanodet_plus_head, norm.type, norm_words), "BN", 0, 0,   "normalisation" },
    { "norm_cfg.num_groups", FIELD(nanodet_plus_head, norm.num_groups), "32", 1, 65536, "groups of GN" },
    { "loss",           .type = KEY_SECTION, .help = "the losses" },
    { "assigner_cfg",   .type = KEY_SECTION, .help = "the dynamic soft label assigner" },
    {0} };

static value level_convs(struct builder *b, const struct nanodet_plus_head *c, int level, value x)
{
    const struct conv spec = dense(c->head.feat_channels, c->kernel_size, 1);
    char list[32];
    snprintf(list, sizeof list, "cls_convs.%d", level);
    for (int i = 0; i < c->head.stacked_convs; i++) {
        enter_index(b, list, i);
        x = c->conv_type == CONV_DENSE ? conv_module(b, x, spec, c->norm, c->head.activation)
                                       : depthwise_module(b, x, spec, c->norm, c->head.activation);
        leave(b);
    }
    return x;
}

value nanodet_plus_head_build(struct builder *b, const void *config, const struct features *in)
{
    const struct nanodet_plus_head *c = config;
    const int outputs = c->head.num_classes + 4 * (c->head.reg_max + 1);
    value rows[FEATURES];
    b->init = (struct layer_init){ .weights = WEIGHTS_NORMAL, .deviation = 0.01, .bias = -4.595 };
    for (int level = 0; level < in->count; level++) {
        char name[32];
        snprintf(name, sizeof name, "gfl_cls.%d", level);
        rows[level] = conv(b, name, level_convs(b, c, level, in->at[level]), biased(pointwise(outputs)));
    }
    return stack(b, rows, in->count);
}
