/* Nodes that compute a map from maps. */
#include "interop/onnx/expression.h"
#include "interop/onnx/handlers.h"

#include "base/memory.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- windows ---- */

struct window { int kernel, stride, pad; };

/* Accepts square windows without dilation and with equal padding on all sides. */
static bool window_of(struct onnx_reader *r, const struct onnx_node *node, struct window *window)
{
    static const struct { const char *name; int least, most, count, absent; } rows[] = {
        { "kernel_shape", 1, 1 << 10, 2, 0 }, { "strides", 1, 1 << 10, 2, 1 }, { "pads", 0, 1 << 10, 4, 0 },
        { "dilations", 1, 1, 2, 1 } };
    int got[4];
    for (int i = 0; i < 4; i++) {
        int64_t v[4] = {0};
        const int count = onnx_ints(node, rows[i].name, v, 4);
        got[i] = count < 0 ? rows[i].absent : (int)v[0];
        bool same = count < 0 || (count == rows[i].count && v[0] >= rows[i].least && v[0] <= rows[i].most);
        for (int k = 1; k < count; k++)
            same = same && v[k] == v[0];
        if (!same)
            return fail_node(r, node, "a window that is not square, or dilated, or padded unequally");
    }
    if (!onnx_says(node, "auto_pad", "NOTSET", true) && !onnx_says(node, "auto_pad", "VALID", true))
        return fail_node(r, node, "padding that depends on the image's size");
    *window = (struct window){ got[0], got[1], got[2] };
    return true;
}

/* Sets the map to the output of a window; false if the window does not fit. */
static bool slide(const struct onnx_node *node, const struct window *w, struct map *map)
{
    for (int axis = AXIS_Y; axis <= AXIS_X; axis++) {
        const int room = map->extent[axis] + 2 * w->pad - w->kernel;
        if (room < 0 || (onnx_int(node, "ceil_mode", 0) && room % w->stride))
            return false;
        map->extent[axis] = room / w->stride + 1;
    }
    return true;
}

static bool add_window(struct onnx_reader *r, const struct onnx_node *node, enum layer_kind kind,
                       const struct read_value *x,
                       const struct window *window, struct map map, int *layer)
{
    if (window->pad >= window->kernel || !slide(node, window, &map))
        return fail_node(r, node, "a window that does not fit the map");
    *layer = add_layer(r, node, kind, &x->layer, 1, map, r->layer_sizes[x->layer].stride * window->stride);
    if (*layer < 0)
        return false;
    struct layer *made = &r->net->layers[*layer];
    made->kernel = window->kernel;
    made->stride = window->stride;
    made->pad = window->pad;
    return true;
}

static bool read_conv(struct onnx_reader *r, const struct onnx_node *node)
{
    const struct tensor *w = node_constant(r, node, 1);
    struct read_value *x = node_map(r, node, 0);
    struct window window;
    int layer;
    if (!x || !window_of(r, node, &window))
        return false;
    if (!w || w->rank != 4 || w->dims[0] < 1 || w->dims[0] > LAYOUT_EXTENT || w->dims[2] != w->dims[3]
        || w->dims[2] < 1 || w->dims[2] > 1 << 10 || (window.kernel && (size_t)window.kernel != w->dims[2]))
        return fail_node(r, node, "a convolution whose weights are not constant or not square");
    struct map map = r->layer_sizes[x->layer].map;
    const int64_t groups = onnx_int(node, "group", 1);
    if (groups < 1 || groups > map.extent[AXIS_C] || map.extent[AXIS_C] % groups
        || w->dims[1] != (size_t)(map.extent[AXIS_C] / groups))
        return fail_node(r, node, "a convolution whose weights do not fit the map's channels");
    window.kernel = (int)w->dims[2];
    map.extent[AXIS_C] = (int)w->dims[0];
    if (!add_window(r, node, LAYER_CONV, x, &window, map, &layer))
        return false;
    const int weight = weights_of_input(r, node, 1, 4, w->dims), bias = weight != NO_TENSOR && node_input(r, node, 2)
              ? weights_of_input(r, node, 2, 1, w->dims) : NO_TENSOR;
    struct layer *made = &r->net->layers[layer];
    made->groups = (int)groups;
    made->weight = weight;
    made->bias = bias;
    return weight != NO_TENSOR && (bias != NO_TENSOR || !node_input(r, node, 2)) && set_layer(r, node, 0, layer);
}

