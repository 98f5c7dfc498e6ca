/* tests/every_layer.h -- a network that has a layer of every kind and predicts three classes on two levels, for an
 * input of 64 x 96.  Weights are random. */
#ifndef TESTS_EVERY_LAYER_H
#define TESTS_EVERY_LAYER_H
#include "base/random.h"
#include "interop/network.h"
#include <stdio.h>
#include <stdlib.h>

enum { EVERY_H = 64, EVERY_W = 96, EVERY_CLASSES = 3, EVERY_REG_MAX = 7 };

/* A tensor of normal numbers about 1 or 0. */
static inline int random_weights(struct network *net, const char *name, int rank, const size_t *dims, double mean,
                                 double deviation)
{
    float *numbers = NULL;
    const int index = network_add_weights(net, name, rank, dims, &numbers, NULL);
    struct random random = random_of(1, (uint64_t)index, 0);
    for (size_t i = 0; index >= 0 && i < tensor_count(&net->weights.list[index]); i++)
        numbers[i] = (float)(mean + deviation * random_normal(&random));
    return index;
}

/* Checks the layer, so that the next ones can ask for its channels. */
static inline int finish_layer(struct network *net, int layer)
{
    struct error err = {0};
    if (layer < 0 || !network_check_layer(net, layer, "every_layer", &err))
        abort();
    return layer;
}

static inline int unary(struct network *net, enum layer_kind kind, const char *name, int x)
{
    return finish_layer(net, network_add(net, kind, name, &x, 1, NULL));
}

static inline int binary(struct network *net, enum layer_kind kind, const char *name, int x, int y)
{
    return finish_layer(net, network_add(net, kind, name, (int[]){ x, y }, 2, NULL));
}

static inline int activation_of(struct network *net, const char *name, int x, enum act act)
{
    const int layer = unary(net, LAYER_ACTIVATION, name, x);
    net->layers[layer].act = act;
    net->layers[layer].slope = act == ACT_LEAKY_RELU ? 0.1f : 0;
    return layer;
}

struct window { int kernel, stride, groups; };          /* padded to keep the size, but for the stride */

static inline int conv_of(struct network *net, const char *name, int x, int out, struct window window, bool bias)
{
    const int in = net->layers[x].out_channels, layer = network_add(net, LAYER_CONV, name, &x, 1, NULL);
    const size_t dims[4] = { (size_t)out, (size_t)(in / window.groups), (size_t)window.kernel, (size_t)window.kernel };
    const int weight = random_weights(net, name, 4, dims, 0, 1 / (double)(dims[1] * dims[2]));
    struct layer *conv = &net->layers[layer];
    conv->weight = weight;
    conv->bias = bias ? random_weights(net, name, 1, dims, 0, 0.1) : NO_TENSOR;
    conv->kernel = window.kernel;
    conv->stride = window.stride;
    conv->pad = window.kernel / 2;
    conv->groups = window.groups;
    return finish_layer(net, layer);
}

static inline int vectors_of(struct network *net, enum layer_kind kind, const char *name, int x)
{
    const int layer = network_add(net, kind, name, &x, 1, NULL);
    const size_t dims[1] = { (size_t)net->layers[x].out_channels };
    net->layers[layer].weight = random_weights(net, name, 1, dims, 1, 0.1);
    net->layers[layer].bias = random_weights(net, name, 1, dims, 0, 0.1);
    net->layers[layer].eps = kind == LAYER_AFFINE ? 0 : 1e-5;
    net->layers[layer].groups = kind == LAYER_GROUP_NORM ? 2 : 1;
    return finish_layer(net, layer);
}

static inline int pool_of(struct network *net, enum layer_kind kind, const char *name, int x, int stride)
{
    const int layer = network_add(net, kind, name, &x, 1, NULL);
    net->layers[layer].kernel = 3;
    net->layers[layer].stride = stride;
    net->layers[layer].pad = 1;
    return finish_layer(net, layer);
}

static inline int range_of(struct network *net, enum layer_kind kind, const char *name, int x, int from, int to)
{
    const int layer = network_add(net, kind, name, &x, 1, NULL);
    net->layers[layer].from = from;
    net->layers[layer].to = to;
    return finish_layer(net, layer);
}

