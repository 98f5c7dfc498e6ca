/* Transformer layers: matrix products of pixels as rows of channels, and attention. */
#include "interop/onnx/expression.h"
#include "interop/onnx/fold.h"
#include "interop/onnx/handlers.h"

#include "base/memory.h"
#include <math.h>
#include <stdlib.h>

/* ---- rows times a constant matrix: a 1 x 1 convolution ---- */

/* matrix is [in][out], or [out][in] if transposed; the weights of the convolution are [out][in][1][1]. */
static bool linear(struct onnx_reader *r, const struct onnx_node *node, const struct tensor *matrix, bool transposed)
{
    int dim;
    const struct read_value *x = node_channels(r, node, 0, &dim);
    if (!x)
        return false;
    struct layer_size size = r->layer_sizes[x->layer];
    const size_t in = (size_t)size.map.extent[AXIS_C], out = matrix->rank == 2 ? matrix->dims[!transposed] : 0;
    if (dim != x->layout.rank - 1 || matrix->rank != 2 || matrix->dims[transposed] != in || out < 1
        || out > LAYOUT_EXTENT)
        return fail_node(r, node, "a matrix that does not fit the channels");
    if (!reader_spend(r, node, 2 * in * out))
        return false;
    size.map.extent[AXIS_C] = (int)out;
    struct read_value y = *x;
    y.layer = add_layer(r, node, LAYER_CONV, &x->layer, 1, size.map, size.stride);
    y.layout = layout_resized(&x->layout, dim, (int)out);
    float *elements = NULL, *m = y.layer < 0 ? NULL : new_array(in * out, sizeof *m, r->err);
    const int weight = m ? network_add_weights(r->net, r->net->layers[y.layer].name, 4, (size_t[]){ out, in, 1, 1 },
                                               &elements, r->err) : NO_TENSOR;
    if (weight != NO_TENSOR) {
        tensor_floats(matrix, m);
        for (size_t o = 0; o < out; o++)
            for (size_t i = 0; i < in; i++)
                elements[o * in + i] = transposed ? m[o * in + i] : m[i * out + o];
        r->net->layers[y.layer].weight = weight;
        set_value(r, node, 0, &y);
    }
    free(m);
    return weight != NO_TENSOR && name_weights(r, weight, node_input(r, node, 1)->origin);
}

static bool read_gemm(struct onnx_reader *r, const struct onnx_node *node)
{
    const struct tensor *matrix = node_constant(r, node, 1), *bias = node_constant(r, node, 2);
    if (!matrix || onnx_float(node, "alpha", 1) != 1 || onnx_float(node, "beta", 1) != 1 || onnx_int(node, "transA", 0))
        return fail_node(r, node, "a product that is not of a map and a constant matrix");
    if (!linear(r, node, matrix, onnx_int(node, "transB", 0) != 0))
        return false;
    if (!node_input(r, node, 2))
        return true;
    const int layer = r->values[node->outputs[0]].layer;
    if (!bias || bias->rank != 1 || bias->dims[0] != (size_t)r->layer_sizes[layer].map.extent[AXIS_C])
        return fail_node(r, node, "a bias that does not fit");
    const int index = weights_of_input(r, node, 2, 1, bias->dims);
    r->net->layers[layer].bias = index;
    return index != NO_TENSOR;
}

/* ---- attention ---- */

/* Keeps a pending factor; materialises any other expression. */
static bool materialise_all_but_scale(struct onnx_reader *r, struct read_value *x)
{
    return (x->pending.gate == GATE_ONE && x->pending.times_x && x->pending.shift == 0) || materialise(r, x);
}

static bool attention_scores(struct onnx_reader *r, const struct onnx_node *node, struct read_value *q,
                             struct read_value *k)
{
    if (!materialise_all_but_scale(r, q) || !materialise_all_but_scale(r, k))
        return false;
    if (!layout_of_heads(&q->layout, &r->layer_sizes[q->layer].map, false) || q->layout.rank != k->layout.rank
        || !layout_of_heads(&k->layout, &r->layer_sizes[k->layer].map, true)
        || q->layout.extent[q->layout.rank - 1] != k->layout.extent[k->layout.rank - 2])
        return fail_node(r, node, "a product of maps that is not attention");
    struct read_value y = *q;
    y.kind = VALUE_SCORES;
    y.key = k->layer;
    y.pending.scale *= k->pending.scale;
    set_value(r, node, 0, &y);
    return true;
}

/* attention v, or v attention^T if maps are [d][pixels]. */
static bool apply_attention(struct onnx_reader *r, const struct onnx_node *node, const struct read_value *attention,
                            struct read_value *v)
{
    if (v->kind != VALUE_MAP || !materialise(r, v))
        return fail_node(r, node, "a product of maps that is not attention");
    const int rank = v->layout.rank, of[] = { attention->layer, attention->key, v->layer };
    const int d = rank < 2 ? 0 : v->layout.extent[rank - 1 - attention->transposed];
    const struct layer_size size = r->layer_sizes[v->layer];
    if (!layout_of_heads(&v->layout, &size.map, attention->transposed) || attention->layout.rank != rank
        || attention->layout.extent[rank - 1] != d || fabs(attention->pending.scale * sqrt(d) - 1) > 1e-3)
        return fail_node(r, node, "an attention that is not softmax(q k^T / sqrt(d)) v");
    struct read_value y = *v;
    y.layer = add_layer(r, node, LAYER_ATTENTION, of, 3, size.map, size.stride);
    if (y.layer < 0)
        return false;
    r->net->layers[y.layer].groups = size.map.extent[AXIS_C] / d;
    set_value(r, node, 0, &y);
    return true;
}

