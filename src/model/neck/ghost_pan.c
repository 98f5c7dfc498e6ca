/* model/neck/ghost_pan.c -- the path aggregation network of NanoDet-Plus: PAN (Liu et al. 2018, fig. 1a, b) with ghost
 * bottlenecks (Han et al. 2020) or the ghost2former blocks of Enhanced NanoDet, and extra levels beyond the
 * backbone's. */
#include "model/parts.h"

static const struct word block_words[] = { { "normal", GHOST_BOTTLENECK }, { "plus", GHOST_2_FORMER }, {0} };

const struct key ghost_pan_keys[] = {
    { "in_channels",     FIELD(ghost_pan, in_channels),     NULL,    1, 65536, "channels of the backbone's maps" },
    { "out_channels",    FIELD(ghost_pan, out_channels),    NULL,    1, 65536, "channels per level" },
    { "use_depthwise",   FIELD(ghost_pan, use_depthwise),   "false", 0, 0, "depthwise separable down-sampling" },
    { "kernel_size",     FIELD(ghost_pan, kernel_size),     "5",     1, 31,
      "kernel size of depthwise and down-sampling convolutions" },
    { "expand",          FIELD(ghost_pan, expand),          "1",     1, 16, "inner channels / out_channels" },
    { "num_blocks",      FIELD(ghost_pan, num_blocks),      "1",     1, 16, "ghost bottlenecks per stack" },
    { "use_res",         FIELD(ghost_pan, use_res),         "false", 0, 0, "a shortcut around each stack" },
    { "num_extra_level", FIELD(ghost_pan, num_extra_level), "0",     0, 4,
      "additional levels, each half as large as the last" },
    { "ghost_block_type", WORDS(ghost_pan, block, block_words), "normal", 0, 0, "ghost bottlenecks or ghost2former" },
    { "upsample_cfg.scale_factor", .type = KEY_IGNORED, .help = "always 2" },
    { "upsample_cfg.mode", .type = KEY_IGNORED, .help = "always bilinear" },
    { "norm_cfg.type",   WORDS(ghost_pan, norm.type, norm_words), "BN", 0, 0, "normalisation" },
    { "norm_cfg.num_groups", FIELD(ghost_pan, norm.num_groups), "32", 1, 65536, "groups of GN" },
    { "activation",      WORDS(ghost_pan, activation, activation_words), "LeakyReLU", 0, 0, "activation" },
    {0} };

/* The list element name.index: a 1x1 convolution, or one that halves the size. */
static value reduce(struct builder *b, const char *name, int index, value x, const struct ghost_pan *c)
{
    enter_index(b, name, index);
    x = conv_module(b, x, pointwise(c->out_channels), c->norm, c->activation);
    leave(b);
    return x;
}

static value downsample(struct builder *b, const char *name, int index, value x, const struct ghost_pan *c)
{
    const struct conv half = dense(c->out_channels, c->kernel_size, 2);
    enter_index(b, name, index);
    x = c->use_depthwise ? depthwise_module(b, x, half, c->norm, c->activation)
                         : conv_module(b, x, half, c->norm, c->activation);
    leave(b);
    return x;
}

static value ghost_blocks(struct builder *b, const char *name, int index, value x, const struct ghost_pan *c)
{
    const struct norm_config none = { .type = NORM_NONE };
    const struct ghost bottleneck = { c->out_channels * c->expand, c->out_channels, c->kernel_size, 1, false };
    value y = x;
    enter_index(b, name, index);
    b->init.weights = WEIGHTS_DEFAULT;
    for (int i = 0; i < c->num_blocks; i++) {
        enter_index(b, "blocks", i);
        y = c->block == GHOST_2_FORMER ? ghost2former(b, y, c->out_channels, c->kernel_size, c->activation)
                                       : ghost_bottleneck(b, y, bottleneck, c->activation);
        leave(b);
    }
    b->init.weights = WEIGHTS_KAIMING;
    if (c->use_res) {
        enter(b, "reduce_conv");
        y = add(b, y, conv_module(b, x, pointwise(c->out_channels), none, c->activation));
        leave(b);
    }
    leave(b);
    return y;
}

static bool inputs_fit(struct builder *b, const struct ghost_pan *c, const struct features *in)
{
    if (in->count + c->num_extra_level > FEATURES)
        builder_fail(b, "more than %d levels", FEATURES);
    else if (c->block == GHOST_2_FORMER && c->expand != 1)
        builder_fail(b, "expand is %d: ghost2former (ghost_block_type plus) multiplies maps of as many channels, so it "
                     "must be 1", c->expand);
    else if (c->block == GHOST_2_FORMER && c->num_blocks > 1)
        builder_fail(b, "num_blocks is %d: ghost2former (ghost_block_type plus) is not defined for inputs of "
                     "out_channels, so it must be 1", c->num_blocks);
    return features_fit(b, in, &c->in_channels);
}

void ghost_pan_build(struct builder *b, const void *config, const struct features *in, struct features *out)
{
    const struct ghost_pan *c = config;
    const int n = in->count;
    value reduced[FEATURES] = {0}, inner[FEATURES];
    if (!inputs_fit(b, c, in))
        return;
    b->init = (struct layer_init){ .weights = WEIGHTS_KAIMING };
    for (int i = 0; i < n; i++)
        reduced[i] = reduce(b, "reduce_layers", i, in->at[i], c);

    inner[n - 1] = reduced[n - 1];                      /* top down */
    for (int i = n - 1; i > 0; i--)
        inner[i - 1] = ghost_blocks(b, "top_down_blocks", n - 1 - i,
                                    concat(b, upsample(b, inner[i]), reduced[i - 1]), c);
    out->at[0] = inner[0];                              /* bottom up */
    for (int i = 0; i + 1 < n; i++)
        out->at[i + 1] = ghost_blocks(b, "bottom_up_blocks", i,
                                      concat(b, downsample(b, "downsamples", i, out->at[i], c), inner[i + 1]), c);
    value input = reduced[n - 1];       /* of a second extra level: what the first made of its own */
    for (int i = 0; i < c->num_extra_level; i++) {
        input = downsample(b, "extra_lvl_in_conv", i, input, c);
        out->at[n + i] = add(b, input, downsample(b, "extra_lvl_out_conv", i, out->at[n + i - 1], c));
    }
    out->count = n + c->num_extra_level;
}
