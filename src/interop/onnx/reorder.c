/* Nodes that change a map's layout only, or return its extents. */
#include "interop/onnx/expression.h"
#include "interop/onnx/fold.h"
#include "interop/onnx/handlers.h"

#include <string.h>

static bool read_same(struct onnx_reader *r, const struct onnx_node *node)
{
    const struct read_value *x = node_value(r, node, 0);
    if (x)
        set_value(r, node, 0, x);
    return x;
}

/* Turns the layout of a channel shuffle into a layer; keeps any other layout. */
static bool set_reordered(struct onnx_reader *r, const struct onnx_node *node, struct read_value *y)
{
    const struct layer_size size = r->layer_sizes[y->layer];
    const int groups = layout_is_plain(&y->layout, &size.map) ? 0 : layout_shuffle(&y->layout, &size.map);
    if (groups) {
        if (!materialise(r, y))
            return false;
        const int layer = add_layer(r, node, LAYER_SHUFFLE, &y->layer, 1, size.map, size.stride);
        if (layer < 0)
            return false;
        r->net->layers[layer].groups = groups;
        return set_layer(r, node, 0, layer);
    }
    set_value(r, node, 0, y);
    return true;
}

static bool reshaped(struct onnx_reader *r, const struct onnx_node *node, const struct read_value *x,
                     const int64_t *extents,
                     int rank)
{
    struct read_value y = *x;
    return layout_reshape(&y.layout, extents, rank) ? set_reordered(r, node, &y)
         : fail_node(r, node, "a reshape to extents that the map cannot have");
}

static bool read_reshape(struct onnx_reader *r, const struct onnx_node *node)
{
    int64_t extents[LAYOUT_RANK];
    const struct read_value *x = node_value(r, node, 0);
    const int rank = node_ints(r, node, 1, "shape", extents, LAYOUT_RANK);
    if (!x || rank < 0)
        return x && fail_node(r, node, "a reshape to extents that are not constant, or too many");
    for (int i = 0; i < rank; i++)
        if (extents[i] == 0 && i < x->layout.rank)
            extents[i] = x->layout.extent[i];
    return reshaped(r, node, x, extents, rank);
}

static bool read_flatten(struct onnx_reader *r, const struct onnx_node *node)
{
    const struct read_value *x = node_value(r, node, 0);
    const int64_t axis = onnx_int(node, "axis", 1);
    int64_t extents[] = { 1, -1 };
    for (int i = 0; x && i < x->layout.rank && i < (axis < 0 ? axis + x->layout.rank : axis); i++)
        extents[0] *= x->layout.extent[i];
    return x && reshaped(r, node, x, extents, 2);
}

static bool read_squeeze(struct onnx_reader *r, const struct onnx_node *node)
{
    int64_t axes[LAYOUT_RANK], extents[LAYOUT_RANK];
    const struct read_value *x = node_value(r, node, 0);
    const int count = node_ints(r, node, 1, "axes", axes, LAYOUT_RANK);
    int rank = 0;
    for (int d = 0; x && d < x->layout.rank; d++) {
        bool gone = count < 0 && x->layout.extent[d] == 1;
        for (int i = 0; i < count; i++)
            gone = gone || axes[i] == d || axes[i] + x->layout.rank == d;
        if (!gone)
            extents[rank++] = x->layout.extent[d];
    }
    return x && reshaped(r, node, x, extents, rank);
}

static bool read_unsqueeze(struct onnx_reader *r, const struct onnx_node *node)
{
    int64_t axes[LAYOUT_RANK], extents[LAYOUT_RANK];
    const struct read_value *x = node_value(r, node, 0);
    const int count = node_ints(r, node, 1, "axes", axes, LAYOUT_RANK), rank = x ? x->layout.rank + count : 0;
    if (!x || count < 0 || rank > LAYOUT_RANK)
        return x && fail_node(r, node, "axes that are not constant, or too many");
    for (int d = 0, next = 0; d < rank; d++) {
        bool added = false;
        for (int i = 0; i < count; i++)
            added = added || axes[i] == d || axes[i] + rank == d;
        extents[d] = added || next == x->layout.rank ? 1 : x->layout.extent[next++];
    }
    return reshaped(r, node, x, extents, rank);
}

static bool read_transpose(struct onnx_reader *r, const struct onnx_node *node)
{
    int64_t order[LAYOUT_RANK];
    bool known;
    if (!attention_transpose(r, node, &known))
        return false;
    if (known)
        return true;
    const struct read_value *x = node_value(r, node, 0);
    const int count = onnx_ints(node, "perm", order, LAYOUT_RANK);
    if (!x)
        return false;
    struct read_value y = *x;
    for (int i = 0; count < 0 && i < x->layout.rank; i++)
        order[i] = x->layout.rank - 1 - i;
    return layout_transpose(&y.layout, order, count < 0 ? x->layout.rank : count) ? set_reordered(r, node, &y)
         : fail_node(r, node, "an invalid perm of a transpose");
}

static bool read_shape(struct onnx_reader *r, const struct onnx_node *node)
{
    const struct read_value *x = node_value(r, node, 0);
    int64_t extents[LAYOUT_RANK];
    if (!x)
        return false;
    const int rank = x->layout.rank;
    const int64_t start = onnx_int(node, "start", 0), end = onnx_int(node, "end", rank);
    const int64_t from = start < 0 ? start + rank : start, to = end < 0 ? end + rank : end;
    for (int i = 0; i < rank; i++)
        extents[i] = x->layout.extent[i];
    return from >= 0 && from <= to && to <= rank ? set_constant(r, node, extents + from, (int)(to - from))
         : fail_node(r, node, "a start or end out of range");
}

const struct handler reorder_handlers[] = {
    { "Identity", read_same },     { "Cast", read_same },           { "Dropout", read_same },
    { "Reshape", read_reshape },   { "Flatten", read_flatten },     { "Squeeze", read_squeeze },
    { "Unsqueeze", read_unsqueeze }, { "Transpose", read_transpose }, { "Shape", read_shape }, {0} };
