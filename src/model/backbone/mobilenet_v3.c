/* model/backbone/mobilenet_v3.c -- MobileNetV3-Small (Howard et al. 2019): table 2, without the classifier.  Parameters
 * have the names of torchvision's mobilenet_v3_small. */
#include "model/parts.h"

const struct key mobilenet_v3_small_keys[] = {
    { "width_mult", FIELD(mobilenet_v3, width_mult), "1.0",        0.1, 10, "factor of all widths" },
    { "out_stages", FIELD(mobilenet_v3, out_stages), "[3, 8, 12]", 0, 12,   "modules of features passed to the neck" },
    { "activation", WORDS(mobilenet_v3, activation, activation_words), "HardSwish", 0, 0,
      "activation of the layers that have hard swish in table 2" },
    { "pretrain",   FIELD(mobilenet_v3, pretrain),   "false",      0, 0,    "file of weights to start from" },
    {0} };

enum { BLOCKS = 11, STEM = 16 };

/* The rows of table 2: expand, the channels after the first convolution; excite: squeeze-and-excitation. */
static const struct bneck { int kernel, expand, channels; bool excite, relu; int stride; } bnecks[BLOCKS] = {
    { 3, 16,  16, true,  true,  2 }, { 3, 72,  24, false, true,  2 }, { 3, 88,  24, false, true,  1 },
    { 5, 96,  40, true,  false, 2 }, { 5, 240, 40, true,  false, 1 }, { 5, 240, 40, true,  false, 1 },
    { 5, 120, 48, true,  false, 1 }, { 5, 144, 48, true,  false, 1 }, { 5, 288, 96, true,  false, 2 },
    { 5, 576, 96, true,  false, 1 }, { 5, 576, 96, true,  false, 1 } };

static int width(const struct mobilenet_v3 *c, int channels) { return divisible(channels * c->width_mult, 8); }

/* name.index.0 is the convolution, name.index.1 its norm. */
static value conv_bn(struct builder *b, const char *name, int index, value x, struct conv c)
{
    enter_index(b, name, index);
    x = batch_norm(b, "1", conv(b, "0", x, c), 0.01, 1e-3);
    leave(b);
    return x;
}

static value squeeze_excite(struct builder *b, const char *name, int index, value x)
{
    const int c = channels_of(b, x);
    enter_index(b, name, index);
    const value squeezed = conv(b, "fc1", global_pool(b, x), biased(pointwise(divisible(c / 4, 8))));
    const value gate = conv(b, "fc2", activate(b, squeezed, ACT_RELU), biased(pointwise(c)));
    leave(b);
    return mul(b, x, activate(b, gate, ACT_HARD_SIGMOID));
}

/* Figure 4.  The layers are numbered within `block`; the first is absent if it would not expand. */
static value bneck(struct builder *b, const struct mobilenet_v3 *c, const struct bneck *row, value x)
{
    const int in = channels_of(b, x), expand = width(c, row->expand), out = width(c, row->channels);
    const enum act a = row->relu ? ACT_RELU : c->activation;
    int layer = 0;
    value y = x;
    if (expand != in)
        y = activate(b, conv_bn(b, "block", layer++, y, pointwise(expand)), a);
    y = activate(b, conv_bn(b, "block", layer++, y, depthwise(row->kernel, row->stride)), a);
    if (row->excite)
        y = squeeze_excite(b, "block", layer++, y);
    y = conv_bn(b, "block", layer, y, pointwise(out));
    return row->stride == 1 && in == out ? add(b, x, y) : y;
}

void mobilenet_v3_small_build(struct builder *b, const void *config, value image, struct features *out)
{
    const struct mobilenet_v3 *c = config;
    b->init = (struct layer_init){ .weights = WEIGHTS_KAIMING };
    value x = activate(b, conv_bn(b, "features", 0, image, dense(width(c, STEM), 3, 2)), c->activation);
    add_feature(b, &c->out_stages, 0, x, out);
    for (int i = 0; i < BLOCKS; i++) {
        enter_index(b, "features", 1 + i);
        x = bneck(b, c, &bnecks[i], x);
        leave(b);
        add_feature(b, &c->out_stages, 1 + i, x, out);
    }
    x = activate(b, conv_bn(b, "features", 1 + BLOCKS, x, pointwise(6 * channels_of(b, x))), c->activation);
    add_feature(b, &c->out_stages, 1 + BLOCKS, x, out);
}
