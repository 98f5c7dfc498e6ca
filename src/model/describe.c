#include "model/describe.h"

#include "op/ops.h"

static const char *const act_names[] = {
#define ACTIVATION(id, name, ...) name,
#include "kernel/activation_rows.h"
};

bool node_is_layer(const struct node *n) { return n->op != &op_materialise; }

/* ---- attributes ---- */

/* cJSON's functions accept NULL and then return NULL or false, so one check at the end is enough. */
static bool add_number(cJSON *to, const char *name, double v) { return cJSON_AddNumberToObject(to, name, v); }

static bool add_act(cJSON *to, enum act act, real slope)
{
    return cJSON_AddStringToObject(to, "activation", act_names[act])
        && (act != ACT_LEAKY_RELU || add_number(to, "slope", slope));
}

static bool conv_attributes(cJSON *to, const struct node *n)
{
    return add_number(to, "kernel", n->x[1].h) && add_number(to, "stride", conv_attr(n)->stride)
        && add_number(to, "pad", conv_attr(n)->pad) && add_number(to, "groups", conv_attr(n)->groups);
}

static bool any_norm_attributes(cJSON *to, const struct node *n)
{
    return add_number(to, "eps", norm_attr(n)->eps) && add_act(to, norm_attr(n)->act, norm_attr(n)->slope);
}

static bool norm_attributes(cJSON *to, const struct node *n)
{
    return cJSON_AddBoolToObject(to, "training", norm_attr(n)->training)
        && add_number(to, "momentum", norm_attr(n)->momentum) && any_norm_attributes(to, n);
}

static bool group_norm_attributes(cJSON *to, const struct node *n)
{
    return add_number(to, "groups", norm_attr(n)->groups) && any_norm_attributes(to, n);
}

static bool act_attributes(cJSON *to, const struct node *n)
{
    return add_act(to, act_attr(n)->act, act_attr(n)->slope);
}

static bool pool_attributes(cJSON *to, const struct node *n)
{
    return add_number(to, "kernel", pool_attr(n)->kernel) && add_number(to, "stride", pool_attr(n)->stride)
        && add_number(to, "pad", pool_attr(n)->pad);
}

static bool channels_attributes(cJSON *to, const struct node *n)
{
    return add_number(to, "from", channels_attr(n)->from) && add_number(to, "to", channels_attr(n)->to);
}

static bool resize_attributes(cJSON *to, const struct node *n)
{
    return add_number(to, "height", resize_attr(n)->h) && add_number(to, "width", resize_attr(n)->w);
}

static bool layer_norm_attributes(cJSON *to, const struct node *n) { return add_number(to, "eps", norm_attr(n)->eps); }
static bool drop_attributes(cJSON *to, const struct node *n) { return add_number(to, "rate", drop_attr(n)->rate); }

static bool attention_attributes(cJSON *to, const struct node *n)
{
    return add_number(to, "heads", attention_attr(n)->heads) && add_number(to, "rate", attention_attr(n)->rate);
}

static const struct { const struct op *op; bool (*add)(cJSON *, const struct node *); } attributes[] = {
    { &op_conv,     conv_attributes }, { &op_norm,     norm_attributes }, { &op_group_norm, group_norm_attributes },
    { &op_act,      act_attributes },  { &op_max_pool, pool_attributes }, { &op_avg_pool,   pool_attributes },
    { &op_channels, channels_attributes }, { &op_resize, resize_attributes },
    { &op_layer_norm, layer_norm_attributes }, { &op_dropout, drop_attributes },
    { &op_drop_path, drop_attributes }, { &op_attention, attention_attributes } };

/* ---- values and nodes ---- */

cJSON *shape_describe(const struct shape *s)
{
    return cJSON_CreateIntArray((const int[4]){ s->n, s->h, s->w, s->c }, 4);
}

static bool add_shape(cJSON *to, const struct shape *s)
{
    bool ok = json_add(to, "shape", shape_describe(s));
    cJSON *levels = s->lv.count ? cJSON_AddArrayToObject(to, "levels") : NULL;
    for (int l = 0; ok && l < s->lv.count; l++)
        ok = json_add(levels, NULL, cJSON_CreateIntArray((const int[2]){ s->lv.h[l], s->lv.w[l] }, 2));
    return ok;
}

/* The value behind v: nodes that only move memory are skipped. */
static value source_of(const struct graph *g, value v)
{
    while (g->values[v].producer >= 0 && !node_is_layer(&g->nodes[g->values[v].producer]))
        v = g->nodes[g->values[v].producer].operand[0];
    return v;
}

static bool add_leaf(cJSON *json, const struct graph *g, const struct params *params, value v)
{
    const struct value_info *x = &g->values[v];
    cJSON *one = json_add(cJSON_GetObjectItemCaseSensitive(json, x->param < 0 ? "inputs" : "parameters"), NULL,
                          cJSON_CreateObject());
    if (!add_number(one, "id", v))
        return false;
    if (x->param < 0)
        return cJSON_AddStringToObject(one, "name", "image") && add_shape(one, &x->shape);
    static const char *const kinds[] = {
        [PARAM_TRAINED] = "trained", [PARAM_FROZEN] = "frozen", [PARAM_BUFFER] = "buffer" };
    const struct param *p = &params->list[x->param];
    size_t dims[4];
    int shape[4];
    const int rank = param_dims(p, dims);
    for (int i = 0; i < rank; i++)
        shape[i] = (int)dims[i];
    return cJSON_AddStringToObject(one, "name", p->name) && cJSON_AddStringToObject(one, "kind", kinds[p->kind])
        && json_add(one, "shape", cJSON_CreateIntArray(shape, rank));
}

static bool add_node(cJSON *json, const struct graph *g, const struct node *n)
{
    cJSON *one = json_add(cJSON_GetObjectItemCaseSensitive(json, "nodes"), NULL, cJSON_CreateObject());
    int inputs[OP_IN];
    for (int k = 0; k < n->in; k++)
        inputs[k] = source_of(g, n->operand[k]);
    bool ok = cJSON_AddStringToObject(one, "name", n->name) && cJSON_AddStringToObject(one, "op", n->op->name)
           && json_add(one, "inputs", cJSON_CreateIntArray(inputs, n->in)) && add_number(one, "output", n->result[0])
           && add_shape(one, &n->y[0]);
    cJSON *to = cJSON_AddObjectToObject(one, "attributes");
    for (size_t i = 0; ok && i < sizeof attributes / sizeof *attributes; i++)
        ok = attributes[i].op != n->op || attributes[i].add(to, n);
    return ok && to;
}

cJSON *graph_describe(const struct graph *g, const struct params *params)
{
    cJSON *json = cJSON_CreateObject();
    bool ok = cJSON_AddArrayToObject(json, "inputs") && cJSON_AddArrayToObject(json, "parameters")
           && cJSON_AddArrayToObject(json, "nodes");
    for (value v = 0; ok && v < g->value_count; v++)
        ok = g->values[v].producer >= 0 || add_leaf(json, g, params, v);
    for (int i = 0; ok && i < g->node_count; i++)
        ok = !node_is_layer(&g->nodes[i]) || add_node(json, g, &g->nodes[i]);
    cJSON *outputs = cJSON_AddArrayToObject(json, "outputs");
    for (int i = 0; ok && i < g->output_count; i++) {
        cJSON *one = json_add(outputs, NULL, cJSON_CreateObject());
        ok = cJSON_AddStringToObject(one, "name", g->outputs[i].name)
          && add_number(one, "id", source_of(g, g->outputs[i].v));
    }
    if (ok && outputs)
        return json;
    cJSON_Delete(json);
    return NULL;
}
