#include "model/blocks.h"

#include "base/strbuf.h"
#include "op/ops.h"
#include <math.h>
#include <stdio.h>

const struct word activation_words[] = {
#define ACTIVATION(id, name, words, ...) words
#define WORD(id, word) { word, ACT_##id },
#include "kernel/activation_rows.h"
    {0} };

const struct word norm_words[] = {
    { "BN", NORM_BATCH }, { "SyncBN", NORM_BATCH }, { "GN", NORM_GROUP }, { "none", NORM_NONE },
    {0} };

struct conv dense(int out, int kernel, int stride)
{
    return (struct conv){ .out = out, .kernel = kernel, .stride = stride, .pad = (kernel - 1) / 2 };
}

struct conv pointwise(int out) { return dense(out, 1, 1); }

struct conv depthwise(int kernel, int stride)
{
    return (struct conv){ .kernel = kernel, .stride = stride, .pad = (kernel - 1) / 2, .depthwise = true };
}

struct conv biased(struct conv c)
{
    c.bias = true;
    return c;
}

struct conv linear(int out)
{
    struct conv c = biased(pointwise(out));
    c.linear = true;
    return c;
}

int channels_of(const struct builder *b, value x) { return value_of(b, x)->shape.c; }

int divisible(double width, int divisor)
{
    const int nearest = (int)fmax(divisor, (int)(width + divisor / 2.0) / divisor * divisor);
    return nearest < 0.9 * width ? nearest + divisor : nearest;
}

static struct shape vector(int c) { return (struct shape){ 1, 1, 1, c, {0} }; }
static struct init constant(double a) { return (struct init){ INIT_CONSTANT, a }; }

static struct init weight_init(const struct layer_init *rule, struct shape w)
{
    const double area = (double)w.h * w.w, fan_in = w.c * area, fan_out = w.n * area;
    switch (rule->weights) {
    case WEIGHTS_KAIMING: return (struct init){ INIT_NORMAL, sqrt(2 / fan_out) };
    case WEIGHTS_INPUTS:  return (struct init){ INIT_NORMAL, 1.0 / w.c };
    case WEIGHTS_NORMAL:  return (struct init){ INIT_NORMAL, rule->deviation };
    case WEIGHTS_XAVIER:  return (struct init){ INIT_UNIFORM, sqrt(6 / (fan_in + fan_out)) };
    case WEIGHTS_DEFAULT: break;
    }
    return (struct init){ INIT_UNIFORM, 1 / sqrt(fan_in) };
}

static int groups_of(struct conv c, int in) { return c.depthwise ? in : c.groups ? c.groups : 1; }

/* Declares the weight and, if c.bias, the bias of a convolution of `in` channels. */
static void conv_params(struct builder *b, const char *name, int in, struct conv c, value *weight, value *bias)
{
    const struct shape w = { c.depthwise ? in : c.out, c.kernel, c.kernel, in / groups_of(c, in), {0} };
    const struct init weights = weight_init(&b->init, w);
    enter(b, name);
    *weight = graph_param(b, "weight", w, c.linear ? 2 : 4, PARAM_TRAINED, weights);
    if (c.bias)
        *bias = graph_param(b, "bias", vector(w.n), 1, PARAM_TRAINED,
                            b->init.weights == WEIGHTS_DEFAULT ? weights : constant(b->init.bias));
    leave(b);
}

value conv(struct builder *b, const char *name, value x, struct conv c)
{
    const int in = channels_of(b, x);
    value operands[3] = { x };
    conv_params(b, name, in, c, &operands[1], &operands[2]);
    return graph_node(b, &op_conv, name, operands, c.bias ? 3 : 2,
                      &(struct conv_attr){ .stride = c.stride, .pad = c.pad, .groups = groups_of(c, in) });
}

void conv_unused(struct builder *b, const char *name, int in, struct conv c)
{
    value weight, bias;
    conv_params(b, name, in, c, &weight, &bias);
}

