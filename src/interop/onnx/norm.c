/* Layer norms: as one node, or spelled out as (x - mean) / sqrt(mean of (x - mean)^2 + epsilon).  Group norms: as a
 * norm of each image's groups, seen as one extent each. */
#include "interop/onnx/reader.h"

#include "base/memory.h"
#include <stdlib.h>

/* The norm of x; output 0 is it.  Factors may follow. */
static struct layer *add_norm(struct reader *r, const struct onnx_node *node, const struct seen *x,
                              enum layer_kind kind, double eps)
{
    const struct place place = r->places[x->layer];
    struct seen y = *x;
    y.kind = SEEN_MAP;
    y.form = plain_form;
    y.layer = add_layer(r, node, kind, &x->layer, 1, place.map, place.stride);
    if (y.layer < 0)
        return NULL;
    r->net->layers[y.layer].eps = eps;
    set_view(r, node, 0, &y);
    return &r->net->layers[y.layer];
}

static bool read_layer_norm(struct reader *r, const struct onnx_node *node)
{
    int dim;
    const struct seen *x = node_channels(r, node, 0, &dim);
    if (!x)
        return false;
    const int64_t axis = onnx_int(node, "axis", -1);
    const size_t count = (size_t)x->view.extent[dim];
    const double eps = onnx_float(node, "epsilon", 1e-5);
    if (dim != x->view.rank - 1 || (axis != -1 && axis != dim) || !(eps >= 0))
        return node_fails(r, node, "a norm that is not over the channels");
    struct layer *norm = add_norm(r, node, x, LAYER_NORM, eps);
    if (!norm)
        return false;
    norm->weight = weights_of_input(r, node, 1, 1, &count);
    norm->bias = node_input(r, node, 2) ? weights_of_input(r, node, 2, 1, &count) : NO_TENSOR;
    return norm->weight != NO_TENSOR && (norm->bias != NO_TENSOR || !node_input(r, node, 2));
}

/* Has the node at input i nothing but this number, `count` times? */
static bool all_are(struct reader *r, const struct onnx_node *node, int i, int count, double number)
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

/* What an exporter makes of a group norm: the groups have no factors of their own. */
static bool read_group_norm(struct reader *r, const struct onnx_node *node)
{
    struct seen *x = node_value(r, node, 0);
    if (!x || !seen_settle(r, x))
        return false;
    const struct map *map = &r->places[x->layer].map;
    const int groups = x->view.extent[1];
    const double eps = onnx_float(node, "epsilon", 1e-5);
    struct view wanted = view_of(map);
    if (x->view.rank != 3 || !view_reshape(&wanted, (const int64_t[]){ map->extent[AXIS_N], groups, -1 }, 3)
        || !view_same(&wanted, &x->view) || map->extent[AXIS_C] % groups)
        return node_fails(r, node, "a norm that is not over groups of channels");
    if (!all_are(r, node, 1, groups, 1) || !all_are(r, node, 2, groups, 0) || !(eps >= 0))
        return node_fails(r, node, "a norm whose groups have factors of their own");
    struct layer *norm = add_norm(r, node, x, LAYER_GROUP_NORM, eps);
    if (norm)
        norm->groups = groups;
    return norm;
}

/* What an operator makes of an operand at one step; the second operand is a constant, or a value of that kind. */
static const struct step { const char *op; enum seen_kind x, other, y; } steps[] = {
    { "ReduceMean", SEEN_MAP,      SEEN_NOT,       SEEN_MEAN },
    { "Sub",        SEEN_MAP,      SEEN_MEAN,      SEEN_CENTRED },
    { "Pow",        SEEN_CENTRED,  SEEN_CONSTANT,  SEEN_SQUARES },
    { "Mul",        SEEN_CENTRED,  SEEN_CENTRED,   SEEN_SQUARES },
    { "ReduceMean", SEEN_SQUARES,  SEEN_NOT,       SEEN_VARIANCE },
    { "Add",        SEEN_VARIANCE, SEEN_CONSTANT,  SEEN_VARIANCE },
    { "Sqrt",       SEEN_VARIANCE, SEEN_NOT,       SEEN_DEVIATION },
    { "Div",        SEEN_CENTRED,  SEEN_DEVIATION, SEEN_MAP } };

static bool mean_of_channels(struct reader *r, const struct onnx_node *node, const struct seen *x)
{
    int64_t axis[1];
    const int rank = x->view.rank;
    return node_ints(r, node, 1, "axes", axis, 1) == 1 && (axis[0] == -1 || axis[0] == rank - 1)
        && onnx_int(node, "keepdims", 1) && view_channels(&x->view, &r->places[x->layer].map) == rank - 1;
}

bool norm_step(struct reader *r, const struct onnx_node *node, bool *known)
{
    struct seen *x = node_input(r, node, 0), *other = node_input(r, node, 1);
    const bool mean = slice_is(node->op, "ReduceMean");
    const struct step *step = NULL;
    for (size_t i = 0; x && i < sizeof steps / sizeof *steps; i++)
        if (slice_is(node->op, steps[i].op) && steps[i].x == x->kind
            && (steps[i].other == SEEN_NOT || (other && steps[i].other == other->kind)))
            step = &steps[i];
    *known = step && (!mean || mean_of_channels(r, node, x));
    if (!*known)
        return true;
    if (step->x == SEEN_MAP && !seen_settle(r, x))
        return false;
    struct seen y = *x;
    y.kind = step->y;
    if (step->other > SEEN_CONSTANT && other->layer != x->layer)
        return node_fails(r, node, "statistics of another value");
    const double number = step->other == SEEN_CONSTANT ? tensor_single(&other->constant) : 2;
    if (step->x == SEEN_VARIANCE && step->other == SEEN_CONSTANT)
        y.form.shift = number;
    if ((step->y == SEEN_SQUARES && number != 2) || !(y.form.shift >= 0 && y.form.shift < 1))
        return node_fails(r, node, "a step of a norm with a number that it does not have");
    if (step->y == SEEN_MAP)
        return add_norm(r, node, x, LAYER_NORM, other->form.shift) != NULL;
    set_view(r, node, 0, &y);
    return true;
}

static bool read_step(struct reader *r, const struct onnx_node *node)
{
    bool known;
    return norm_step(r, node, &known) && (known || node_fails(r, node, "no step of a norm over the channels"));
}

const struct handler norm_handlers[] = {
    { "LayerNormalization", read_layer_norm }, { "InstanceNormalization", read_group_norm }, { "Pow", read_step },
    { "Sqrt", read_step }, {0} };
