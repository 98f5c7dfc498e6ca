/* model/backbone/mobilenet_v2.c -- MobileNetV2 (Sandler et al. 2018): table 2 and figure 4d. */
#include "model/parts.h"
#include <stdio.h>

const struct key mobilenet_v2_keys[] = {
    { "width_mult",   FIELD(mobilenet_v2, width_mult),   "1.0",          0.1, 10,
      "width multiplier, except for last_channel" },
    { "out_stages",   FIELD(mobilenet_v2, out_stages),   "[1, 2, 4, 6]", 0, 6,     "stages whose maps go to the neck" },
    { "last_channel", FIELD(mobilenet_v2, last_channel), "1280",         1, 65536, "channels of the last convolution" },
    { "act",          WORDS(mobilenet_v2, activation, activation_words + 1), "ReLU", 0, 0, "old name of activation" },
    { "activation",   WORDS(mobilenet_v2, activation, activation_words), "=act", 0, 0, "activation" },
    { "pretrain",     FIELD(mobilenet_v2, pretrain),     "false",        0, 0,     "weights file to start from" },
    {0} };

static const struct mobilenet_v2_stage { int expand, channels, repeats, stride; } stages[7] = {
    { 1, 16, 1, 1 }, { 6, 24, 2, 2 }, { 6, 32, 3, 2 }, { 6, 64, 4, 2 }, { 6, 96, 3, 1 }, { 6, 160, 3, 2 },
    { 6, 320, 1, 1 } };

static value inverted_residual(struct builder *b, value x, int expand, int out, int stride, enum act a)
{
    const int in = channels_of(b, x);
    const bool expands = expand > 1;
    value y = x;
    if (expands)
        y = activate(b, conv_norm(b, "conv.0", 0, y, pointwise(expand * in)), a);
    y = activate(b, conv_norm(b, expands ? "conv.1" : "conv.0", 0, y, depthwise(3, stride)), a);
    y = conv_norm(b, "conv", expands ? 2 : 1, y, pointwise(out));
    return stride == 1 && in == out ? add(b, x, y) : y;
}

void mobilenet_v2_build(struct builder *b, const void *config, value image, struct features *out)
{
    const struct mobilenet_v2 *c = config;
    const enum act a = c->activation;
    b->init = (struct layer_init){ .weights = WEIGHTS_NORMAL, .deviation = 0.001 };
    value x = activate(b, conv_norm(b, "first_layer", 0, image, dense((int)(32 * c->width_mult), 3, 2)), a);
    for (int i = 0; i < 7; i++) {
        const struct mobilenet_v2_stage *s = &stages[i];
        char name[24];
        snprintf(name, sizeof name, "stage%d", i);
        for (int block = 0; block < s->repeats; block++) {
            enter_index(b, name, block);
            x = inverted_residual(b, x, s->expand, (int)(s->channels * c->width_mult), block ? 1 : s->stride, a);
            leave(b);
        }
        if (i == 6)
            x = activate(b, conv_norm(b, "stage6.1", 0, x, pointwise(c->last_channel)), a);
        add_feature(b, &c->out_stages, i, x, out);
    }
}