value conv_weight(const struct builder *b, value convolved)
{
    return b->error.exit ? VALUE_NONE : b->graph->nodes[value_of(b, convolved)->producer].operand[1];
}

/* Declares the weight and bias of a norm of c channels. */
static void norm_params(struct builder *b, int c, value *weight, value *bias)
{
    *weight = graph_param(b, "weight", vector(c), 1, PARAM_TRAINED, constant(1));
    *bias = graph_param(b, "bias", vector(c), 1, PARAM_TRAINED, constant(b->init.norm_bias));
    if (b->error.exit)
        return;
    b->params->list[value_of(b, *weight)->param].is_norm = true;
    b->params->list[value_of(b, *bias)->param].is_norm = true;
}

static bool frozen(const struct builder *b)
{
    for (int i = 0; i < b->freeze_count; i++)
        if (starts_with(b->scope, b->freeze[i]))
            return true;
    return false;
}

value batch_norm(struct builder *b, const char *name, value x, double momentum, double eps)
{
    const int c = channels_of(b, x);
    value operands[5] = { x };
    enter(b, name);
    norm_params(b, c, &operands[1], &operands[2]);
    operands[3] = graph_param(b, "running_mean", vector(c), 1, PARAM_BUFFER, constant(0));
    operands[4] = graph_param(b, "running_var", vector(c), 1, PARAM_BUFFER, constant(1));
    const bool training = b->training && !frozen(b);
    leave(b);
    struct node *made = b->fold_norm ? graph_extend(b, &op_conv, x, operands + 1, 4) : NULL;
    if (made) {
        struct conv_attr *attr = made->attr;
        attr->norm = made->in - 4;
        attr->eps = (real)eps;
        return x;
    }
    return graph_node(b, &op_norm, name, operands, 5, &(struct norm_attr){ .eps = (real)eps, .local = b->local_norms,
                      .momentum = (real)momentum, .training = training,
                      .unfolding = training && b->unfolding });
}

value norm(struct builder *b, const char *name, value x) { return batch_norm(b, name, x, 0.1, 1e-5); }

value group_norm(struct builder *b, const char *name, value x, int groups)
{
    value operands[3] = { x };
    enter(b, name);
    norm_params(b, channels_of(b, x), &operands[1], &operands[2]);
    leave(b);
    return graph_node(b, &op_group_norm, name, operands, 3,
                      &(struct norm_attr){ .eps = (real)1e-5, .groups = groups });
}

value layer_norm(struct builder *b, const char *name, value x, double eps)
{
    value operands[3] = { x };
    enter(b, name);
    norm_params(b, channels_of(b, x), &operands[1], &operands[2]);
    leave(b);
    return graph_node(b, &op_layer_norm, name, operands, 3, &(struct norm_attr){ .eps = (real)eps });
}

value conv_norm(struct builder *b, const char *name, int index, value x, struct conv c)
{
    char first[64], second[64];
    snprintf(first, sizeof first, "%s.%d", name, index);
    snprintf(second, sizeof second, "%s.%d", name, index + 1);
    return norm(b, second, conv(b, first, x, c));
}

/* The activation becomes part of a folded or deferred norm without one; others are a layer of their own. */
static value activate_sloped(struct builder *b, value x, enum act a, double leaky_slope)
{
    const struct act_attr attr = { a, a == ACT_LEAKY_RELU ? (real)leaky_slope : 0 };
    if (a == ACT_NONE || x == VALUE_NONE || b->error.exit)
        return x;
    struct value_info *info = &b->graph->values[x];
    struct node *producer = info->producer < 0 || info->consumers ? NULL : &b->graph->nodes[info->producer];
    if (producer && producer->op == &op_conv && conv_attr(producer)->norm && conv_attr(producer)->act == ACT_NONE) {
        struct conv_attr *conv = producer->attr;
        conv->act = attr.act;
        conv->slope = attr.slope;
        return x;
    }
    if (!producer || !producer->op->makes_deferred || info->deferred.act != ACT_NONE)
        return graph_node(b, &op_act, "act", &x, 1, &attr);
    struct norm_attr *norm = producer->attr;
    norm->act = info->deferred.act = attr.act;
    norm->slope = info->deferred.slope = attr.slope;
    return x;
}

