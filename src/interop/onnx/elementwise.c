/* Sums and products of maps, of a map and a constant tensor, of a map and a number. */
#include "interop/onnx/expression.h"
#include "interop/onnx/fold.h"
#include "interop/onnx/handlers.h"

#include "base/memory.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static float *no_floats(const struct onnx_reader *r, const struct onnx_node *node, const char *why)
{
    fail_node(r, node, why);
    return NULL;
}

/* Broadcasts a constant to the order of the map: values[c][h][w], or [c] if all pixels are equal. */
static float *broadcast(struct onnx_reader *r, const struct onnx_node *node, const struct read_value *x,
                        const struct tensor *t, bool *pixels)
{
    const struct map *map = &r->layer_sizes[x->layer].map;
    const struct map_layout *v = &x->layout;
    size_t step[LAYOUT_ATOMS], inner = 1;
    *pixels = false;
    if (t->rank > v->rank)
        return no_floats(r, node, "a constant of more extents than the map");
    for (int d = v->rank, k = t->rank; d-- > 0; ) {
        const size_t extent = k > 0 ? t->dims[--k] : 1;
        size_t within = inner;
        if (extent != 1 && extent != (size_t)v->extent[d])
            return no_floats(r, node, "a constant that does not fit the map");
        for (int i = v->first[d + 1]; i-- > v->first[d]; within *= (size_t)v->atom[i].extent) {
            step[i] = extent == 1 ? 0 : within;
            *pixels = *pixels || (step[i] && v->atom[i].axis != AXIS_C);
            if (step[i] && v->atom[i].axis == AXIS_N)
                return no_floats(r, node, "a constant that differs from image to image");
        }
        inner *= extent;
    }
    const int c = map->extent[AXIS_C], h = *pixels ? map->extent[AXIS_Y] : 1, w = *pixels ? map->extent[AXIS_X] : 1;
    const size_t count = (size_t)c * (size_t)h * (size_t)w;
    double *from = reader_spend(r, node, count + inner) ? new_array(inner, sizeof *from, r->err) : NULL;
    float *out = from ? new_array(count, sizeof *out, r->err) : NULL;
    if (out)
        tensor_doubles(t, from);
    for (size_t i = 0; out && i < count; i++) {
        const size_t at[AXES] = { 0, i / ((size_t)h * (size_t)w), i / (size_t)w % (size_t)h, i % (size_t)w };
        size_t place = 0;
        for (int a = 0; a < v->atoms; a++)
            place += step[a] * (at[v->atom[a].axis] / (size_t)v->atom[a].stride % (size_t)v->atom[a].extent);
        out[i] = (float)from[place];
    }
    free(from);
    return out;
}

/* ---- a map and a constant ---- */

/* Adds a constant layer, named after that value. */
static int add_constant(struct onnx_reader *r, int origin, struct map map, double stride, const float *data)
{
    const struct onnx_node named = { .name = r->file.values[origin].name };
    const size_t dims[] = { 1, (size_t)map.extent[AXIS_C], (size_t)map.extent[AXIS_Y], (size_t)map.extent[AXIS_X] };
    float *elements;
    map.extent[AXIS_N] = 1;
    const int layer = add_layer(r, &named, LAYER_CONSTANT, NULL, 0, map, stride);
    const int weight = layer < 0 ? NO_TENSOR
                     : network_add_weights(r->net, r->net->layers[layer].name, AXES, dims, &elements, r->err);
    if (weight == NO_TENSOR)
        return -1;
    memcpy(elements, data, dims[1] * dims[2] * dims[3] * sizeof *data);
    r->net->layers[layer].weight = weight;
    return layer;
}

static bool is_norm(const struct layer *l) { return l->kind == LAYER_NORM || l->kind == LAYER_GROUP_NORM; }

/* Convolutions and norms without a bias take a sum as their bias. */
static bool takes_bias(const struct onnx_reader *r, int layer)
{
    const struct layer *l = &r->net->layers[layer];
    return l->bias == NO_TENSOR && r->layer_sizes[layer].uses == 1
        && (l->kind == LAYER_CONV || l->kind == LAYER_AFFINE || is_norm(l));
}

static int add_bias(struct onnx_reader *r, const struct onnx_node *node, int to, float *values, double sign)
{
    const size_t count = (size_t)r->layer_sizes[to].map.extent[AXIS_C];
    for (size_t i = 0; i < count; i++)
        values[i] = (float)(sign * (double)values[i]);
    if (!takes_bias(r, to)) {
        float *ones = new_array(count, sizeof *ones, r->err);
        for (size_t i = 0; ones && i < count; i++)
            ones[i] = 1;
        const int layer = ones ? add_affine(r, node, to, ones, values) : -1;
        free(ones);
        return layer;
    }
    const int bias = add_vector(r, to, "bias", values);
    r->net->layers[to].bias = bias;
    return bias == NO_TENSOR ? -1 : to;
}

static int add_factors(struct onnx_reader *r, const struct onnx_node *node, int to, float *values, bool divide)
{
    const struct layer *norm = &r->net->layers[to];
    for (int i = 0; divide && i < r->layer_sizes[to].map.extent[AXIS_C]; i++)
        values[i] = 1 / values[i];
    if (is_norm(norm) && norm->weight == NO_TENSOR && takes_bias(r, to)) {
        const int weight = add_vector(r, to, "weight", values);
        r->net->layers[to].weight = weight;
        return weight == NO_TENSOR ? -1 : to;
    }
    return add_affine(r, node, to, values, NULL);
}

