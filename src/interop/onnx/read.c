#include "base/file.h"
#include "base/strbuf.h"
#include "interop/onnx/onnx.h"

#include "base/memory.h"
#include "base/table.h"
#include "base/wire.h"
#include "interop/onnx/reader.h"
#include <stdlib.h>
#include <string.h>

enum { WORK = 1 << 24,                                  /* max elements computed by constant folding */
       SIDE = 320, SIDE_MAX = 1 << 14, IMAGES_MAX = 1 << 10 };

/* ---- shared by the handlers ---- */

bool node_fails(const struct onnx_reader *r, const struct onnx_node *node, const char *text)
{
    return fail(r->err, "%s: node %.*s (%.*s): %s", r->file.path, node->name.size, node->name.p, node->op.size,
                node->op.p, text);
}

bool reader_spend(struct onnx_reader *r, const struct onnx_node *node, size_t elements)
{
    if (elements > r->work)
        return node_fails(r, node, "too much arithmetic on constants");
    r->work -= elements;
    return true;
}

struct read_value *node_input(const struct onnx_reader *r, const struct onnx_node *node, int i)
{
    return i < node->input_count && node->inputs[i] != ONNX_NO_VALUE ? &r->values[node->inputs[i]] : NULL;
}

const struct tensor *node_constant(const struct onnx_reader *r, const struct onnx_node *node, int i)
{
    const struct read_value *x = node_input(r, node, i);
    return x && x->kind == VALUE_CONSTANT ? &x->constant : NULL;
}

int node_ints(const struct onnx_reader *r, const struct onnx_node *node, int i, const char *attribute, int64_t *out,
              int max)
{
    const struct tensor *t = node_constant(r, node, i);
    if (!node_input(r, node, i))
        return onnx_ints(node, attribute, out, max);
    if (!t || t->rank > 1 || tensor_count(t) > (size_t)max || (t->dtype != DTYPE_I64 && t->dtype != DTYPE_I32))
        return -1;
    for (size_t k = 0; k < tensor_count(t); k++) {
        int32_t narrow;
        if (t->dtype == DTYPE_I64)
            memcpy(&out[k], t->data + 8 * k, 8);
        else {
            memcpy(&narrow, t->data + 4 * k, 4);
            out[k] = narrow;
        }
    }
    return (int)tensor_count(t);
}

struct read_value *node_value(struct onnx_reader *r, const struct onnx_node *node, int i)
{
    struct read_value *x = node_input(r, node, i);
    if (x && x->kind == VALUE_MAP)
        return x;
    node_fails(r, node, "an operand that is not a feature map");
    return NULL;
}

struct read_value *node_map(struct onnx_reader *r, const struct onnx_node *node, int i)
{
    struct read_value *x = node_value(r, node, i);
    if (!x || !materialise(r, x))
        return NULL;
    if (layout_is_plain(&x->layout, &r->layer_sizes[x->layer].map))
        return x;
    node_fails(r, node, "a map whose layout is not [n][c][h][w]");
    return NULL;
}

struct read_value *node_channels(struct onnx_reader *r, const struct onnx_node *node, int i, int *dim)
{
    struct read_value *x = node_value(r, node, i);
    if (!x || !materialise(r, x))
        return NULL;
    *dim = layout_channels(&x->layout, &r->layer_sizes[x->layer].map);
    if (*dim >= 0)
        return x;
    node_fails(r, node, "a map whose channels are not one dimension");
    return NULL;
}

void set_value(struct onnx_reader *r, const struct onnx_node *node, int i, const struct read_value *x)
{
    const int value = i < node->output_count ? node->outputs[i] : ONNX_NO_VALUE;
    if (value == ONNX_NO_VALUE)
        return;
    r->values[value] = *x;
    r->values[value].by = node;
    r->layer_sizes[x->layer].readers += r->readers[value];
    if (node_input(r, node, 0) && node_input(r, node, 0)->layer == x->layer)
        r->layer_sizes[x->layer].readers--;                       /* the node itself adds no reader of the layer */
}

bool set_layer(struct onnx_reader *r, const struct onnx_node *node, int i, int layer)
{
    const int value = i < node->output_count ? node->outputs[i] : ONNX_NO_VALUE;
    if (layer < 0 || value == ONNX_NO_VALUE)
        return layer >= 0;
    r->values[value] = (struct read_value){ .kind = VALUE_MAP, .by = node, .layer = layer,
                                            .pending = identity_expression,
                                            .layout = layout_of(&r->layer_sizes[layer].map) };
    r->layer_sizes[layer].readers += r->readers[value];
    return true;
}

