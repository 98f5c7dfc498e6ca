/* tests/layers.h -- layers for graphs that are built by hand.  soft gives a normalised map, deferred; firm one that is
 * not.  Their parameters are named after them. */
#ifndef TESTS_LAYERS_H
#define TESTS_LAYERS_H
#include "graph/builder.h"
#include "op/ops.h"
#include <stdio.h>

static const struct shape image = { .n = 2, .h = 4, .w = 6, .c = 3 };

static inline value one(struct builder *b, const struct op *op, value x)
{
    return graph_node(b, op, op->name, &x, 1, NULL);
}

static inline value two(struct builder *b, const struct op *op, value x, value y)
{
    return graph_node(b, op, op->name, (value[]){ x, y }, 2, NULL);
}

static inline value add(struct builder *b, value x, value y)    { return two(b, &op_add, x, y); }
static inline value concat(struct builder *b, value x, value y) { return two(b, &op_concat, x, y); }

static inline value channels(struct builder *b, value x, int from, int to)
{
    return graph_node(b, &op_channels, "channels", &x, 1, &(struct channels_attr){ from, to });
}

static inline value vector(struct builder *b, const char *layer, const char *name, int c, enum param_kind kind,
                           struct init init)
{
    enter(b, layer);
    const value v = graph_param(b, name, (struct shape){ 1, 1, 1, c, {0} }, 1, kind, init);
    leave(b);
    return v;
}

static inline value conv(struct builder *b, const char *name, value x, int out, int kernel)
{
    const struct shape w = { out, kernel, kernel, value_of(b, x)->shape.c, {0} };
    enter(b, name);
    const value weight = graph_param(b, "weight", w, 4, PARAM_TRAINED, (struct init){ INIT_UNIFORM, 0.5 });
    leave(b);
    return graph_node(b, &op_conv, name, (value[]){ x, weight }, 2,
                      &(struct conv_attr){ .stride = 1, .pad = kernel / 2, .groups = 1 });
}

static inline value norm(struct builder *b, const char *name, value x, enum act act)
{
    const int c = value_of(b, x)->shape.c;
    const struct init any = { INIT_UNIFORM, 1 }, positive = { INIT_CONSTANT, 1 };
    const value operands[] = {
        x, vector(b, name, "gamma", c, PARAM_TRAINED, any), vector(b, name, "beta", c, PARAM_TRAINED, any),
        vector(b, name, "mean", c, PARAM_BUFFER, any), vector(b, name, "var", c, PARAM_BUFFER, positive) };
    return graph_node(b, &op_norm, name, operands, 5, &(struct norm_attr){
                      .eps = (real)1e-3, .momentum = (real)0.1, .act = act, .training = b->training });
}

static inline value group_norm(struct builder *b, const char *name, value x, int groups)
{
    const int c = value_of(b, x)->shape.c;
    const struct init any = { INIT_UNIFORM, 1 };
    return graph_node(b, &op_group_norm, name,
                      (value[]){ x, vector(b, name, "gamma", c, PARAM_TRAINED, any),
                                 vector(b, name, "beta", c, PARAM_TRAINED, any) }, 3,
                      &(struct norm_attr){ .eps = 1e-3, .act = ACT_SILU, .groups = groups });
}

static inline value soft(struct builder *b, const char *name, value x, int out)
{
    char inner[32];
    snprintf(inner, sizeof inner, "%s_norm", name);
    return norm(b, inner, conv(b, name, x, out, 1), ACT_SILU);
}

static inline value firm(struct builder *b, const char *name, value x, int out)
{
    return graph_node(b, &op_act, "act", (value[]){ conv(b, name, x, out, 1) }, 1,
                      &(struct act_attr){ ACT_SILU, 0 });
}
#endif
