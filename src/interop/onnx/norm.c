/* Layer norms: as one node, or spelled out as (x - mean) / sqrt(mean of (x - mean)^2 + epsilon).  Group norms: as a
 * norm over each group of an image as one dimension. */
#include "interop/onnx/expression.h"
#include "interop/onnx/fold.h"
#include "interop/onnx/handlers.h"

#include "base/memory.h"
#include <stdlib.h>

/* Sets output 0 to the norm of x.  Factors may follow in later nodes. */
static struct layer *add_norm(struct onnx_reader *r, const struct onnx_node *node, const struct read_value *x,
                              enum layer_kind kind, double eps)
{
    const struct layer_size size = r->layer_sizes[x->layer];
    struct read_value y = *x;
    y.kind = VALUE_MAP;
    y.pending = identity_expression;
    y.layer = add_layer(r, node, kind, &x->layer, 1, size.map, size.stride);
    if (y.layer < 0)
        return NULL;
    r->net->layers[y.layer].eps = eps;
    set_value(r, node, 0, &y);
    return &r->net->layers[y.layer];
}

static bool read_layer_norm(struct onnx_reader *r, const struct onnx_node *node)
{
    int dim;
    const struct read_value *x = node_channels(r, node, 0, &dim);
    if (!x)
        return false;
    const int64_t axis = onnx_int(node, "axis", -1);
    const size_t count = (size_t)x->layout.extent[dim];
    const double eps = onnx_float(node, "epsilon", 1e-5);
    if (dim != x->layout.rank - 1 || (axis != -1 && axis != dim) || !(eps >= 0))
        return fail_node(r, node, "a norm that is not over the channels");
    struct layer *norm = add_norm(r, node, x, LAYER_NORM, eps);
    if (!norm)
        return false;
    norm->weight = weights_of_input(r, node, 1, 1, &count);
    norm->bias = node_input(r, node, 2) ? weights_of_input(r, node, 2, 1, &count) : NO_TENSOR;
    return norm->weight != NO_TENSOR && (norm->bias != NO_TENSOR || !node_input(r, node, 2));
}

/* Is input i a constant of `count` elements that all equal this number? */
static bool all_are(struct onnx_reader *r, const struct onnx_node *node, int i, int count, double number)
{
    const struct tensor *t = node_constant(r, node, i);
    double *v = t && tensor_count(t) == (size_t)count ? new_array((size_t)count, sizeof *v, r->err) : NULL;
    bool all = v;
    if (v)
        tensor_doubles(t, v);
    for (int k = 0; all && k < count; k++)
        all = !(v[k] < number || v[k] > number);
    free(v);
    return all;
}

/* The form in which exporters write a group norm: without factors per group. */
static bool read_group_norm(struct onnx_reader *r, const struct onnx_node *node)
{
    struct read_value *x = node_value(r, node, 0);
    if (!x || !materialise(r, x))
        return false;
    const struct map *map = &r->layer_sizes[x->layer].map;
    const int groups = x->layout.extent[1];
    const double eps = onnx_float(node, "epsilon", 1e-5);
    struct map_layout wanted = layout_of(map);
    if (x->layout.rank != 3 || !layout_reshape(&wanted, (const int64_t[]){ map->extent[AXIS_N], groups, -1 }, 3)
        || !layout_same(&wanted, &x->layout) || map->extent[AXIS_C] % groups)
        return fail_node(r, node, "a norm that is not over groups of channels");
    if (!all_are(r, node, 1, groups, 1) || !all_are(r, node, 2, groups, 0) || !(eps >= 0))
        return fail_node(r, node, "a norm whose groups have factors of their own");
    struct layer *norm = add_norm(r, node, x, LAYER_GROUP_NORM, eps);
    if (norm)
        norm->groups = groups;
    return norm;
}

/* The kind y that operator op makes of an operand of kind x; the second operand is a constant or of kind `other`. */
static const struct step { const char *op; enum read_value_kind x, other, y; } steps[] = {
    { "ReduceMean", VALUE_MAP,      VALUE_UNREAD,       VALUE_MEAN },
    { "Sub",        VALUE_MAP,      VALUE_MEAN,      VALUE_CENTRED },
    { "Pow",        VALUE_CENTRED,  VALUE_CONSTANT,  VALUE_SQUARES },
    { "Mul",        VALUE_CENTRED,  VALUE_CENTRED,   VALUE_SQUARES },
    { "ReduceMean", VALUE_SQUARES,  VALUE_UNREAD,       VALUE_VARIANCE },
    { "Add",        VALUE_VARIANCE, VALUE_CONSTANT,  VALUE_VARIANCE },
    { "Sqrt",       VALUE_VARIANCE, VALUE_UNREAD,       VALUE_DEVIATION },
    { "Div",        VALUE_CENTRED,  VALUE_DEVIATION, VALUE_MAP } };

static bool mean_of_channels(struct onnx_reader *r, const struct onnx_node *node, const struct read_value *x)
{
    int64_t axis[1];
    const int rank = x->layout.rank;
    return node_ints(r, node, 1, "axes", axis, 1) == 1 && (axis[0] == -1 || axis[0] == rank - 1)
        && onnx_int(node, "keepdims", 1) && layout_channels(&x->layout, &r->layer_sizes[x->layer].map) == rank - 1;
}

bool norm_step(struct onnx_reader *r, const struct onnx_node *node, bool *known)
{
    struct read_value *x = node_input(r, node, 0), *other = node_input(r, node, 1);
    const bool mean = slice_is(node->op, "ReduceMean");
    const struct step *step = NULL;
    for (size_t i = 0; x && i < sizeof steps / sizeof *steps; i++)
        if (slice_is(node->op, steps[i].op) && steps[i].x == x->kind
            && (steps[i].other == VALUE_UNREAD || (other && steps[i].other == other->kind)))
            step = &steps[i];
    *known = step && (!mean || mean_of_channels(r, node, x));
    if (!*known)
        return true;
    if (step->x == VALUE_MAP && !materialise(r, x))
        return false;
    struct read_value y = *x;
    y.kind = step->y;
    if (step->other > VALUE_CONSTANT && other->layer != x->layer)
        return fail_node(r, node, "a norm with statistics of another value");
    const double number = step->other == VALUE_CONSTANT ? tensor_single(&other->constant) : 2;
    if (step->x == VALUE_VARIANCE && step->other == VALUE_CONSTANT)
        y.pending.shift = number;
    if ((step->y == VALUE_SQUARES && number != 2) || !(y.pending.shift >= 0 && y.pending.shift < 1))
        return fail_node(r, node, "an invalid exponent or epsilon of a norm");
    if (step->y == VALUE_MAP)
        return add_norm(r, node, x, LAYER_NORM, other->pending.shift) != NULL;
    set_value(r, node, 0, &y);
    return true;
}

static bool read_step(struct onnx_reader *r, const struct onnx_node *node)
{
    bool known;
    return norm_step(r, node, &known) && (known || fail_node(r, node, "no step of a norm over the channels"));
}

const struct handler norm_handlers[] = {
    { "LayerNormalization", read_layer_norm }, { "InstanceNormalization", read_group_norm }, { "Pow", read_step },
    { "Sqrt", read_step }, {0} };