static bool pool(struct onnx_reader *r, const struct onnx_node *node, enum layer_kind kind)
{
    struct read_value *x = node_map(r, node, 0);
    struct window window;
    int layer;
    if (!x || !window_of(r, node, &window))
        return false;
    if (window.kernel < 1)
        return fail_node(r, node, "a pool without a window");
    if (kind == LAYER_AVG_POOL && window.pad && !onnx_int(node, "count_include_pad", 0))
        return fail_node(r, node, "an average pool that excludes padding");
    return add_window(r, node, kind, x, &window, r->layer_sizes[x->layer].map, &layer) && set_layer(r, node, 0, layer);
}

static bool read_max_pool(struct onnx_reader *r, const struct onnx_node *node) { return pool(r, node, LAYER_MAX_POOL); }
static bool read_avg_pool(struct onnx_reader *r, const struct onnx_node *node) { return pool(r, node, LAYER_AVG_POOL); }

static bool read_global_pool(struct onnx_reader *r, const struct onnx_node *node)
{
    struct read_value *x = node_map(r, node, 0);
    if (!x)
        return false;
    struct layer_size size = r->layer_sizes[x->layer];
    size.stride *= size.map.extent[AXIS_Y];
    size.map.extent[AXIS_Y] = size.map.extent[AXIS_X] = 1;
    return set_layer(r, node, 0, add_layer(r, node, LAYER_GLOBAL_POOL, &x->layer, 1, size.map, size.stride));
}

static bool read_mean(struct onnx_reader *r, const struct onnx_node *node)
{
    int64_t axes[RANK_MAX];
    bool known;
    if (!norm_step(r, node, &known))
        return false;
    if (known)
        return true;
    const int count = node_ints(r, node, 1, "axes", axes, RANK_MAX);
    unsigned set = 0;
    for (int i = 0; i < count; i++)
        set |= axes[i] >= -2 && axes[i] < 4 ? 1u << (axes[i] + 4) % 4 : 1u;
    if (set != (1u << AXIS_Y | 1u << AXIS_X) || !onnx_int(node, "keepdims", 1))
        return fail_node(r, node, "a mean that is not of all pixels");
    return read_global_pool(r, node);
}

/* ---- sizes ---- */

/* The factor by which the node enlarges both sides, from scales or sizes; 0 if unknown or unequal. */
static double resize_factor(const struct onnx_reader *r, const struct onnx_node *node, const struct map *map)
{
    double v[AXES];
    int at = r->file.opset < 11 ? 1 : 2;
    const struct tensor *t = node_constant(r, node, at);
    const bool scales = t && tensor_count(t) > 0;
    if (!scales)
        t = node_constant(r, node, 3);
    if (!t || tensor_count(t) != AXES)
        return 0;
    tensor_doubles(t, v);
    for (int axis = 0; axis < AXES; axis++)
        v[axis] /= scales ? 1 : map->extent[axis];
    return v[AXIS_N] == 1 && v[AXIS_C] == 1 && v[AXIS_Y] == v[AXIS_X] ? v[AXIS_X] : 0;
}

