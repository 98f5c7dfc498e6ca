/* Nodes that compute nothing: they look at a map in another order, or ask for its extents. */
#include "interop/onnx/reader.h"

#include <string.h>

static bool read_same(struct reader *r, const struct onnx_node *node)
{
    const struct seen *x = node_value(r, node, 0);
    if (x)
        set_view(r, node, 0, x);
    return x;
}

/* A map in another order than its layer's is a shuffle of channels, if it is one. */
static bool set_reordered(struct reader *r, const struct onnx_node *node, struct seen *y)
{
    const struct place place = r->places[y->layer];
    const int groups = view_is_plain(&y->view, &place.map) ? 0 : view_shuffle(&y->view, &place.map);
    if (groups) {
        if (!seen_settle(r, y))
            return false;
        const int layer = add_layer(r, node, LAYER_SHUFFLE, &y->layer, 1, place.map, place.stride);
        if (layer < 0)
            return false;
        r->net->layers[layer].groups = groups;
        return set_layer(r, node, 0, layer);
    }
    set_view(r, node, 0, y);
    return true;
}

static bool reshaped(struct reader *r, const struct onnx_node *node, const struct seen *x, const int64_t *extents,
                     int rank)
{
    struct seen y = *x;
    return view_reshape(&y.view, extents, rank) ? set_reordered(r, node, &y)
         : node_fails(r, node, "a reshape to extents that the map cannot have");
}

static bool read_reshape(struct reader *r, const struct onnx_node *node)
{
    int64_t extents[VIEW_RANK];
    const struct seen *x = node_value(r, node, 0);
    const int rank = node_ints(r, node, 1, "shape", extents, VIEW_RANK);
    if (!x || rank < 0)
        return x && node_fails(r, node, "a reshape to extents that are not constant, or too many");
    for (int i = 0; i < rank; i++)
        if (extents[i] == 0 && i < x->view.rank)
            extents[i] = x->view.extent[i];
    return reshaped(r, node, x, extents, rank);
}

static bool read_flatten(struct reader *r, const struct onnx_node *node)
{
    const struct seen *x = node_value(r, node, 0);
    const int64_t axis = onnx_int(node, "axis", 1);
    int64_t extents[] = { 1, -1 };
    for (int i = 0; x && i < x->view.rank && i < (axis < 0 ? axis + x->view.rank : axis); i++)
        extents[0] *= x->view.extent[i];
    return x && reshaped(r, node, x, extents, 2);
}

static bool read_squeeze(struct reader *r, const struct onnx_node *node)
{
    int64_t axes[VIEW_RANK], extents[VIEW_RANK];
    const struct seen *x = node_value(r, node, 0);
    const int count = node_ints(r, node, 1, "axes", axes, VIEW_RANK);
    int rank = 0;
    for (int d = 0; x && d < x->view.rank; d++) {
        bool gone = count < 0 && x->view.extent[d] == 1;
        for (int i = 0; i < count; i++)
            gone = gone || axes[i] == d || axes[i] + x->view.rank == d;
        if (!gone)
            extents[rank++] = x->view.extent[d];
    }
    return x && reshaped(r, node, x, extents, rank);
}

static bool read_unsqueeze(struct reader *r, const struct onnx_node *node)
{
    int64_t axes[VIEW_RANK], extents[VIEW_RANK];
    const struct seen *x = node_value(r, node, 0);
    const int count = node_ints(r, node, 1, "axes", axes, VIEW_RANK), rank = x ? x->view.rank + count : 0;
    if (!x || count < 0 || rank > VIEW_RANK)
        return x && node_fails(r, node, "axes that are not constant, or too many");
    for (int d = 0, next = 0; d < rank; d++) {
        bool added = false;
        for (int i = 0; i < count; i++)
            added = added || axes[i] == d || axes[i] + rank == d;
        extents[d] = added || next == x->view.rank ? 1 : x->view.extent[next++];
    }
    return reshaped(r, node, x, extents, rank);
}

static bool read_transpose(struct reader *r, const struct onnx_node *node)
{
    int64_t order[VIEW_RANK];
    bool known;
    if (!attention_turn(r, node, &known))
        return false;
    if (known)
        return true;
    const struct seen *x = node_value(r, node, 0);
    const int count = onnx_ints(node, "perm", order, VIEW_RANK);
    if (!x)
        return false;
    struct seen y = *x;
    for (int i = 0; count < 0 && i < x->view.rank; i++)
        order[i] = x->view.rank - 1 - i;
    return view_transpose(&y.view, order, count < 0 ? x->view.rank : count) ? set_reordered(r, node, &y)
         : node_fails(r, node, "a transpose by an order that is none");
}

static bool read_shape(struct reader *r, const struct onnx_node *node)
{
    const struct seen *x = node_value(r, node, 0);
    int64_t extents[VIEW_RANK];
    if (!x)
        return false;
    const int rank = x->view.rank;
    const int64_t start = onnx_int(node, "start", 0), end = onnx_int(node, "end", rank);
    const int64_t from = start < 0 ? start + rank : start, to = end < 0 ? end + rank : end;
    for (int i = 0; i < rank; i++)
        extents[i] = x->view.extent[i];
    return from >= 0 && from <= to && to <= rank ? set_constant(r, node, extents + from, (int)(to - from))
         : node_fails(r, node, "extents that the map does not have");
}

const struct handler reorder_handlers[] = {
    { "Identity", read_same },     { "Cast", read_same },           { "Dropout", read_same },
    { "Reshape", read_reshape },   { "Flatten", read_flatten },     { "Squeeze", read_squeeze },
    { "Unsqueeze", read_unsqueeze }, { "Transpose", read_transpose }, { "Shape", read_shape }, {0} };
