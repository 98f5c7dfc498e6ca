/* model/head/gfl_head.c -- the head of Generalized Focal Loss (Li et al. 2020): that of simple_conv_head.c with ReLU,
 * trained by other rules. */
#include "model/parts.h"

const struct key gfl_head_keys[] = {
    { "num_classes",    FIELD(simple_conv_head, head.num_classes),    "#class_names", 1, 4096, "classes" },
    { "input_channel",  FIELD(simple_conv_head, head.input_channel),  NULL,  1, 65536, "channels per level" },
    { "feat_channels",  FIELD(simple_conv_head, head.feat_channels),  "256", 1, 65536,
      "channels of the inner convolutions" },
    { "stacked_convs",  FIELD(simple_conv_head, head.stacked_convs),  "4",   0, 64,
      "convolutions before the prediction" },
    { "reg_max",        FIELD(simple_conv_head, head.reg_max),        "16",  1, 63,    "max distance in strides" },
    { "strides",        FIELD(simple_conv_head, head.strides),        "[8, 16, 32]", 1, 1024, "stride of each level" },
    { "norm_cfg.type",  WORDS(simple_conv_head, norm.type, norm_words), "GN", 0, 0,    "normalisation" },
    { "norm_cfg.num_groups", FIELD(simple_conv_head, norm.num_groups), "32", 1, 65536, "groups of GN" },
    { "norm_cfg.requires_grad", .type = KEY_IGNORED, .help = "always true" },
    { "octave_base_scale", FIELD(simple_conv_head, head.octave_base_scale), "4", 0.01, 1000,
      "side of the square anchor of a cell for the assigner, in strides" },
    { "ignore_iof_thr", FIELD(simple_conv_head, head.ignore_iof_thr), "-1", -1, 1,
      "IoF with an ignore region above which a cell is not trained; not positive: none" },
    { "activation",        .type = KEY_IGNORED, .help = "always ReLU, as upstream" },
    { "share_cls_reg",     .type = KEY_IGNORED, .help = "no effect, as upstream" },
    { "conv_type",         .type = KEY_IGNORED, .help = "no effect, as upstream" },
    { "scales_per_octave", .type = KEY_IGNORED, .help = "no effect, as upstream" },
    { "conv_cfg",          .type = KEY_IGNORED, .help = "no effect, as upstream" },
    { "loss",              .type = KEY_SECTION, .help = "the losses" },
    {0} };

value gfl_head_build(struct builder *b, const void *config, const struct features *in)
{
    struct simple_conv_head c = *(const struct simple_conv_head *)config;
    c.head.activation = ACT_RELU;
    return simple_conv_head_build(b, &c, in);
}
