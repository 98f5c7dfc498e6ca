/* model/head/simple_conv_head.c -- the auxiliary head of NanoDet-Plus (assign guidance module): dense convolutions with
 * group norm, shared by all levels, classes and boxes apart. */
#include "model/parts.h"

const struct key simple_conv_head_keys[] = {
    { "num_classes",    FIELD(simple_conv_head, head.num_classes),    "#class_names", 1, 4096, "classes" },
    { "input_channel",  FIELD(simple_conv_head, head.input_channel),  NULL,  1, 65536,
      "channels of both necks together" },
    { "feat_channels",  FIELD(simple_conv_head, head.feat_channels),  "256", 1, 65536,
      "channels of the inner convolutions" },
    { "stacked_convs",  FIELD(simple_conv_head, head.stacked_convs),  "4",   0, 64,
      "convolutions before the prediction" },
    { "reg_max",        FIELD(simple_conv_head, head.reg_max),        "16",  1, 63,    "max distance in strides" },
    { "strides",        FIELD(simple_conv_head, head.strides),        "[8, 16, 32]", 1, 1024, "stride of each level" },
    { "activation",     WORDS(simple_conv_head, head.activation, activation_words), "LeakyReLU", 0, 0, "activation" },
    { "norm_cfg.type",  WORDS(simple_conv_head, norm.type, norm_words), "GN", 0, 0,    "normalisation" },
    { "norm_cfg.num_groups", FIELD(simple_conv_head, norm.num_groups), "32", 1, 65536, "groups of GN" },
    { "norm_cfg.requires_grad", .type = KEY_IGNORED, .help = "always true" },
    {0} };

static value tower(struct builder *b, const struct simple_conv_head *c, const char *name, value x)
{
    for (int i = 0; i < c->head.stacked_convs; i++) {
        enter_index(b, name, i);
        x = conv_module(b, x, dense(c->head.feat_channels, 3, 1), c->norm, c->head.activation);
        leave(b);
    }
    return x;
}

/* The tower of each map; the results of several maps are stacked. */
static value towers(struct builder *b, const struct simple_conv_head *c, const char *name, const struct features *in)
{
    value levels[FEATURES];
    for (int i = 0; i < in->count; i++)
        levels[i] = tower(b, c, name, in->at[i]);
    return in->count == 1 ? levels[0] : stack(b, levels, in->count);
}

value simple_conv_head_build(struct builder *b, const void *config, const struct features *in)
{
    const struct simple_conv_head *c = config;
    struct features together = { .count = 1 };
    b->init = (struct layer_init){ .weights = WEIGHTS_NORMAL, .deviation = 0.01 };
    if (c->norm.type != NORM_BATCH || !b->training) {   /* else each level has its own batch statistics */
        together.at[0] = stack(b, in->at, in->count);
        in = &together;
    }
    const value x = towers(b, c, "cls_convs", in);
    b->init.bias = -4.595;                              /* a probability of 0.01 */
    const value classes = conv(b, "gfl_cls", x, biased(dense(c->head.num_classes, 3, 1)));
    b->init.bias = 0;
    const value y = towers(b, c, "reg_convs", in);
    const value sides = conv(b, "gfl_reg", y, biased(dense(4 * (c->head.reg_max + 1), 3, 1)));
    return concat(b, classes, scale_levels(b, "scales", sides));
}
