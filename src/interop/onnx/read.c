#include "base/file.h"
#include "interop/onnx/onnx.h"

#include "base/memory.h"
#include "base/wire.h"
#include "interop/onnx/fold.h"
#include "interop/onnx/handlers.h"
#include "interop/onnx/heads.h"
#include <stdlib.h>

enum { WORK = 1 << 24,                                  /* max elements computed by constant folding */
       SIDE = 320, IMAGES_MAX = 1 << 10 };

/* ---- nodes ---- */

static bool read_node(struct onnx_reader *r, const struct onnx_node *node)
{
    static const struct handler *const tables[] = { layer_handlers, activation_handlers, elementwise_handlers,
                                                    reorder_handlers, attention_handlers, norm_handlers };
    bool known;
    if (!fold_node(r, node, &known) || known)
        return r->values[node->outputs[0]].kind == VALUE_CONSTANT;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        const struct handler *found = node_row(node, tables[i], sizeof *found);
        if (found)
            return found->read(r, node);
    }
    const bool ok = read_activation(r, node, &known);
    return known ? ok : node_fails(r, node, "an unsupported operator");
}

/* Dynamic extents are replaced by one image of SIDE x SIDE pixels. */
static bool read_input(struct onnx_reader *r, int value)
{
    const struct onnx_value *v = &r->file.values[value];
    int64_t dims[AXES];
    if (onnx_dims(v->info, dims, AXES) != AXES || (dims[1] && dims[1] != 3) || dims[0] > IMAGES_MAX
        || dims[2] > MAP_SIDE_MAX || dims[3] > MAP_SIDE_MAX)
        return fail(r->err, "%s: its input %.*s is no image [n][3][h][w]", r->file.path, v->name.size, v->name.p);
    if (r->net->count)
        return fail(r->err, "%s: has two inputs", r->file.path);
    r->net->input_h = (int)dims[2];
    r->net->input_w = (int)dims[3];
    const struct map map = {{ dims[0] ? (int)dims[0] : 1, 3, dims[2] ? (int)dims[2] : SIDE,
                              dims[3] ? (int)dims[3] : SIDE }};
    const struct onnx_node named = { .name = v->name };
    const int layer = add_layer(r, &named, LAYER_INPUT, NULL, 0, map, 1);
    if (layer < 0)
        return false;
    r->values[value] = (struct read_value){ .kind = VALUE_MAP, .layer = layer, .layout = layout_of(&map),
                                            .pending = identity_expression };
    r->layer_sizes[layer].readers = r->readers[value];
    return true;
}

static bool read_tensor(struct onnx_reader *r, int value)
{
    const struct onnx_value *v = &r->file.values[value];
    struct read_value *x = &r->values[value];
    struct error why = {0};
    *x = (struct read_value){ .kind = VALUE_CONSTANT, .origin = value };
    return onnx_tensor(&x->constant, v->tensor, &r->net->weights, &why)
        || fail(r->err, "%s: %.*s: %s", r->file.path, v->name.size, v->name.p, why.text);
}

/* ---- the file ---- */

/* Gives weights of 1 to norms without factors. */
static bool fill_norms(struct onnx_reader *r)
{
    bool ok = true;
    for (int i = 0; ok && i < r->net->count; i++) {
        const size_t count = (size_t)r->layer_sizes[i].map.extent[AXIS_C];
        float *ones = NULL;
        const enum layer_kind kind = r->net->layers[i].kind;
        if ((kind != LAYER_NORM && kind != LAYER_GROUP_NORM) || r->net->layers[i].weight != NO_TENSOR)
            continue;
        const int weight = network_weights(r->net, r->net->layers[i].name, 1, &count, &ones, r->err);
        for (size_t c = 0; weight != NO_TENSOR && c < count; c++)
            ones[c] = 1;
        r->net->layers[i].weight = weight;
        ok = weight != NO_TENSOR;
    }
    return ok;
}

static bool read_values(struct onnx_reader *r)
{
    for (int i = 0; i < r->file.node_count; i++)
        for (int k = 0; k < r->file.nodes[i].input_count; k++)
            if (r->file.nodes[i].inputs[k] != ONNX_NO_VALUE)
                r->readers[r->file.nodes[i].inputs[k]]++;
    for (int i = 0; i < r->file.value_count; i++) {
        r->weight_of[i] = NO_TENSOR;
        if (r->file.values[i].tensor.size && !read_tensor(r, i))
            return false;
        if (r->file.values[i].info.size && !read_input(r, i))
            return false;
    }
    return r->net->count > 0 || fail(r->err, "%s: has no input", r->file.path);
}

/* Ignores errors here, since the node may not be needed. */
static void fold_all(struct onnx_reader *r)
{
    struct error *err = r->err, ignored = {0};
    bool known;
    r->err = &ignored;
    for (int i = 0; i < r->file.node_count; i++)
        fold_node(r, &r->file.nodes[i], &known);
    r->err = err;
}

static bool read_needed(struct onnx_reader *r, bool *needed)
{
    struct prediction_heads heads = {0};
    if (!find_heads(r, &heads))
        return false;
    mark_needed(r, &heads, needed);
    for (int i = 0; i < r->file.node_count; i++)
        if (needed[i] && !read_node(r, &r->file.nodes[i]))
            return false;
    return fill_norms(r) && set_outputs(r, &heads) && onnx_metadata(&r->file, &r->net->weights, r->err);
}

bool onnx_read(struct network *net, struct bytes bytes, const char *path, struct error *err)
{
    struct onnx_reader r = { .net = net, .work = WORK, .err = err };
    *net = (struct network){0};
    bool ok = onnx_open(&r.file, bytes, path, err);
    const size_t values = (size_t)r.file.value_count;
    bool *needed = ok ? new_array((size_t)r.file.node_count, sizeof *needed, err) : NULL;
    r.values = needed ? new_array(values, sizeof *r.values, err) : NULL;
    r.weight_of = r.values ? new_array(values, sizeof *r.weight_of, err) : NULL;
    r.readers = r.weight_of ? new_array(values, sizeof *r.readers, err) : NULL;
    ok = r.readers && read_values(&r);
    if (ok)
        fold_all(&r);
    ok = ok && read_needed(&r, needed) && network_check(net, path, err);
    free(needed);
    free(r.values);
    free(r.weight_of);
    free(r.readers);
    free(r.layer_sizes);
    onnx_close(&r.file);
    return ok;
}

bool onnx_recognises(struct bytes file)
{
    struct wire_field f;
    bool bad = false;
    int version = 0, graphs = 0;
    while (wire_next(&file, &f, &bad)) {
        version += f.number == 1 && f.type == WIRE_VARINT;
        graphs += f.number == 7 && f.type == WIRE_BYTES;
    }
    return !bad && version > 0 && graphs > 0;
}