/* Double size: source positions are i / 2 - 1/4.  Half size: the mean of four pixels. */
static bool read_resize(struct onnx_reader *r, const struct onnx_node *node)
{
    struct read_value *x = node_map(r, node, 0);
    if (!x)
        return false;
    struct layer_size size = r->layer_sizes[x->layer];
    const double factor = resize_factor(r, node, &size.map);
    const bool linear = onnx_says(node, "mode", "linear", false), nearest = onnx_says(node, "mode", "nearest", true);
    const bool half_pixel = onnx_says(node, "coordinate_transformation_mode", "half_pixel", true)
                         || onnx_says(node, "coordinate_transformation_mode", "pytorch_half_pixel", false);
    const bool corner = onnx_says(node, "coordinate_transformation_mode", "asymmetric", r->file.opset < 11)
                     && (onnx_says(node, "nearest_mode", "floor", r->file.opset < 11));
    const bool round = half_pixel && !onnx_says(node, "nearest_mode", "floor", false)
                    && !onnx_says(node, "nearest_mode", "ceil", false);
    const bool twice = factor == 2 && ((linear && half_pixel) || (nearest && (corner || round)));
    const bool halved = factor == 0.5 && linear && half_pixel && size.map.extent[AXIS_Y] % 2 == 0
                     && size.map.extent[AXIS_X] % 2 == 0;
    if (halved) {
        int layer;
        return add_window(r, node, LAYER_AVG_POOL, x, &(struct window){ 2, 2, 0 }, size.map, &layer)
            && set_layer(r, node, 0, layer);
    }
    if (!twice)
        return fail_node(r, node, "a resize other than to double or half size with half-pixel centres");
    size.map.extent[AXIS_Y] *= 2;
    size.map.extent[AXIS_X] *= 2;
    return set_layer(r, node, 0, add_layer(r, node, linear ? LAYER_BILINEAR : LAYER_NEAREST, &x->layer, 1, size.map,
                                           size.stride / 2));
}

/* ---- channels ---- */

static bool read_concat(struct onnx_reader *r, const struct onnx_node *node)
{
    int of[LAYER_OPERANDS], channels = 0;
    const int64_t axis = onnx_int(node, "axis", 0);
    if (node->input_count < 1 || node->input_count > LAYER_OPERANDS || (axis != AXIS_C && axis != AXIS_C - AXES))
        return fail_node(r, node, "a concat that is not of the channels of up to 8 maps");
    for (int i = 0; i < node->input_count; i++) {
        const struct read_value *x = node_map(r, node, i);
        if (!x)
            return false;
        of[i] = x->layer;
        const int *a = r->layer_sizes[of[0]].map.extent, *b = r->layer_sizes[of[i]].map.extent;
        if (a[AXIS_N] != b[AXIS_N] || a[AXIS_Y] != b[AXIS_Y] || a[AXIS_X] != b[AXIS_X])
            return fail_node(r, node, "a concat of maps of several sizes");
        channels += b[AXIS_C];
    }
    struct layer_size size = r->layer_sizes[of[0]];
    size.map.extent[AXIS_C] = channels;
    return set_layer(r, node, 0, node->input_count == 1 ? of[0]
                     : add_layer(r, node, LAYER_CONCAT, of, node->input_count, size.map, size.stride));
}

/* Sets output i to channels [from, to) of x; dimension dim of x holds the channels. */
static bool set_channels(struct onnx_reader *r, const struct onnx_node *node, int i, const struct read_value *x,
                         int dim,
                         int64_t from, int64_t to)
{
    struct layer_size size = r->layer_sizes[x->layer];
    if (from < 0 || from >= to || to > size.map.extent[AXIS_C])
        return fail_node(r, node, "channels out of range");
    struct read_value y = *x;
    if (to - from < size.map.extent[AXIS_C]) {
        size.map.extent[AXIS_C] = (int)(to - from);
        y.layer = add_layer(r, node, LAYER_CHANNELS, &x->layer, 1, size.map, size.stride);
        if (y.layer < 0)
            return false;
        r->net->layers[y.layer].from = (int)from;
        r->net->layers[y.layer].to = (int)to;
        y.layout = layout_resized(&x->layout, dim, (int)(to - from));
    }
    set_value(r, node, i, &y);
    return true;
}

/* An axis of a map; a negative one counts from the end. */
static int axis_of(int64_t axis, const struct read_value *x) { return (int)(axis < 0 ? axis + x->layout.rank : axis); }

static bool read_split(struct onnx_reader *r, const struct onnx_node *node)
{
    int64_t sizes[ONNX_NODE_OUTPUTS], from = 0;
    int dim;
    const struct read_value *x = node_channels(r, node, 0, &dim);
    const int given = node_ints(r, node, 1, "split", sizes, ONNX_NODE_OUTPUTS), parts = node->output_count;
    if (!x)
        return false;
    const int64_t channels = x->layout.extent[dim];
    if (axis_of(onnx_int(node, "axis", 0), x) != dim || (given >= 0 && given != parts))
        return fail_node(r, node, "a split that is not of channels");
    for (int i = 0; i < parts; i++) {
        const int64_t size = given >= 0 ? sizes[i] : (channels + parts - 1) / parts;
        if (size < 1 || size > channels)
            return fail_node(r, node, "split sizes out of range");
        const int64_t to = given < 0 && from + size > channels ? channels : from + size;
        if (node->outputs[i] != ONNX_NO_VALUE && !set_channels(r, node, i, x, dim, from, to))
            return false;
        from = to;
    }
    return true;
}

