/* interop/onnx/values.c -- access to the operands and results of nodes, new layers and their weights. */
#include "interop/onnx/reader.h"

#include "base/memory.h"
#include "base/strbuf.h"
#include "base/table.h"
#include <stdlib.h>
#include <string.h>

const struct expression identity_expression = { GATE_ONE, true, 1, 0 };

bool fail_node(const struct onnx_reader *r, const struct onnx_node *node, const char *text)
{
    return fail(r->err, "%s: node %.*s (%.*s): %s", r->file.path, node->name.size, node->name.p, node->op.size,
                node->op.p, text);
}

bool reader_spend(struct onnx_reader *r, const struct onnx_node *node, size_t numbers)
{
    if (numbers > r->work)
        return fail_node(r, node, "too much arithmetic on constants");
    r->work -= numbers;
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
    fail_node(r, node, "an operand that is not a feature map");
    return NULL;
}

void set_value(struct onnx_reader *r, const struct onnx_node *node, int i, const struct read_value *x)
{
    const int value = i < node->output_count ? node->outputs[i] : ONNX_NO_VALUE;
    if (value == ONNX_NO_VALUE)
        return;
    r->values[value] = *x;
    r->values[value].by = node;
    r->layer_sizes[x->layer].uses += r->uses[value];
    if (node_input(r, node, 0) && node_input(r, node, 0)->layer == x->layer)
        r->layer_sizes[x->layer].uses--;                       /* the node itself is not a use of the layer */
}

bool set_layer(struct onnx_reader *r, const struct onnx_node *node, int i, int layer)
{
    const int value = i < node->output_count ? node->outputs[i] : ONNX_NO_VALUE;
    if (layer < 0 || value == ONNX_NO_VALUE)
        return layer >= 0;
    r->values[value] = (struct read_value){ .kind = VALUE_MAP, .by = node, .layer = layer,
                                            .pending = identity_expression,
                                            .layout = layout_of(&r->layer_sizes[layer].map) };
    r->layer_sizes[layer].uses += r->uses[value];
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
    strbuf_add(&text, name.p, (size_t)name.size);
    if (map.extent[AXIS_C] > LAYOUT_EXTENT || map.extent[AXIS_Y] > MAP_SIDE_MAX || map.extent[AXIS_X] > MAP_SIDE_MAX)
        fail(r->err, "%s: node %s: a map larger than any that a detector has", r->file.path, text.s ? text.s : "");
    else if (strbuf_check(&text, r->err)
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
        return fail_node(r, node, "weights that are not constant or do not fit") - 1;
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

const void *find_operator_row(const struct onnx_node *node, const void *rows, size_t size)
{
    char name[32];
    if (node->op.size >= (int)sizeof name)
        return NULL;
    memcpy(name, node->op.p, (size_t)node->op.size);
    name[node->op.size] = 0;
    return find_row(name, rows, size);
}
