#include "deploy/export_network.h"

#include "base/memory.h"
#include "op/ops.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct network_export {
    const struct graph *g;
    struct network *net;
    int (*layer)[LEVELS];               /* [value] the layer of each level */
    int *tensor;                        /* [value] of a weight or a norm's scale (its shift is next), or NO_TENSOR */
    bool *constant;                     /* [value] computed from parameters alone */
    struct error *err;
};

struct layer_name { char s[700]; };

/* "name" or, with several levels, "name.level0"; then the suffix. */
static struct layer_name name_of(const struct node *n, int level, const char *suffix)
{
    struct layer_name name;
    const int used = snprintf(name.s, sizeof name.s - 32, "%s", n->name);
    if (n->y[0].lv.count)
        snprintf(name.s + used, sizeof name.s - (size_t)used, ".level%d%s", level, suffix);
    else
        snprintf(name.s + used, sizeof name.s - (size_t)used, "%s", suffix);
    return name;
}

/* ---- weights ---- */

/* Adds the elements of a parameter, or of a constant computed from parameters, in file order: [n][c][h][w] or [c]. */
static int weights_of(struct network_export *m, value v, int rank)
{
    const struct value_info *info = &m->g->values[v];
    const struct shape s = info->shape;
    const struct const_view view = graph_read(m->g, v);
    const size_t dims[4] = { (size_t)s.n, (size_t)s.c, (size_t)s.h, (size_t)s.w };
    const struct param p = { .shape = s, .count = (ptrdiff_t)s.n * s.h * s.w * s.c };
    const char *name = info->param >= 0 ? m->g->params->list[info->param].name : m->g->nodes[info->producer].name;
    float *elements;
    if (m->tensor[v] != NO_TENSOR)
        return m->tensor[v];
    if (view.ld != s.c)
        return fail(m->err, "%s: is part of another tensor", name) - 1;
    m->tensor[v] = network_add_weights(m->net, name, rank, rank == 1 ? dims + 1 : dims, &elements, m->err);
    if (m->tensor[v] >= 0)
        param_to_file(&p, view.p, elements);
    return m->tensor[v];
}

/* ---- layers ---- */

/* The layer of an operand at this level; an operand with one level serves all levels. */
static int operand(struct network_export *m, const struct node *n, int i, int level)
{
    const value v = n->operand[i];
    int *layer = &m->layer[v][n->x[i].lv.count ? level : 0];
    if (!m->constant[v] || *layer >= 0)
        return *layer;
    const int weight = weights_of(m, v, 4);
    *layer = weight < 0 ? -1 : network_add(m->net, LAYER_CONSTANT, m->net->weights.list[weight].name, NULL, 0, m->err);
    if (*layer >= 0)
        m->net->layers[*layer].weight = weight;
    return *layer;
}

/* Adds a layer for one level of a node, with operands `layers`; NULL on failure. */
static struct layer *add_layer(struct network_export *m, const struct node *n, int level, const char *suffix,
                               enum layer_kind kind, const int *layers, int count)
{
    for (int i = 0; i < count; i++)
        if (layers[i] < 0)
            return NULL;
    const int index = network_add(m->net, kind, name_of(n, level, suffix).s, layers, count, m->err);
    return index < 0 ? NULL : &m->net->layers[index];
}

/* Adds a layer that reads the node's first `count` operands. */
static struct layer *add_plain(struct network_export *m, const struct node *n, int level, enum layer_kind kind,
                               int count)
{
    int layers[OP_IN];
    for (int i = 0; i < count; i++)
        layers[i] = operand(m, n, i, level);
    return add_layer(m, n, level, "", kind, layers, count);
}

static bool same_layer(struct network_export *m, const struct node *n, int level, enum layer_kind kind)
{
    (void)kind;
    m->layer[n->result[0]][level] = operand(m, n, 0, level);
    return m->layer[n->result[0]][level] >= 0;
}

static bool stack_level(struct network_export *m, const struct node *n, int level, enum layer_kind kind)
{
    (void)kind;
    m->layer[n->result[0]][level] = operand(m, n, level, 0);
    return m->layer[n->result[0]][level] >= 0;
}

static bool same_kind(struct network_export *m, const struct node *n, int level, enum layer_kind kind)
{
    return add_plain(m, n, level, kind, n->in);
}

