/* model/backbone/convnext.c -- ConvNeXt (Liu et al. 2022): figure 4 and table 9, and timm's smaller sizes, whose
 * weights of the inverted bottleneck are those of convolutions. */
#include "base/table.h"
#include "model/parts.h"
#include <stdio.h>

const struct key convnext_keys[] = {
    { "model_name",     FIELD(convnext, model_name),     NULL,           1, 0,
      "convnext_atto, femto, pico, nano, tiny, small, base, large or xlarge" },
    { "out_indices",    FIELD(convnext, out_indices),    "[0, 1, 2, 3]", 0, 3, "stages whose maps go to the neck" },
    { "drop_path_rate", FIELD(convnext, drop_path_rate), "0",            0, 0.99,
      "stochastic depth: drop probability of the last block; smaller for earlier ones" },
    { "features_only",  FIELD(convnext, features_only),  "true",         0, 0, "only true is supported" },
    { "output_stride",  .type = KEY_IGNORED, .help = "always 32" },
    { "in_channels",    .type = KEY_IGNORED, .help = "always 3" },
    { "pretrained",     FIELD(convnext, pretrained),     "true",         0, 0,
      "weights file to start from; true or false: none" },
    { "checkpoint_path", FIELD(convnext, checkpoint_path), "",           0, 0,
      "must be empty: give the file at `pretrained`" },
    {0} };

static const struct convnext_size { const char *name; int blocks[4], width; bool linear; } sizes[] = {
    { "convnext_atto",  { 2, 2, 6, 2 },  40,  false }, { "convnext_femto",  { 2, 2, 6, 2 },  48,  false },
    { "convnext_pico",  { 2, 2, 6, 2 },  64,  false }, { "convnext_nano",   { 2, 2, 8, 2 },  80,  false },
    { "convnext_tiny",  { 3, 3, 9, 3 },  96,  true },  { "convnext_small",  { 3, 3, 27, 3 }, 96,  true },
    { "convnext_base",  { 3, 3, 27, 3 }, 128, true },  { "convnext_large",  { 3, 3, 27, 3 }, 192, true },
    { "convnext_xlarge", { 3, 3, 27, 3 }, 256, true },
    {0} };

enum { STAGES = 4 };
static const double norm_eps = 1e-6, first_scale = 1e-6;

/* Patches of kernel x kernel side by side. */
static struct conv patches(int out, int kernel)
{
    return (struct conv){ .out = out, .kernel = kernel, .stride = kernel, .bias = true };
}

/* Figure 4 with the layer scale gamma. */
static value block(struct builder *b, value x, bool linear_weights, double drop)
{
    const int c = channels_of(b, x);
    struct conv widen = biased(pointwise(4 * c)), narrow = biased(pointwise(c));
    widen.linear = narrow.linear = linear_weights;
    const struct init small = { INIT_CONSTANT, first_scale };
    const value gamma = graph_param(b, "gamma", (struct shape){ 1, 1, 1, c, {0} }, 1, PARAM_TRAINED, small);
    value y = layer_norm(b, "norm", conv(b, "conv_dw", x, biased(depthwise(7, 1))), norm_eps);
    y = activate(b, conv(b, "mlp.fc1", y, widen), ACT_GELU);
    y = mul(b, conv(b, "mlp.fc2", y, narrow), gamma);
    return add(b, drop_path(b, y, drop), x);
}

static bool known(struct builder *b, const struct convnext *c, const struct convnext_size *size)
{
    if (!size)
        builder_fail(b, "model_name '%s': of timm only ConvNeXt is known; did you mean %s?", c->model_name,
                     nearest_name(c->model_name, sizes, sizeof *sizes));
    else if (!c->features_only)
        builder_fail(b, "features_only: only true is known");
    else if (*c->checkpoint_path)
        builder_fail(b, "checkpoint_path: name the file at `pretrained`");
    return !b->error.exit;
}

void convnext_build(struct builder *b, const void *config, value image, struct features *out)
{
    const struct convnext *c = config;
    const struct convnext_size *size = find_row(c->model_name, sizes, sizeof *sizes);
    int last = 0, blocks = 0, done = 0;
    if (!known(b, c, size))
        return;
    for (int i = 0; i < c->out_indices.count; i++)
        last = c->out_indices.at[i] > last ? c->out_indices.at[i] : last;
    for (int i = 0; i < STAGES; i++)
        blocks += size->blocks[i];
    b->init = (struct layer_init){ .weights = WEIGHTS_NORMAL, .deviation = 0.02 };
    enter(b, "timm");
    value x = layer_norm(b, "stem_1", conv(b, "stem_0", image, patches(size->width, 4)), norm_eps);
    for (int stage = 0; stage <= last; stage++) {
        char name[16];
        snprintf(name, sizeof name, "stages_%d", stage);
        enter(b, name);
        if (stage > 0) {
            x = layer_norm(b, "downsample.0", x, norm_eps);
            x = conv(b, "downsample.1", x, patches(size->width << stage, 2));
        }
        for (int i = 0; i < size->blocks[stage]; i++) {
            enter_index(b, "blocks", i);
            x = block(b, x, size->linear, c->drop_path_rate * done++ / (blocks - 1));
            leave(b);
        }
        leave(b);
        add_feature(b, &c->out_indices, stage, x, out);
    }
    leave(b);
}
