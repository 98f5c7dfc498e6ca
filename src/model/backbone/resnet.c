/* model/backbone/resnet.c -- ResNet (He et al. 2015): table 1 and figure 5, the stride of bottlenecks in their 3x3. */
#include "model/parts.h"
#include <stdio.h>

const struct key resnet_keys[] = {
    { "depth",      FIELD(resnet, depth),      NULL,           18, 152, "18, 34, 50, 101 or 152" },
    { "out_stages", FIELD(resnet, out_stages), "[1, 2, 3, 4]", 1, 4,    "stages whose maps go to the neck" },
    { "activation", WORDS(resnet, activation, activation_words), "ReLU", 0, 0, "activation" },
    { "pretrain",   FIELD(resnet, pretrain),   "true",         0, 0,
      "weights file to start from; true or false: none" },
    {0} };

static const struct resnet_size { int depth, blocks[4]; bool bottleneck; } sizes[] = {
    { 18, { 2, 2, 2, 2 }, false }, { 34, { 3, 4, 6, 3 }, false }, { 50, { 3, 4, 6, 3 }, true },
    { 101, { 3, 4, 23, 3 }, true }, { 152, { 3, 8, 36, 3 }, true }, {0} };

static value residual_block(struct builder *b, value x, int width, int stride, bool bottleneck, enum act a)
{
    const int out = bottleneck ? 4 * width : width;
    value y = x, shortcut = x;
    if (bottleneck) {
        y = activate(b, norm(b, "bn1", conv(b, "conv1", y, pointwise(width))), a);
        y = activate(b, norm(b, "bn2", conv(b, "conv2", y, dense(width, 3, stride))), a);
        y = norm(b, "bn3", conv(b, "conv3", y, pointwise(out)));
    } else {
        y = activate(b, norm(b, "bn1", conv(b, "conv1", y, dense(width, 3, stride))), a);
        y = norm(b, "bn2", conv(b, "conv2", y, dense(out, 3, 1)));
    }
    if (stride > 1 || channels_of(b, x) != out)
        shortcut = conv_norm(b, "downsample", 0, x, dense(out, 1, stride));
    return activate(b, add(b, y, shortcut), a);
}

void resnet_build(struct builder *b, const void *config, value image, struct features *out)
{
    const struct resnet *c = config;
    const struct resnet_size *size = sizes;
    while (size->depth && size->depth != c->depth)
        size++;
    if (!size->depth) {
        builder_fail(b, "depth %d: a ResNet has 18, 34, 50, 101 or 152 layers", c->depth);
        return;
    }
    b->init = (struct layer_init){ .weights = WEIGHTS_KAIMING };
    value x = activate(b, norm(b, "bn1", conv(b, "conv1", image, dense(64, 7, 2))), c->activation);
    x = max_pool(b, x, 3, 2, 1);
    for (int stage = 1; stage <= 4; stage++) {
        for (int i = 0; i < size->blocks[stage - 1]; i++) {
            char name[24];
            snprintf(name, sizeof name, "layer%d", stage);
            enter_index(b, name, i);
            x = residual_block(b, x, 32 << stage, i == 0 && stage > 1 ? 2 : 1, size->bottleneck, c->activation);
            leave(b);
        }
        add_feature(b, &c->out_stages, stage, x, out);
    }
}