/* A product with a constant vector is an affine layer without shift. */
static bool mul_layer(struct network_export *m, const struct node *n, int level, enum layer_kind kind)
{
    const struct shape s = n->x[1];
    if (!m->constant[n->operand[1]] || (ptrdiff_t)s.n * s.h * s.w > 1)
        return same_kind(m, n, level, kind);
    const int weight = weights_of(m, n->operand[1], 1);
    struct layer *layer = weight < 0 ? NULL : add_plain(m, n, level, LAYER_AFFINE, 1);
    if (layer)
        layer->weight = weight;
    return layer;
}

static bool concat_layer(struct network_export *m, const struct node *n, int level, enum layer_kind kind)
{
    return n->in == 1 ? same_layer(m, n, level, kind) : same_kind(m, n, level, kind);
}

static bool conv_layer(struct network_export *m, const struct node *n, int level, enum layer_kind kind)
{
    if (conv_attr(n)->norm)
        return fail(m->err, "%s: an optimised graph, whose layers do not correspond to the model's", n->name);
    const int weight = weights_of(m, n->operand[1], 4), bias = n->in > 2 ? weights_of(m, n->operand[2], 1) : NO_TENSOR;
    struct layer *layer = weight < 0 || (n->in > 2 && bias < 0) ? NULL : add_plain(m, n, level, kind, 1);
    if (!layer)
        return false;
    layer->weight = weight;
    layer->bias = bias;
    layer->kernel = n->x[1].h;
    layer->stride = conv_attr(n)->stride;
    layer->pad = conv_attr(n)->pad;
    layer->groups = conv_attr(n)->groups;
    return n->x[1].h == n->x[1].w || fail(m->err, "%s: a kernel of %d x %d", n->name, n->x[1].w, n->x[1].h);
}

static bool act_layer(struct network_export *m, const struct node *n, int level, enum layer_kind kind)
{
    struct layer *layer = add_plain(m, n, level, kind, 1);
    if (layer) {
        layer->act = act_attr(n)->act;
        layer->slope = (float)act_attr(n)->slope;
    }
    return layer;
}

/* scale = gamma / sqrt(var + eps), shift = beta - mean scale. */
static bool norm_weights(struct network_export *m, const struct node *n)
{
    const size_t dims[] = { (size_t)n->x[0].c };
    const real *gamma = graph_read(m->g, n->operand[1]).p, *beta = graph_read(m->g, n->operand[2]).p;
    const real *mean = graph_read(m->g, n->operand[3]).p, *var = graph_read(m->g, n->operand[4]).p;
    const struct params *params = m->g->params;
    const char *weight_name = params->list[m->g->values[n->operand[1]].param].name;
    const char *bias_name = params->list[m->g->values[n->operand[2]].param].name;
    float *scale = NULL, *shift = NULL;
    const int weight = network_add_weights(m->net, weight_name, 1, dims, &scale, m->err);
    if (weight < 0 || network_add_weights(m->net, bias_name, 1, dims, &shift, m->err) < 0)
        return false;
    for (int c = 0; c < n->x[0].c; c++) {
        const double s = gamma[c] / sqrt(var[c] + (double)norm_attr(n)->eps);
        scale[c] = (float)s;
        shift[c] = (float)(beta[c] - mean[c] * s);
    }
    m->tensor[n->result[0]] = weight;
    return true;
}

/* Adds the activation that is part of a norm's node after the layer added last. */
static bool norm_act(struct network_export *m, const struct node *n, int level)
{
    if (norm_attr(n)->act == ACT_NONE)
        return true;
    struct layer *layer = add_layer(m, n, level, ".act", LAYER_ACTIVATION, (int[]){ m->net->count - 1 }, 1);
    if (layer) {
        layer->act = norm_attr(n)->act;
        layer->slope = (float)norm_attr(n)->slope;
    }
    return layer;
}

static bool norm_layers(struct network_export *m, const struct node *n, int level, enum layer_kind kind)
{
    if (norm_attr(n)->training)
        return fail(m->err, "%s: a norm with batch statistics cannot be exported", n->name);
    if (m->tensor[n->result[0]] == NO_TENSOR && !norm_weights(m, n))
        return false;
    struct layer *layer = add_plain(m, n, level, kind, 1);
    if (!layer)
        return false;
    layer->weight = m->tensor[n->result[0]];
    layer->bias = layer->weight + 1;
    layer->eps = (double)norm_attr(n)->eps;
    return norm_act(m, n, level);
}