value activate(struct builder *b, value x, enum act a)       { return activate_sloped(b, x, a, 0.1); }
value activate_plain(struct builder *b, value x, enum act a) { return activate_sloped(b, x, a, 0.01); }

static value normalise(struct builder *b, const char *name, value x, struct norm_config n)
{
    return n.type == NORM_GROUP ? group_norm(b, name, x, n.num_groups) : n.type == NORM_BATCH ? norm(b, name, x) : x;
}

value conv_module(struct builder *b, value x, struct conv c, struct norm_config n, enum act a)
{
    c.bias = n.type == NORM_NONE;
    return activate(b, normalise(b, n.type == NORM_GROUP ? "gn" : "bn", conv(b, "conv", x, c), n), a);
}

value depthwise_module(struct builder *b, value x, struct conv c, struct norm_config n, enum act a)
{
    struct conv deep = depthwise(c.kernel, c.stride), point = pointwise(c.out);
    deep.bias = point.bias = n.type == NORM_NONE;
    x = activate(b, normalise(b, "dwnorm", conv(b, "depthwise", x, deep), n), a);
    return activate(b, normalise(b, "pwnorm", conv(b, "pointwise", x, point), n), a);
}

/* The sum of two branches, name.i and norm.i; merged: name.rbr_reparam. */
static value two_branches(struct builder *b, const char *name, const char *norm_name, value x, struct conv c,
                          struct norm_config n)
{
    value branch[2];
    char first[64], second[64];
    b->branches |= !b->merged && n.type == NORM_BATCH;
    if (b->merged && n.type == NORM_BATCH) {
        snprintf(first, sizeof first, "%s.rbr_reparam", name);
        return conv(b, first, x, biased(c));
    }
    c.bias = n.type == NORM_NONE;
    for (int i = 0; i < 2; i++) {
        snprintf(first, sizeof first, "%s.%d", name, i);
        snprintf(second, sizeof second, "%s.%d", norm_name, i);
        branch[i] = normalise(b, second, conv(b, first, x, c), n);
    }
    return add(b, branch[0], branch[1]);
}

value rep_depthwise_module(struct builder *b, value x, struct conv c, struct norm_config n, enum act a)
{
    x = activate(b, two_branches(b, "depthwise", "dwnorm", x, depthwise(c.kernel, c.stride), n), a);
    return activate(b, two_branches(b, "pointwise", "pwnorm", x, pointwise(c.out), n), a);
}

static value two(struct builder *b, const struct op *op, value x, value y)
{
    return graph_node(b, op, op->name, (value[]){ x, y }, 2, NULL);
}

value add(struct builder *b, value x, value y)     { return two(b, &op_add, x, y); }
value mul(struct builder *b, value x, value y)     { return two(b, &op_mul, x, y); }
value concat(struct builder *b, value x, value y)  { return two(b, &op_concat, x, y); }
value shuffle(struct builder *b, value x, value y) { return two(b, &op_shuffle, x, y); }

static value one(struct builder *b, const struct op *op, value x, const void *attr)
{
    return graph_node(b, op, op->name, &x, 1, attr);
}

value channels(struct builder *b, value x, int from, int to)
{
    return one(b, &op_channels, x, &(struct channels_attr){ from, to });
}

void shuffle_halves(struct builder *b, value left, value right, value half[2])
{
    const int c = channels_of(b, left);
    const bool split_shuffle = b->split_shuffle && c % 2 == 0;
    const value whole = split_shuffle ? VALUE_NONE : shuffle(b, left, right);
    for (int i = 0; i < 2; i++) {
        const int from = i * c / 2, to = from + c / 2;
        half[i] = split_shuffle ? shuffle(b, channels(b, left, from, to), channels(b, right, from, to))
                          : channels(b, whole, 2 * from, 2 * to);
    }
}