static bool read_matmul(struct onnx_reader *r, const struct onnx_node *node)
{
    struct read_value *a = node_input(r, node, 0), *b = node_input(r, node, 1);
    if (!a || !b)
        return fail_node(r, node, "a product without operands");
    if (b->kind == VALUE_CONSTANT)
        return linear(r, node, &b->constant, false);
    if (a->kind == VALUE_MAP && b->kind == VALUE_MAP)
        return attention_scores(r, node, a, b);
    if (a->kind == VALUE_ATTENTION && !a->transposed)
        return apply_attention(r, node, a, b);
    if (b->kind == VALUE_ATTENTION && b->transposed)
        return apply_attention(r, node, b, a);
    return fail_node(r, node, "a product that is not part of an attention");
}

bool attention_scale(struct onnx_reader *r, const struct onnx_node *node, bool *known)
{
    const struct read_value *x = node_input(r, node, 0);
    const struct tensor *t = node_constant(r, node, 1);
    *known = x && x->kind == VALUE_SCORES;
    if (!*known)
        return true;
    const double factor = t ? tensor_single(t) : NAN;
    struct read_value y = *x;
    y.pending.scale *= slice_is(node->op, "Div") ? 1 / factor : factor;
    if (!isfinite(y.pending.scale) || !(slice_is(node->op, "Div") || slice_is(node->op, "Mul")))
        return fail_node(r, node, "attention scores that are not scaled by a number");
    set_value(r, node, 0, &y);
    return true;
}

static bool read_softmax(struct onnx_reader *r, const struct onnx_node *node)
{
    const struct read_value *x = node_input(r, node, 0);
    const int64_t axis = onnx_int(node, "axis", r->file.opset < 13 ? 1 : -1);
    if (!x || x->kind != VALUE_SCORES || (axis != -1 && axis != x->layout.rank - 1))
        return fail_node(r, node, "a softmax that is not part of an attention");
    struct read_value y = *x;
    y.kind = VALUE_ATTENTION;
    set_value(r, node, 0, &y);
    return true;
}

bool attention_transpose(struct onnx_reader *r, const struct onnx_node *node, bool *known)
{
    const struct read_value *x = node_input(r, node, 0);
    int64_t order[LAYOUT_RANK];
    *known = x && x->kind == VALUE_ATTENTION;
    if (!*known)
        return true;
    const int rank = x->layout.rank;
    bool last = onnx_ints(node, "perm", order, LAYOUT_RANK) == rank;
    for (int i = 0; last && i < rank; i++)
        last = order[i] == (i < rank - 2 ? i : 2 * rank - 3 - i);
    struct read_value y = *x;
    y.transposed = !x->transposed;
    set_value(r, node, 0, &y);
    return last || fail_node(r, node, "a transpose of attention weights other than of the last two dimensions");
}

/* ---- gather ---- */

/* Selects part `index` of a dimension that divides the channels into equal parts, and removes the dimension. */
static bool read_gather(struct onnx_reader *r, const struct onnx_node *node)
{
    struct read_value *x = node_value(r, node, 0);
    const struct tensor *at = node_constant(r, node, 1);
    if (!x || !materialise(r, x))
        return false;
    const int axis = (int)onnx_int(node, "axis", 0), dim = axis < 0 ? axis + x->layout.rank : axis;
    const bool fits = dim >= 0 && dim < x->layout.rank && at && at->rank == 0
                   && x->layout.first[dim + 1] == x->layout.first[dim] + 1;
    const struct atom part = fits ? x->layout.atom[x->layout.first[dim]] : (struct atom){0};
    struct layer_size size = r->layer_sizes[x->layer];
    const double index = fits ? tensor_single(at) : 0, from = index < 0 ? index + part.extent : index;
    if (!fits || part.axis != AXIS_C || part.stride * part.extent != size.map.extent[AXIS_C]
        || !(from >= 0 && from < part.extent))
        return fail_node(r, node, "a gather that does not select a part of the channels");
    size.map.extent[AXIS_C] = part.stride;
    struct read_value y = *x;
    y.layer = add_layer(r, node, LAYER_CHANNELS, &x->layer, 1, size.map, size.stride);
    if (y.layer < 0)
        return false;
    r->net->layers[y.layer].from = (int)from * part.stride;
    r->net->layers[y.layer].to = ((int)from + 1) * part.stride;
    layout_drop(&y.layout, dim);
    set_value(r, node, 0, &y);
    return true;
}

const struct handler attention_handlers[] = {
    { "MatMul", read_matmul }, { "Gemm", read_gemm }, { "Softmax", read_softmax }, { "Gather", read_gather }, {0} };