/* One number per level becomes a vector of equal elements. */
static bool scale_layer(struct network_export *m, const struct node *n, int level, enum layer_kind kind)
{
    const value s = n->operand[1 + level];
    const size_t dims[] = { (size_t)n->x[0].c };
    float *scale;
    struct layer *layer = add_plain(m, n, level, kind, 1);
    if (!layer)
        return false;
    const char *name = m->g->params->list[m->g->values[s].param].name;
    layer->weight = network_add_weights(m->net, name, 1, dims, &scale, m->err);
    for (int c = 0; layer->weight >= 0 && c < n->x[0].c; c++)
        scale[c] = (float)*graph_read(m->g, s).p;
    return layer->weight >= 0;
}

static bool shuffle_layers(struct network_export *m, const struct node *n, int level, enum layer_kind kind)
{
    if (!add_plain(m, n, level, LAYER_CONCAT, 2))
        return false;
    struct layer *layer = add_layer(m, n, level, ".shuffle", kind, (int[]){ m->net->count - 1 }, 1);
    if (layer)
        layer->groups = 2;
    return layer;
}

static bool pool_layer(struct network_export *m, const struct node *n, int level, enum layer_kind kind)
{
    struct layer *layer = add_plain(m, n, level, kind, 1);
    if (layer) {
        layer->kernel = pool_attr(n)->kernel;
        layer->stride = pool_attr(n)->stride;
        layer->pad = pool_attr(n)->pad;
    }
    return layer;
}

static bool channels_layer(struct network_export *m, const struct node *n, int level, enum layer_kind kind)
{
    struct layer *layer = add_plain(m, n, level, kind, 1);
    if (layer) {
        layer->from = channels_attr(n)->from;
        layer->to = channels_attr(n)->to;
    }
    return layer;
}

/* Position rows [h w][c] become a map [c][h][w]. */
static bool position_layer(struct network_export *m, const struct node *n, int level, enum layer_kind kind)
{
    const struct shape s = n->x[0];
    const size_t dims[] = { 1, (size_t)s.c, (size_t)s.h, (size_t)s.w }, places = dims[2] * dims[3];
    const int param = m->g->values[n->operand[1]].param;
    const struct const_view rows = graph_read(m->g, n->operand[1]);
    float *map;
    if (param < 0)
        return fail(m->err, "%s: position embeddings that are not a parameter", n->name);
    const char *name = m->g->params->list[param].name;
    const int weight = network_add_weights(m->net, name, 4, dims, &map, m->err);
    const int constant = weight < 0 ? -1 : network_add(m->net, LAYER_CONSTANT, name, NULL, 0, m->err);
    if (constant < 0)
        return false;
    m->net->layers[constant].weight = weight;
    for (size_t i = 0; i < places * dims[1]; i++)
        map[i] = (float)rows.p[(ptrdiff_t)(i % places) * rows.ld + (ptrdiff_t)(i / places)];
    return add_layer(m, n, level, "", kind, (int[]){ operand(m, n, 0, level), constant }, 2);
}

/* A layer norm, or a group norm with the activation that follows it. */
static bool layer_or_group_norm(struct network_export *m, const struct node *n, int level, enum layer_kind kind)
{
    const int weight = weights_of(m, n->operand[1], 1), bias = weights_of(m, n->operand[2], 1);
    struct layer *layer = weight < 0 || bias < 0 ? NULL : add_plain(m, n, level, kind, 1);
    if (layer) {
        layer->weight = weight;
        layer->bias = bias;
        layer->eps = (double)norm_attr(n)->eps;
        layer->groups = kind == LAYER_GROUP_NORM ? norm_attr(n)->groups : 1;
    }
    return layer && (kind != LAYER_GROUP_NORM || norm_act(m, n, level));
}

/* The operand's channels are queries, keys and values, in this order. */
static bool attention_layers(struct network_export *m, const struct node *n, int level, enum layer_kind kind)
{
    static const char *const names[] = { ".queries", ".keys", ".values" };
    const int x = operand(m, n, 0, level), c = n->y[0].c;
    int parts[3];
    for (int i = 0; i < 3; i++) {
        struct layer *part = add_layer(m, n, level, names[i], LAYER_CHANNELS, &x, 1);
        if (!part)
            return false;
        part->from = i * c;
        part->to = (i + 1) * c;
        parts[i] = m->net->count - 1;
    }
    struct layer *layer = add_layer(m, n, level, "", kind, parts, 3);
    if (layer)
        layer->groups = attention_attr(n)->heads;
    return layer;
}