/* Step 4: convolutions, squeeze and excitation, halves swapped and shuffled. */
static inline int every_stem(struct network *net)
{
    int x = conv_of(net, "conv1", 0, 8, (struct window){ 3, 2, 1 }, true);
    x = activation_of(net, "conv1.act", x, ACT_LEAKY_RELU);
    x = pool_of(net, LAYER_MAX_POOL, "maxpool", x, 2);
    x = vectors_of(net, LAYER_AFFINE, "bn", conv_of(net, "depthwise", x, 8, (struct window){ 3, 1, 8 }, false));
    x = activation_of(net, "silu", x, ACT_SILU);
    int se = unary(net, LAYER_GLOBAL_POOL, "se.pool", x);
    se = activation_of(net, "se.relu", conv_of(net, "se.reduce", se, 4, (struct window){ 1, 1, 1 }, true), ACT_RELU);
    se = conv_of(net, "se.expand", se, 8, (struct window){ 1, 1, 1 }, true);
    x = binary(net, LAYER_MUL, "se.mul", x, activation_of(net, "se.gate", se, ACT_HARD_SIGMOID));
    const int left = range_of(net, LAYER_CHANNELS, "left", x, 0, 3);
    const int right = range_of(net, LAYER_CHANNELS, "right", x, 3, 8);
    x = binary(net, LAYER_CONCAT, "swap", right, left);
    x = unary(net, LAYER_SHUFFLE, "shuffle", x);
    net->layers[x].groups = 2;
    return x;
}

/* Adds position, norm and attention to a map of stride 8. */
static inline int every_encoder(struct network *net, int x)
{
    const size_t dims[4] = { 1, 8, EVERY_H / 8, EVERY_W / 8 };
    const int position = network_add(net, LAYER_CONSTANT, "position", NULL, 0, NULL);
    static const char *const names[3] = { "query", "key", "value" };
    int qkv[3];
    net->layers[position].weight = random_weights(net, "position", 4, dims, 0, 1);
    x = binary(net, LAYER_ADD, "position.add", x, finish_layer(net, position));
    const int norm = vectors_of(net, LAYER_NORM, "norm", x);
    for (int i = 0; i < 3; i++)
        qkv[i] = conv_of(net, names[i], norm, 8, (struct window){ 1, 1, 1 }, true);
    int y = network_add(net, LAYER_ATTENTION, "attention", qkv, 3, NULL);
    net->layers[y].groups = 2;
    y = activation_of(net, "gelu", finish_layer(net, y), ACT_GELU);
    return binary(net, LAYER_ADD, "encoder.add", x, y);
}

/* Each activation after a convolution, where formats may fuse it, and after a sum. */
static inline int every_activation(struct network *net, int x)
{
    for (int act = ACT_NONE + 1; act < ACT_KINDS; act++) {
        char name[32];
        snprintf(name, sizeof name, "act.%d", act);
        const int y = conv_of(net, name, x, 8, (struct window){ 1, 1, 1 }, true);
        snprintf(name, sizeof name, "act.%d.conv_act", act);
        x = binary(net, LAYER_ADD, name, x, activation_of(net, name, y, (enum act)act));
        snprintf(name, sizeof name, "act.%d.sum_act", act);
        x = activation_of(net, name, x, (enum act)act);
    }
    return x;
}

/* sigmoid_of: with a layer of that kind too, which files spell with others. */
static inline struct network every_layer(bool sigmoid_of)
{
    enum { PREDICTIONS = EVERY_CLASSES + 4 * (EVERY_REG_MAX + 1) };
    struct network net = { .input_h = EVERY_H, .input_w = EVERY_W, .classes = EVERY_CLASSES, .reg_max = EVERY_REG_MAX,
                           .output_count = 2, .strides = { 8, 16 } };
    finish_layer(&net, network_add(&net, LAYER_INPUT, "data", NULL, 0, NULL));
    int x = conv_of(&net, "conv2", every_stem(&net), 8, (struct window){ 5, 2, 1 }, false);
    x = activation_of(&net, "conv2.act", x, ACT_HARD_SWISH);
    x = pool_of(&net, LAYER_AVG_POOL, "avgpool", every_activation(&net, x), 1);
    x = vectors_of(&net, LAYER_GROUP_NORM, "group_norm", x);
    int gate = conv_of(&net, "gate", x, 1, (struct window){ 1, 1, 1 }, true);
    x = binary(&net, LAYER_MUL, "gate.mul", x, activation_of(&net, "gate.act", gate, ACT_SIGMOID));
    int top = conv_of(&net, "conv3", x, 8, (struct window){ 3, 2, 2 }, true);
    top = activation_of(&net, "conv3.act", top, ACT_RELU6);
    x = binary(&net, LAYER_ADD, "up.add", x, unary(&net, LAYER_BILINEAR, "up", top));
    x = binary(&net, LAYER_ADD, "nearest.add", x, unary(&net, LAYER_NEAREST, "nearest", top));
    x = every_encoder(&net, x);
    if (sigmoid_of)
        x = range_of(&net, LAYER_SIGMOID_OF, "sigmoid_of", x, 2, 6);
    net.outputs[0] = conv_of(&net, "head.0", x, PREDICTIONS, (struct window){ 1, 1, 1 }, true);
    net.outputs[1] = conv_of(&net, "head.1", top, PREDICTIONS, (struct window){ 1, 1, 1 }, true);
    return net;
}
#endif