static int64_t within(int64_t at, int64_t extent)
{
    return at < -extent ? 0 : at < 0 ? at + extent : at > extent ? extent : at;
}

static bool read_slice(struct onnx_reader *r, const struct onnx_node *node)
{
    int64_t start[AXES], end[AXES], axes[AXES], steps[AXES];
    int dim;
    const struct read_value *x = node_channels(r, node, 0, &dim);
    const int count = node_ints(r, node, 1, "starts", start, AXES), given = node_ints(r, node, 3, "axes", axes, AXES);
    const int by = node_ints(r, node, 4, "", steps, AXES);
    if (!x)
        return false;
    if (count < 0 || node_ints(r, node, 2, "ends", end, AXES) != count || (given >= 0 && given != count)
        || (by >= 0 && by != count))
        return fail_node(r, node, "a slice that is not constant");
    int64_t from = 0, to = x->layout.extent[dim];
    for (int i = 0; i < count; i++) {
        const int axis = axis_of(given < 0 ? i : axes[i], x);
        if (axis < 0 || axis >= x->layout.rank || (by >= 0 && steps[i] != 1))
            return fail_node(r, node, "a slice with a step other than 1");
        const int64_t a = within(start[i], x->layout.extent[axis]), b = within(end[i], x->layout.extent[axis]);
        if (axis == dim) {
            from = a;
            to = b;
        } else if (a != 0 || b != x->layout.extent[axis])
            return fail_node(r, node, "a slice of a dimension other than channels");
    }
    return set_channels(r, node, 0, x, dim, from, to);
}

/* ---- normalisation ---- */

/* weight = gamma / sqrt(variance + eps), bias = beta - mean weight */
static bool read_batch_norm(struct onnx_reader *r, const struct onnx_node *node)
{
    struct read_value *x = node_map(r, node, 0);
    if (!x)
        return false;
    const size_t count = (size_t)r->layer_sizes[x->layer].map.extent[AXIS_C];
    const double eps = onnx_float(node, "epsilon", 1e-5);
    bool fits = eps >= 0;
    for (int i = 1; i <= 4; i++) {
        const struct tensor *t = node_constant(r, node, i);
        fits = fits && t && t->rank == 1 && t->dims[0] == count;
    }
    if (!fits)
        return fail_node(r, node, "a batch norm whose statistics are not constant or do not fit the map");
    float *v = reader_spend(r, node, 4 * count) ? new_array(4 * count, sizeof *v, r->err) : NULL;
    for (int i = 0; v && i < 4; i++)
        tensor_floats(node_constant(r, node, i + 1), v + (size_t)i * count);
    for (size_t c = 0; v && c < count; c++) {
        const double scale = (double)v[c] / sqrt((double)v[3 * count + c] + eps);
        v[count + c] = (float)((double)v[count + c] - (double)v[2 * count + c] * scale);
        v[c] = (float)scale;
    }
    const int layer = v ? add_affine(r, node, x->layer, v, v + count) : -1;
    free(v);
    return layer >= 0 && name_weights(r, r->net->layers[layer].weight, node_input(r, node, 1)->origin)
        && name_weights(r, r->net->layers[layer].bias, node_input(r, node, 2)->origin) && set_layer(r, node, 0, layer);
}

const struct handler layer_handlers[] = {
    { "Conv", read_conv },       { "MaxPool", read_max_pool }, { "AveragePool", read_avg_pool },
    { "Resize", read_resize },   { "Concat", read_concat },    { "GlobalAveragePool", read_global_pool },
    { "Split", read_split },     { "Slice", read_slice },      { "BatchNormalization", read_batch_norm },
    { "ReduceMean", read_mean }, {0} };
