/* Finds the raw predictions. */
#include "interop/onnx/expression.h"
#include "interop/onnx/heads.h"

#include "base/memory.h"
#include <stdlib.h>

/* Adds the convolution that writes the value, including a factor that follows it. */
static bool add_head(const struct onnx_reader *r, const int *reader, struct prediction_heads *s, int value,
                     bool sigmoid)
{
    for (int next = reader[value]; next >= 0 && r->uses[value] == 1; next = reader[value]) {
        const struct onnx_node *node = &r->file.nodes[next];
        const bool factor = slice_is(node->op, "Mul") || slice_is(node->op, "BatchNormalization");
        if (!factor || node->outputs[0] == ONNX_NO_VALUE
            || !(node_constant(r, node, 1) || node_constant(r, node, 0)))
            break;
        value = node->outputs[0];
    }
    int i = 0;
    while (i < s->count && s->list[i].value != value)
        i++;
    if (i == HEADS_MAX)
        return fail(r->err, "%s: more predictions than detectors have", r->file.path);
    s->count += i == s->count;
    s->list[i].value = value;
    s->list[i].sigmoid = s->list[i].sigmoid || sigmoid;
    return true;
}

/* Records the channels that output i of a Split or Slice selects. */
static void note_cut(const struct onnx_reader *r, struct prediction_heads *s, const struct onnx_node *node, int output)
{
    int64_t part[ONNX_NODE_OUTPUTS], from[1], to[1];
    if (slice_is(node->op, "Split")) {
        const int parts = node_ints(r, node, 1, "split", part, ONNX_NODE_OUTPUTS);
        s->from = 0;
        for (int i = 0; i < output && i < parts; i++)
            s->from += part[i];
        s->cut = output < parts;
        s->to = s->cut ? s->from + part[output] : 0;
    } else if (slice_is(node->op, "Slice") && node_ints(r, node, 1, "starts", from, 1) == 1
               && node_ints(r, node, 2, "ends", to, 1) == 1) {
        s->from = *from;
        s->to = *to;
        s->cut = true;
    }
}

/* The stack holds 2 * value + 1 if the path passed a sigmoid, else 2 * value.  A node pushes its inputs at most twice:
 * when another of its outputs is popped, they have been visited. */
static bool walk_back(const struct onnx_reader *r, const int *reader, int *stack, unsigned char *been,
                      struct prediction_heads *s)
{
    int depth = 0;
    for (int i = r->file.output_count; i-- > 0; )
        stack[depth++] = 2 * r->file.outputs[i];
    while (depth > 0) {
        const int top = stack[--depth], value = top / 2;
        const struct onnx_value *v = &r->file.values[value];
        bool sigmoid = top % 2;
        if (v->node == ONNX_NO_VALUE || been[value] >> sigmoid & 1)
            continue;
        been[value] |= (unsigned char)(1 << sigmoid);
        const struct onnx_node *node = &r->file.nodes[v->node];
        if (slice_is(node->op, "Conv")) {
            if (!add_head(r, reader, s, value, sigmoid))
                return false;
            continue;
        }
        if (slice_is(node->op, "Shape"))
            continue;
        if (sigmoid && !s->cut)
            note_cut(r, s, node, v->output);
        sigmoid = sigmoid || slice_is(node->op, "Sigmoid");
        for (int i = node->input_count; i-- > 0; )
            if (node->inputs[i] != ONNX_NO_VALUE && !(been[node->inputs[i]] >> sigmoid & 1))
                stack[depth++] = 2 * node->inputs[i] + sigmoid;
    }
    return s->count > 0 || fail(r->err, "%s: no convolution leads to its outputs", r->file.path);
}