enum pairing { ADD, SUBTRACT, MULTIPLY, DIVIDE };

static bool with_constant(struct onnx_reader *r, const struct onnx_node *node, enum pairing how, int map_at)
{
    struct read_value *x = node_value(r, node, map_at);
    const struct tensor *t = node_constant(r, node, 1 - map_at);
    const int origin = t ? node_input(r, node, 1 - map_at)->origin : 0;
    const bool sum = how == ADD || how == SUBTRACT;
    const bool backwards = map_at == 1 && (how == SUBTRACT || how == DIVIDE);
    bool pixels;
    if (!x || !t)
        return false;
    if (backwards)
        return fail_node(r, node, "a constant minus or divided by a map");
    if (tensor_count(t) == 1 && t->rank <= x->layout.rank) {
        const double v = tensor_single(t);
        return expression_affine(r, node, x, how == MULTIPLY ? v : how == DIVIDE ? 1 / v : 1,
                                 how == ADD ? v : how == SUBTRACT ? -v : 0);
    }
    float *values = materialise(r, x) ? broadcast(r, node, x, t, &pixels) : NULL;
    if (!values)
        return false;
    const struct layer_size size = r->layer_sizes[x->layer];
    struct read_value y = *x;
    if (!pixels)
        y.layer = sum ? add_bias(r, node, x->layer, values, how == ADD ? 1 : -1)
                      : add_factors(r, node, x->layer, values, how == DIVIDE);
    else if (how == SUBTRACT || how == DIVIDE)
        y.layer = fail_node(r, node, "a constant map that is subtracted or a divisor") - 1;
    else {
        const int constant = add_constant(r, origin, size.map, size.stride, values);
        y.layer = constant < 0 ? -1 : add_layer(r, node, how == ADD ? LAYER_ADD : LAYER_MUL,
                                                (const int[]){ x->layer, constant }, 2, size.map, size.stride);
    }
    free(values);
    if (y.layer < 0)
        return false;
    const struct layer *made = &r->net->layers[y.layer];
    set_value(r, node, 0, &y);
    return pixels || name_weights(r, sum ? made->bias : made->weight, origin);
}

/* ---- two maps ---- */

/* Does b have the extents of a, or one pixel or, as a factor, one channel? */
static bool can_broadcast(const struct map *a, const struct map *b, enum pairing how)
{
    const int *x = a->extent, *y = b->extent;
    const bool same = y[AXIS_Y] == x[AXIS_Y] && y[AXIS_X] == x[AXIS_X], pixel = y[AXIS_Y] == 1 && y[AXIS_X] == 1;
    return y[AXIS_N] == x[AXIS_N] && ((y[AXIS_C] == x[AXIS_C] && (same || pixel))
                                      || (how == MULTIPLY && y[AXIS_C] == 1 && same));
}

static bool combine_maps(struct onnx_reader *r, const struct onnx_node *node, enum pairing how)
{
    struct read_value *a = node_value(r, node, 0), *b = node_value(r, node, 1);
    if (!a || !b)
        return false;
    if (how == MULTIPLY && expression_product(r, node, a, b))
        return true;
    if (!materialise(r, a) || !materialise(r, b))
        return false;
    const struct map *x = &r->layer_sizes[a->layer].map, *y = &r->layer_sizes[b->layer].map;
    const bool alike = layout_same(&a->layout, &b->layout);
    const bool plain = layout_is_plain(&a->layout, x) && layout_is_plain(&b->layout, y);
    struct read_value out = *a;
    if (how == SUBTRACT || how == DIVIDE || !(alike || plain))
        return fail_node(r, node, "an unsupported operation on two maps");
    if (!can_broadcast(x, y, how)) {
        out = *b;
        b = a;
    }
    if (!can_broadcast(&r->layer_sizes[out.layer].map, &r->layer_sizes[b->layer].map, how))
        return fail_node(r, node, "two maps whose shapes do not broadcast");
    const struct layer_size size = r->layer_sizes[out.layer];
    out.layer = add_layer(r, node, how == ADD ? LAYER_ADD : LAYER_MUL, (const int[]){ out.layer, b->layer }, 2,
                          size.map, size.stride);
    if (out.layer >= 0)
        set_value(r, node, 0, &out);
    return out.layer >= 0;
}

static bool pair(struct onnx_reader *r, const struct onnx_node *node, enum pairing how)
{
    bool attention = false, norm = false;
    if (!attention_scale(r, node, &attention) || !norm_step(r, node, &norm))
        return false;
    if (attention || norm)
        return true;
    for (int i = 0; i < 2; i++)
        if (node_constant(r, node, 1 - i))
            return with_constant(r, node, how, i);
    return combine_maps(r, node, how);
}

static bool read_add(struct onnx_reader *r, const struct onnx_node *node) { return pair(r, node, ADD); }
static bool read_sub(struct onnx_reader *r, const struct onnx_node *node) { return pair(r, node, SUBTRACT); }
static bool read_mul(struct onnx_reader *r, const struct onnx_node *node) { return pair(r, node, MULTIPLY); }
static bool read_div(struct onnx_reader *r, const struct onnx_node *node) { return pair(r, node, DIVIDE); }

const struct handler elementwise_handlers[] = {
    { "Add", read_add }, { "Sub", read_sub }, { "Mul", read_mul }, { "Div", read_div }, {0} };
