#include "base/file.h"
#include "interop/onnx/onnx.h"

#include "base/memory.h"
#include "base/wire.h"
#include "interop/onnx/fold.h"
#include "interop/onnx/handlers.h"
#include "interop/onnx/heads.h"
#include <stdlib.h>

enum { FOLDED_ELEMENTS_MAX = 1 << 24,           /* computed by constant folding */
       DEFAULT_SIDE = 320,                      /* pixels, for a dynamic height or width */
       BATCH_MAX = 1 << 10 };

/* ---- nodes ---- */

static bool read_node(struct onnx_reader *r, const struct onnx_node *node)
{
    static const struct handler *const tables[] = { layer_handlers, activation_handlers, elementwise_handlers,
                                                    reorder_handlers, attention_handlers, norm_handlers };
    bool constant, activation;
    const bool folded = fold_node(r, node, &constant);          /* repeats an error that fold_all ignored */
    if (constant)
        return folded;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        const struct handler *handler = find_operator_row(node, tables[i], sizeof *handler);
        if (handler)
            return handler->read(r, node);
    }
    const bool ok = read_activation(r, node, &activation);
    return activation ? ok : fail_node(r, node, "an unsupported operator");
}

/* Adds the input as the first layer.  A dynamic extent, 0 in the file, becomes 1 for the batch and DEFAULT_SIDE for
 * height and width; net->input_h and input_w remain 0 then. */
static bool read_input(struct onnx_reader *r, int value)
{
    const struct onnx_value *v = &r->file.values[value];
    int64_t dims[AXES];
    if (onnx_dims(v->info, dims, AXES) != AXES || (dims[1] && dims[1] != 3) || dims[0] > BATCH_MAX
        || dims[2] > MAP_SIDE_MAX || dims[3] > MAP_SIDE_MAX)
        return fail(r->err, "%s: its input %.*s does not have the shape [n][3][h][w] of images", r->file.path,
                    v->name.size, v->name.p);
    if (r->net->count)                                          /* the layer of another input exists */
        return fail(r->err, "%s: has more than one input", r->file.path);
    r->net->input_h = (int)dims[2];
    r->net->input_w = (int)dims[3];
    const struct map map = {{ dims[0] ? (int)dims[0] : 1, 3, dims[2] ? (int)dims[2] : DEFAULT_SIDE,
                              dims[3] ? (int)dims[3] : DEFAULT_SIDE }};
    const struct onnx_node name_only = { .name = v->name };
    const int layer = add_layer(r, &name_only, LAYER_INPUT, NULL, 0, map, 1);
    if (layer < 0)
        return false;
    r->values[value] = (struct read_value){ .kind = VALUE_MAP, .layer = layer, .layout = layout_of(&map),
                                            .pending = identity_expression };
    r->layer_sizes[layer].uses = r->uses[value];
    return true;
}

static bool read_constant(struct onnx_reader *r, int i)
{
    const struct onnx_value *v = &r->file.values[i];
    struct read_value *value = &r->values[i];
    struct error reason = {0};
    *value = (struct read_value){ .kind = VALUE_CONSTANT, .origin = i };
    return onnx_load_tensor(&value->constant, v->tensor, &r->net->weights, &reason)
        || fail(r->err, "%s: %.*s: %s", r->file.path, v->name.size, v->name.p, reason.text);
}

/* ---- the file ---- */

/* Norms without a scale get a scale of ones. */
static bool add_norm_scales(struct onnx_reader *r)
{
    bool ok = true;
    for (int i = 0; ok && i < r->net->count; i++) {
        const enum layer_kind kind = r->net->layers[i].kind;
        if ((kind != LAYER_NORM && kind != LAYER_GROUP_NORM) || r->net->layers[i].weight != NO_TENSOR)
            continue;
        const size_t count = (size_t)r->layer_sizes[i].map.extent[AXIS_C];
        float *ones = NULL;
        const int weight = network_add_weights(r->net, r->net->layers[i].name, 1, &count, &ones, r->err);
        for (size_t c = 0; weight != NO_TENSOR && c < count; c++)
            ones[c] = 1;
        r->net->layers[i].weight = weight;
        ok = weight != NO_TENSOR;
    }
    return ok;
}

static void count_uses(struct onnx_reader *r)
{
    for (int i = 0; i < r->file.node_count; i++)
        for (int k = 0; k < r->file.nodes[i].input_count; k++)
            if (r->file.nodes[i].inputs[k] != ONNX_NO_VALUE)
                r->uses[r->file.nodes[i].inputs[k]]++;
}

static bool read_constants_and_input(struct onnx_reader *r)
{
    for (int i = 0; i < r->file.value_count; i++) {             /* onnx_open makes a value one or the other */
        if (r->file.values[i].tensor.size && !read_constant(r, i))
            return false;
        if (r->file.values[i].info.size && !read_input(r, i))
            return false;
    }
    return r->net->count > 0 || fail(r->err, "%s: has no input", r->file.path);
}

/* Computes the constant nodes first, because find_heads reads constants.  It ignores errors: read_node repeats those of
 * nodes that the network needs. */
static void fold_all(struct onnx_reader *r)
{
    struct error *err = r->err, ignored = {0};
    bool constant;
    r->err = &ignored;
    for (int i = 0; i < r->file.node_count; i++)
        fold_node(r, &r->file.nodes[i], &constant);
    r->err = err;
}

/* Reads the nodes between the input and the predictions. */
static bool read_network(struct onnx_reader *r, bool *needed)
{
    struct prediction_heads heads = {0};
    if (!find_heads(r, &heads))
        return false;
    mark_needed(r, &heads, needed);
    for (int i = 0; i < r->file.node_count; i++)
        if (needed[i] && !read_node(r, &r->file.nodes[i]))
            return false;
    return add_norm_scales(r) && set_outputs(r, &heads) && onnx_load_metadata(&r->file, &r->net->weights, r->err);
}

bool onnx_read(struct network *net, struct bytes bytes, const char *path, struct error *err)
{
    struct onnx_reader r = { .net = net, .work = FOLDED_ELEMENTS_MAX, .err = err };
    *net = (struct network){0};
    bool ok = onnx_open(&r.file, bytes, path, err);
    const size_t values = (size_t)r.file.value_count;
    bool *needed = NULL;
    ok = ok && (needed = new_array((size_t)r.file.node_count, sizeof *needed, err))
            && (r.values = new_array(values, sizeof *r.values, err))
            && (r.weight_of = new_array(values, sizeof *r.weight_of, err))
            && (r.uses = new_array(values, sizeof *r.uses, err));
    for (size_t i = 0; ok && i < values; i++)
        r.weight_of[i] = NO_TENSOR;
    if (ok)
        count_uses(&r);
    ok = ok && read_constants_and_input(&r);
    if (ok)
        fold_all(&r);
    ok = ok && read_network(&r, needed) && network_check(net, path, err);
    free(needed);
    free(r.values);
    free(r.weight_of);
    free(r.uses);
    free(r.layer_sizes);
    onnx_close(&r.file);
    return ok;
}

bool is_onnx(struct bytes file)
{
    enum { IR_VERSION = 1, GRAPH = 7 };                         /* fields of ModelProto */
    struct wire_field f;
    bool bad = false, has_version = false, has_graph = false;
    while (wire_next(&file, &f, &bad)) {
        has_version = has_version || (f.number == IR_VERSION && f.type == WIRE_VARINT);
        has_graph = has_graph || (f.number == GRAPH && f.type == WIRE_BYTES);
    }
    return !bad && has_version && has_graph;
}