value max_pool(struct builder *b, value x, int kernel, int stride, int pad)
{
    return one(b, &op_max_pool, x, &(struct pool_attr){ kernel, stride, pad });
}

value half_size(struct builder *b, value x)
{
    return one(b, &op_avg_pool, x, &(struct pool_attr){ .kernel = 2, .stride = 2 });
}

value global_pool(struct builder *b, value x) { return one(b, &op_global_pool, x, NULL); }
value upsample(struct builder *b, value x)    { return one(b, &op_upsample2x, x, NULL); }
value detach(struct builder *b, value x)      { return one(b, &op_detach, x, NULL); }

value resize(struct builder *b, value x, int h, int w)
{
    return one(b, &op_resize, x, &(struct resize_attr){ h, w });
}

static value drop(struct builder *b, const struct op *op, value x, double rate)
{
    return b->training && rate > 0 ? one(b, op, x, &(struct drop_attr){ (real)rate }) : x;
}

value dropout(struct builder *b, value x, double rate)   { return drop(b, &op_dropout, x, rate); }
value drop_path(struct builder *b, value x, double rate) { return drop(b, &op_drop_path, x, rate); }

value stack(struct builder *b, const value *levels, int count)
{
    return graph_node(b, &op_stack, "stack", levels, count, NULL);
}

value scale_levels(struct builder *b, const char *name, value x)
{
    value operands[OP_IN] = { x };
    const int levels = value_of(b, x)->shape.lv.count;
    for (int l = 0; l < levels && l + 1 < OP_IN; l++) {
        enter_index(b, name, l);
        operands[l + 1] = graph_param(b, "scale", vector(1), 0, PARAM_TRAINED, constant(1));
        leave(b);
    }
    return graph_node(b, &op_scale, name, operands, 1 + levels, NULL);
}

/* Ghost module (Han et al. 2020, fig. 2b): half of the channels, then a cheap copy of them. */
static value ghost(struct builder *b, const char *name, value x, int out, enum act a)
{
    enter(b, name);
    const value y = activate(b, conv_norm(b, "primary_conv", 0, x, pointwise((out + 1) / 2)), a);
    const value z = activate(b, conv_norm(b, "cheap_operation", 0, y, depthwise(3, 1)), a);
    leave(b);
    return concat(b, y, z);
}

/* Squeeze-and-excitation (Hu et al. 2018, fig. 2): each channel of an image times a factor from 0 to 1. */
static value squeeze_excite(struct builder *b, const char *name, value x)
{
    const int c = channels_of(b, x), reduced = divisible(0.25 * c, 4);
    enter(b, name);
    const value squeezed = conv(b, "conv_reduce", global_pool(b, x), biased(pointwise(reduced)));
    const value gate = conv(b, "conv_expand", activate(b, squeezed, ACT_RELU), biased(pointwise(c)));
    leave(b);
    return mul(b, x, activate(b, gate, ACT_HARD_SIGMOID));
}

value ghost_bottleneck(struct builder *b, value x, struct ghost g, enum act a)
{
    value y = ghost(b, "ghost1", x, g.mid, a), shortcut = x;
    if (g.stride > 1)
        y = norm(b, "bn_dw", conv(b, "conv_dw", y, depthwise(g.kernel, g.stride)));
    if (g.excite)
        y = squeeze_excite(b, "se", y);
    y = ghost(b, "ghost2", y, g.out, ACT_NONE);
    if (g.stride > 1 || channels_of(b, x) != g.out) {
        shortcut = conv_norm(b, "shortcut", 0, x, depthwise(g.kernel, g.stride));
        shortcut = conv_norm(b, "shortcut", 2, shortcut, pointwise(g.out));
    }
    return add(b, y, shortcut);
}

value ghost2former(struct builder *b, value x, int out, int kernel, enum act a)
{
    const value y = conv(b, "shortcut2.0", ghost(b, "ghost1", x, out, a), depthwise(kernel, 1));
    return conv_norm(b, "ghost2", 0, mul(b, y, conv(b, "shortcut1.0", x, pointwise(out))), pointwise(out));
}
