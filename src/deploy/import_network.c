#include "deploy/import_network.h"

#include "base/memory.h"
#include "graph/builder.h"
#include "op/ops.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- weights ---- */

/* Parameters are named after tensor indices, since names in a file need not be unique.  The mean and variance of an
 * affine layer, and its shift if it has none, are constant vectors of 0 or 1. */
struct weight_name { char s[32]; };

static struct weight_name name_of(const char *what, int number)
{
    struct weight_name name;
    snprintf(name.s, sizeof name.s, "%s.%d", what, number);
    return name;
}

static struct shape shape_of(const struct tensor *t)
{
    if (t->rank == 1)
        return (struct shape){ 1, 1, 1, (int)t->dims[0], {0} };
    return (struct shape){ (int)t->dims[0], (int)t->dims[2], (int)t->dims[3], (int)t->dims[1], {0} };
}

static struct shape vector(int c) { return (struct shape){ 1, 1, 1, c, {0} }; }

static bool declare(struct params *params, const char *name, struct shape shape, int rank, double start,
                    struct error *err)
{
    return params_declare(params, name, shape, rank, PARAM_BUFFER, (struct init){ INIT_CONSTANT, start }, err) >= 0;
}

static bool declare_tensor(const struct network *net, int index, struct params *params, struct error *err)
{
    if (index == NO_TENSOR)
        return true;
    const struct tensor *t = &net->weights.list[index];
    for (int i = 0; i < t->rank; i++)
        if (t->dims[i] > INT_MAX)
            return fail(err, "%s: an extent of %zu", t->name, t->dims[i]);
    return declare(params, name_of("weight", index).s, shape_of(t), t->rank, 0, err);
}

bool import_network_params(const struct network *net, struct params *params, struct error *err)
{
    *params = (struct params){0};
    for (int i = 0; i < net->count; i++) {
        const struct layer *layer = &net->layers[i];
        const int c = layer->out_channels;
        if (!declare_tensor(net, layer->weight, params, err) || !declare_tensor(net, layer->bias, params, err))
            return false;
        if ((layer->kind == LAYER_AFFINE || layer->kind == LAYER_NORM || layer->kind == LAYER_GROUP_NORM)
            && (!declare(params, name_of("zeros", c).s, vector(c), 1, 0, err)
                || !declare(params, name_of("ones", c).s, vector(c), 1, 1, err)))
            return false;
    }
    if (!params_layout(params, NULL, 0, err))
        return false;
    params_init(params, 0);
    for (int i = 0; i < net->weights.count; i++) {
        const int index = params_find(params, name_of("weight", i).s);
        if (index < 0)
            continue;
        float *elements = new_array(tensor_count(&net->weights.list[i]), sizeof *elements, err);
        if (!elements)
            return false;
        tensor_floats(&net->weights.list[i], elements);
        param_from_file(&params->list[index], elements, params->value);
        free(elements);
    }
    return true;
}

/* ---- layers ---- */

struct network_import {
    struct builder b;
    const struct network *net;
    value *of;                          /* [layer] */
};

static value weight(struct network_import *r, int index)
{
    const struct tensor *t = &r->net->weights.list[index];
    return graph_param(&r->b, name_of("weight", index).s, shape_of(t), t->rank, PARAM_BUFFER, (struct init){0});
}

static value constant(struct network_import *r, const char *what, int c)
{
    return graph_param(&r->b, name_of(what, c).s, vector(c), 1, PARAM_BUFFER, (struct init){0});
}

static value one(struct network_import *r, const struct op *op, const struct layer *layer, value x,
                 const void *attr)
{
    return graph_node(&r->b, op, layer->name, &x, 1, attr);
}

static value slice(struct network_import *r, const struct layer *layer, value x, int from, int to)
{
    return one(r, &op_channels, layer, x, &(struct channels_attr){ from, to });
}

static value build_conv(struct network_import *r, const struct layer *layer, const value *x)
{
    value operands[3] = { x[0], weight(r, layer->weight) };
    const bool biased = layer->bias != NO_TENSOR;
    if (biased)
        operands[2] = weight(r, layer->bias);
    return graph_node(&r->b, &op_conv, layer->name, operands, biased ? 3 : 2,
                      &(struct conv_attr){ .stride = layer->stride, .pad = layer->pad, .groups = layer->groups });
}

/* A batch norm with mean 0 and variance 1. */
static value build_affine(struct network_import *r, const struct layer *layer, const value *x)
{
    const int c = layer->out_channels;
    const value shift = layer->bias == NO_TENSOR ? constant(r, "zeros", c) : weight(r, layer->bias);
    const value operands[] = { x[0], weight(r, layer->weight), shift, constant(r, "zeros", c), constant(r, "ones", c) };
    return graph_node(&r->b, &op_norm, layer->name, operands, 5, &(struct norm_attr){ .act = ACT_NONE });
}

static value build_activation(struct network_import *r, const struct layer *layer, const value *x)
{
    return one(r, &op_act, layer, x[0], &(struct act_attr){ layer->act, (real)layer->slope });
}

static value build_shuffle(struct network_import *r, const struct layer *layer, const value *x)
{
    const int c = layer->out_channels;
    if (layer->groups != 2)
        builder_fail(&r->b, "%s: a shuffle of %d groups, not of 2", layer->name, layer->groups);
    const value halves[] = { slice(r, layer, x[0], 0, c / 2), slice(r, layer, x[0], c / 2, c) };
    return graph_node(&r->b, &op_shuffle, layer->name, halves, 2, NULL);
}