bool find_heads(const struct onnx_reader *r, struct prediction_heads *s)
{
    const struct onnx_file *file = &r->file;
    const size_t values = (size_t)file->value_count;
    int *reader = new_array(values, sizeof *reader, r->err);            /* [value] a node that reads it */
    int *stack = new_array(2 * (size_t)file->edge_count + (size_t)file->output_count, sizeof *stack, r->err);
    unsigned char *been = new_array(values, 1, r->err);
    for (int i = 0; reader && i < file->node_count; i++)
        for (int k = 0; k < file->nodes[i].input_count; k++)
            if (file->nodes[i].inputs[k] != ONNX_NO_VALUE)
                reader[file->nodes[i].inputs[k]] = i;
    const bool ok = reader && stack && been && walk_back(r, reader, stack, been, s);
    free(reader);
    free(stack);
    free(been);
    return ok;
}

void mark_needed(const struct onnx_reader *r, const struct prediction_heads *s, bool *needed)
{
    for (int i = 0; i < s->count; i++)
        needed[r->file.values[s->list[i].value].node] = true;
    for (int i = r->file.node_count; i-- > 0; )
        for (int k = 0; needed[i] && k < r->file.nodes[i].input_count; k++) {
            const int value = r->file.nodes[i].inputs[k];
            if (value != ONNX_NO_VALUE && r->file.values[value].node != ONNX_NO_VALUE)
                needed[r->file.values[value].node] = true;
        }
}

/* ---- levels ---- */

static int by_stride(const struct onnx_reader *r, const struct prediction_head *a, const struct prediction_head *b)
{
    const double x = r->layer_sizes[a->layer].stride, y = r->layer_sizes[b->layer].stride;
    return x != y ? x < y ? -1 : 1 : b->sigmoid - a->sigmoid;
}

bool set_outputs(struct onnx_reader *r, struct prediction_heads *s)
{
    struct network *net = r->net;
    for (int i = 0; i < s->count; i++) {
        struct read_value *x = &r->values[s->list[i].value];
        if (!materialise(r, x))
            return false;
        s->list[i].layer = x->layer;
    }
    for (int i = 1; i < s->count; i++)                          /* stable insertion sort */
        for (int k = i; k > 0 && by_stride(r, &s->list[k], &s->list[k - 1]) < 0; k--) {
            const struct prediction_head swap = s->list[k];
            s->list[k] = s->list[k - 1];
            s->list[k - 1] = swap;
        }
    for (int i = 0, n; i < s->count; i += n) {
        const int of[] = { s->list[i].layer, i + 1 < s->count ? s->list[i + 1].layer : 0 };
        struct layer_size size = r->layer_sizes[of[0]];
        n = i + 1 < s->count && r->layer_sizes[of[1]].stride == size.stride ? 2 : 1;
        const int channels = size.map.extent[AXIS_C];
        if (net->output_count == LAYER_OPERANDS || !(size.stride >= 1 && size.stride <= LAYOUT_EXTENT)
            || (i + 2 < s->count && n == 2 && r->layer_sizes[s->list[i + 2].layer].stride == size.stride))
            return fail(r->err, "%s: its predictions are not those of a few levels", r->file.path);
        size.map.extent[AXIS_C] += n == 2 ? r->layer_sizes[of[1]].map.extent[AXIS_C] : 0;
        const int layer = n == 1 ? of[0]
                        : add_layer(r, NULL, LAYER_CONCAT, of, 2, size.map, size.stride);
        if (layer < 0)
            return false;
        int classes = n == 2 ? channels : s->cut ? (int)((s->to < 0 ? s->to + channels : s->to) - s->from) : 0;
        const int bins = size.map.extent[AXIS_C] - classes;
        if (classes < 0 || (classes && (bins <= 0 || bins % 4)) || (i && classes != net->classes))
            return fail(r->err, "%s: a level of %d channels, %d of them classes", r->file.path,
                        size.map.extent[AXIS_C], classes);
        net->classes = classes;
        net->reg_max = classes ? bins / 4 - 1 : 0;
        net->strides[net->output_count] = (int)size.stride;
        net->outputs[net->output_count++] = layer;
    }
    return true;
}