/* Bilinear with half-pixel centres; at half the size it is the mean of four pixels. */
static bool resize_layer(struct network_export *m, const struct node *n, int level, enum layer_kind kind)
{
    const struct shape x = n->x[0], y = n->y[0];
    if (y.h == x.h && y.w == x.w)
        return same_layer(m, n, level, kind);
    if (y.h == 2 * x.h && y.w == 2 * x.w)
        return add_plain(m, n, level, LAYER_BILINEAR, 1);
    if (2 * y.h != x.h || 2 * y.w != x.w)
        return fail(m->err, "%s: resizing from %d x %d to %d x %d cannot be exported", n->name, x.w, x.h, y.w,
                    y.h);
    struct layer *layer = add_plain(m, n, level, LAYER_AVG_POOL, 1);
    if (layer)
        layer->kernel = layer->stride = 2;
    return layer;
}

/* The conversion of one level of a node.  The value's layer is the last one added, unless convert sets another. */
static const struct export_row {
    const struct op *op;
    enum layer_kind kind;
    bool (*convert)(struct network_export *, const struct node *, int level, enum layer_kind);
} export_rows[] = {
#define LAYER(op, kind, convert, build) { &op_##op, LAYER_##kind, convert },
#define EXPORTED(op, kind, convert)     { &op_##op, LAYER_##kind, convert },
#define IMPORTED(kind, build)
#include "deploy/layer_rows.h"
    {0} };

static bool convert_node(struct network_export *m, const struct node *n)
{
    const struct export_row *row = export_rows;
    while (row->op && row->op != n->op)
        row++;
    if (!row->op)
        return fail(m->err, "%s: %s cannot be exported", n->name, n->op->name);
    for (int level = 0; level < level_count(&n->y[0].lv); level++) {
        if (!row->convert(m, n, level, row->kind))
            return false;
        if (m->layer[n->result[0]][level] < 0)
            m->layer[n->result[0]][level] = m->net->count - 1;
    }
    return true;
}

/* ---- the network ---- */

static bool all_constant(const struct network_export *m, const struct node *n)
{
    bool all = true;
    for (int i = 0; i < n->in; i++)
        all = all && m->constant[n->operand[i]];
    return all;
}

static bool convert_graph(struct network_export *m)
{
    const struct graph *g = m->g;
    for (value v = 0; v < g->value_count; v++) {
        m->tensor[v] = NO_TENSOR;
        m->constant[v] = g->values[v].param >= 0;
        for (int level = 0; level < LEVELS; level++)
            m->layer[v][level] = -1;
        if (g->values[v].producer < 0 && g->values[v].param < 0
            && (m->layer[v][0] = network_add(m->net, LAYER_INPUT, "data", NULL, 0, m->err)) < 0)
            return false;
    }
    for (int i = 0; i < g->node_count; i++)
        if (all_constant(m, &g->nodes[i])) {
            m->constant[g->nodes[i].result[0]] = true;
            g->nodes[i].op->forward(&g->calls[FORWARD][i]);
        } else if (!convert_node(m, &g->nodes[i]))
            return false;
    return true;
}

bool export_network(const struct graph *g, const char *output, struct network *net, struct error *err)
{
    const size_t count = (size_t)g->value_count;
    struct network_export m = { g, net, new_array(count, sizeof *m.layer, err), new_array(count, sizeof *m.tensor, err),
                                new_array(count, sizeof *m.constant, err), err };
    const value y = graph_output_named(g, output);
    *net = (struct network){0};
    bool ok = m.layer && m.tensor && m.constant && (y != VALUE_NONE || fail(err, "no output %s", output))
           && convert_graph(&m);
    net->output_count = ok ? level_count(&g->values[y].shape.lv) : 0;
    for (int level = 0; level < net->output_count; level++)
        net->outputs[level] = m.layer[y][level];
    free(m.layer);
    free(m.tensor);
    free(m.constant);
    return ok && network_check(net, "the model", err);
}