static value build_pool(struct network_import *r, const struct layer *layer, const value *x)
{
    const struct pool_attr window = { layer->kernel, layer->stride, layer->pad };
    return one(r, layer->kind == LAYER_MAX_POOL ? &op_max_pool : &op_avg_pool, layer, x[0], &window);
}

static value build_channels(struct network_import *r, const struct layer *layer, const value *x)
{
    return slice(r, layer, x[0], layer->from, layer->to);
}

static value build_constant(struct network_import *r, const struct layer *layer, const value *x)
{
    (void)x;
    return weight(r, layer->weight);
}

/* A constant has one image and is added to every image. */
static value build_add(struct network_import *r, const struct layer *layer, const value *x)
{
    const struct layer *layers = r->net->layers;
    const bool first = layers[layer->operand[0]].kind == LAYER_CONSTANT;
    const bool constant = first || layers[layer->operand[1]].kind == LAYER_CONSTANT;
    return graph_node(&r->b, constant ? &op_position : &op_add, layer->name, (value[]){ x[first], x[!first] }, 2,
                      NULL);
}

static value build_norm(struct network_import *r, const struct layer *layer, const value *x)
{
    const int c = layer->out_channels;
    const value shift = layer->bias == NO_TENSOR ? constant(r, "zeros", c) : weight(r, layer->bias);
    return graph_node(&r->b, layer->kind == LAYER_NORM ? &op_layer_norm : &op_group_norm, layer->name,
                      (value[]){ x[0], weight(r, layer->weight), shift }, 3,
                      &(struct norm_attr){ .eps = (real)layer->eps, .groups = layer->groups });
}

static value build_attention(struct network_import *r, const struct layer *layer, const value *x)
{
    const value joined = graph_node(&r->b, &op_concat, layer->name, x, 3, NULL);
    return one(r, &op_attention, layer, joined, &(struct attention_attr){ layer->groups, 0 });
}

static value build_sigmoid_of(struct network_import *r, const struct layer *layer, const value *x)
{
    const int from = layer->from, to = layer->to, c = layer->out_channels;
    value parts[3];
    int count = 0;
    if (from > 0)
        parts[count++] = slice(r, layer, x[0], 0, from);
    parts[count++] = one(r, &op_act, layer, slice(r, layer, x[0], from, to), &(struct act_attr){ ACT_SIGMOID, 0 });
    if (to < c)
        parts[count++] = slice(r, layer, x[0], to, c);
    return graph_node(&r->b, &op_concat, layer->name, parts, count, NULL);
}

/* The function that builds each kind; if `build` is NULL, a node of that op with the layer's operands. */
static const struct import_row {
    const struct op *op;
    value (*build)(struct network_import *, const struct layer *, const value *x);
} import_rows[LAYER_KINDS] = {
#define LAYER(op, kind, convert, build) [LAYER_##kind] = { &op_##op, build },
#define EXPORTED(op, kind, convert)
#define IMPORTED(kind, build)           [LAYER_##kind] = { NULL, build },
#include "deploy/layer_rows.h"
};

/* A constant is a parameter, and only a sum can read a parameter. */
static bool constants_fit(const struct network *net, const struct layer *layer)
{
    int constants = 0;
    for (int i = 0; i < layer->operands; i++)
        constants += net->layers[layer->operand[i]].kind == LAYER_CONSTANT;
    return constants == 0 || (constants == 1 && layer->kind == LAYER_ADD);
}

static value build_layer(struct network_import *r, const struct layer *layer)
{
    const struct import_row *row = &import_rows[layer->kind];
    value x[LAYER_OPERANDS];
    for (int i = 0; i < layer->operands; i++)
        x[i] = r->of[layer->operand[i]];
    if (!constants_fit(r->net, layer))
        builder_fail(&r->b, "%s: a constant is added to a map, not read by a %s", layer->name,
                     layer_kind_name(layer->kind));
    return row->build ? row->build(r, layer, x)
                      : graph_node(&r->b, row->op, layer->name, x, layer->operands, NULL);
}

bool import_network(const struct network *net, struct params *params, int n, int h, int w, struct graph *g,
                    struct error *err)
{
    struct network_import r = { .b = { .graph = g, .params = params }, .net = net };
    value outputs[LAYER_OPERANDS];
    *g = (struct graph){0};
    r.of = new_array((size_t)net->count, sizeof *r.of, err);
    if (!r.of)
        return false;
    r.of[0] = graph_input(&r.b, (struct shape){ n, h, w, 3, {0} });
    for (int i = 1; i < net->count && !r.b.error.exit; i++)
        r.of[i] = build_layer(&r, &net->layers[i]);
    for (int i = 0; i < net->output_count; i++) {
        outputs[i] = r.of[net->outputs[i]];
        if (net->layers[net->outputs[i]].kind == LAYER_CONSTANT)
            builder_fail(&r.b, "output %d is a constant", i);
    }
    graph_output(&r.b, "main", graph_node(&r.b, &op_stack, "outputs", outputs, net->output_count, NULL));
    free(r.of);
    return graph_build(&r.b, err);
}