/* The state_dict name if a weight has one; else the node's name without the number that our writer appends. */
static struct text_slice layer_name(const struct onnx_reader *r, const struct onnx_node *node)
{
    static const char ending[] = ".weight";
    const int size = (int)sizeof ending - 1;
    struct text_slice name = node->name;
    if (node_constant(r, node, 1))
        name = r->file.values[node_input(r, node, 1)->origin].name;
    if (name.size > size && memcmp(name.p + name.size - size, ending, (size_t)size) == 0)
        return (struct text_slice){ name.p, name.size - size };
    name = node->name;
    while (name.size > 0 && name.p[name.size - 1] >= '0' && name.p[name.size - 1] <= '9')
        name.size--;
    return name.size > 1 && name.size < node->name.size && name.p[name.size - 1] == '/'
         ? (struct text_slice){ name.p, name.size - 1 } : node->name;
}

int add_layer(struct onnx_reader *r, const struct onnx_node *node, enum layer_kind kind, const int *operands, int count,
              struct map map, double stride)
{
    const struct text_slice name = node ? layer_name(r, node) : (struct text_slice){ "", 0 };
    struct strbuf text = {0};
    strbuf_bytes(&text, name.p, (size_t)name.size);
    if (map.extent[AXIS_C] > LAYOUT_EXTENT || map.extent[AXIS_Y] > SIDE_MAX || map.extent[AXIS_X] > SIDE_MAX)
        fail(r->err, "%s: node %s: a map larger than any that a detector has", r->file.path, text.s ? text.s : "");
    else if (strbuf_ok(&text, r->err)
             && grow_array(&r->layer_sizes, r->size_count, &r->size_capacity, sizeof *r->layer_sizes, r->err)) {
        const int layer = network_add(r->net, kind, text.s ? text.s : "", operands, count, r->err);
        strbuf_free(&text);
        if (layer >= 0)
            r->layer_sizes[r->size_count++] = (struct layer_size){ map, stride, 0 };
        return layer;
    }
    strbuf_free(&text);
    return -1;
}

bool name_weights(struct onnx_reader *r, int weights, int value)
{
    const struct text_slice name = r->file.values[value].name;
    struct tensor *t = &r->net->weights.list[weights];
    char *copy = new_array((size_t)name.size + 1, 1, r->err);
    if (!copy)
        return false;
    memcpy(copy, name.p, (size_t)name.size);
    free(t->name);
    t->name = copy;
    return true;
}

int weights_of_input(struct onnx_reader *r, const struct onnx_node *node, int i, int rank, const size_t *dims)
{
    const struct read_value *x = node_input(r, node, i);
    const struct tensor *t = node_constant(r, node, i);
    bool fits = t && t->rank == rank && dtype_bytes(t->dtype) > 1;
    for (int k = 0; fits && k < rank; k++)
        fits = t->dims[k] == dims[k];
    if (!fits)
        return node_fails(r, node, "weights that are not constant or do not fit") - 1;
    if (r->weight_of[x->origin] != NO_TENSOR)
        return r->weight_of[x->origin];
    struct tensor mine = *t;
    mine.name = "";
    if (t->dtype != DTYPE_F32 && t->dtype != DTYPE_F16) {
        float *p = reader_spend(r, node, tensor_count(t))
                 ? tensors_block(&r->net->weights, tensor_count(t), sizeof *p, r->err) : NULL;
        if (!p)
            return NO_TENSOR;
        tensor_floats(t, p);
        mine.dtype = DTYPE_F32;
        mine.data = (unsigned char *)p;
    }
    if (!tensors_add(&r->net->weights, &mine, r->err) || !name_weights(r, r->net->weights.count - 1, x->origin))
        return NO_TENSOR;
    return r->weight_of[x->origin] = r->net->weights.count - 1;
}

const void *node_row(const struct onnx_node *node, const void *rows, size_t size)
{
    char name[32];
    if (node->op.size >= (int)sizeof name)
        return NULL;
    memcpy(name, node->op.p, (size_t)node->op.size);
    name[node->op.size] = 0;
    return find_row(name, rows, size);
}

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
        || dims[2] > SIDE_MAX || dims[3] > SIDE_MAX)
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
