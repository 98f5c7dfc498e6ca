/* Layers of transformers: pixels as rows of channels, multiplied by matrices and by each other. */
#include "interop/onnx/reader.h"

#include "base/memory.h"
#include <math.h>
#include <stdlib.h>

/* ---- rows times a constant matrix: a convolution of 1 x 1 ---- */

/* matrix is [in][out], or [out][in] if turned; the weights of the convolution are [out][in][1][1]. */
static bool linear(struct reader *r, const struct onnx_node *node, const struct tensor *matrix, bool turned)
{
    int dim;
    const struct seen *x = node_channels(r, node, 0, &dim);
    if (!x)
        return false;
    struct place place = r->places[x->layer];
    const size_t in = (size_t)place.map.extent[AXIS_C], out = matrix->rank == 2 ? matrix->dims[!turned] : 0;
    if (dim != x->view.rank - 1 || matrix->rank != 2 || matrix->dims[turned] != in || out < 1 || out > VIEW_EXTENT)
        return node_fails(r, node, "a matrix that does not fit the channels");
    if (!reader_spend(r, node, 2 * in * out))
        return false;
    place.map.extent[AXIS_C] = (int)out;
    struct seen y = *x;
    y.layer = add_layer(r, node, LAYER_CONV, &x->layer, 1, place.map, place.stride);
    y.view = view_resized(&x->view, dim, (int)out);
    float *numbers = NULL, *m = y.layer < 0 ? NULL : new_array(in * out, sizeof *m, r->err);
    const int weight = m ? network_weights(r->net, r->net->layers[y.layer].name, 4, (size_t[]){ out, in, 1, 1 },
                                           &numbers, r->err) : NO_TENSOR;
    if (weight != NO_TENSOR) {
        tensor_floats(matrix, m);
        for (size_t o = 0; o < out; o++)
            for (size_t i = 0; i < in; i++)
                numbers[o * in + i] = turned ? m[o * in + i] : m[i * out + o];
        r->net->layers[y.layer].weight = weight;
        set_view(r, node, 0, &y);
    }
    free(m);
    return weight != NO_TENSOR && name_weights(r, weight, node_input(r, node, 1)->origin);
}

static bool read_gemm(struct reader *r, const struct onnx_node *node)
{
    const struct tensor *matrix = node_constant(r, node, 1), *bias = node_constant(r, node, 2);
    if (!matrix || onnx_float(node, "alpha", 1) != 1 || onnx_float(node, "beta", 1) != 1 || onnx_int(node, "transA", 0))
        return node_fails(r, node, "a product that is not of a map and a constant matrix");
    if (!linear(r, node, matrix, onnx_int(node, "transB", 0) != 0))
        return false;
    if (!node_input(r, node, 2))
        return true;
    const int layer = r->seen[node->outputs[0]].layer;
    if (!bias || bias->rank != 1 || bias->dims[0] != (size_t)r->places[layer].map.extent[AXIS_C])
        return node_fails(r, node, "a bias that does not fit");
    const int index = weights_of_input(r, node, 2, 1, bias->dims);
    r->net->layers[layer].bias = index;
    return index != NO_TENSOR;
}

/* ---- rows times rows ---- */

/* A factor that is pending may stay so; any other formula becomes layers. */
static bool settle_all_but_scale(struct reader *r, struct seen *seen)
{
    return (seen->form.gate == GATE_ONE && seen->form.times_x && seen->form.shift == 0) || seen_settle(r, seen);
}

static bool products(struct reader *r, const struct onnx_node *node, struct seen *q, struct seen *k)
{
    if (!settle_all_but_scale(r, q) || !settle_all_but_scale(r, k))
        return false;
    if (!view_of_heads(&q->view, &r->places[q->layer].map, false) || q->view.rank != k->view.rank
        || !view_of_heads(&k->view, &r->places[k->layer].map, true)
        || q->view.extent[q->view.rank - 1] != k->view.extent[k->view.rank - 2])
        return node_fails(r, node, "a product of maps that is no attention");
    struct seen y = *q;
    y.kind = SEEN_PRODUCTS;
    y.key = k->layer;
    y.form.scale *= k->form.scale;
    set_view(r, node, 0, &y);
    return true;
}

/* shares v, or v shares^T where maps are [d][pixels]. */
static bool attend(struct reader *r, const struct onnx_node *node, const struct seen *shares, struct seen *v)
{
    if (v->kind != SEEN_MAP || !seen_settle(r, v))
        return node_fails(r, node, "a product of maps that is no attention");
    const int rank = v->view.rank, of[] = { shares->layer, shares->key, v->layer };
    const int d = rank < 2 ? 0 : v->view.extent[rank - 1 - shares->turned];
    const struct place place = r->places[v->layer];
    if (!view_of_heads(&v->view, &place.map, shares->turned) || shares->view.rank != rank
        || shares->view.extent[rank - 1] != d || fabs(shares->form.scale * sqrt(d) - 1) > 1e-3)
        return node_fails(r, node, "an attention that is not softmax(q k^T / sqrt(d)) v");
    struct seen y = *v;
    y.layer = add_layer(r, node, LAYER_ATTENTION, of, 3, place.map, place.stride);
    if (y.layer < 0)
        return false;
    r->net->layers[y.layer].groups = place.map.extent[AXIS_C] / d;
    set_view(r, node, 0, &y);
    return true;
}

static bool read_matmul(struct reader *r, const struct onnx_node *node)
{
    struct seen *a = node_input(r, node, 0), *b = node_input(r, node, 1);
    if (!a || !b)
        return node_fails(r, node, "a product without operands");
    if (b->kind == SEEN_CONSTANT)
        return linear(r, node, &b->constant, false);
    if (a->kind == SEEN_MAP && b->kind == SEEN_MAP)
        return products(r, node, a, b);
    if (a->kind == SEEN_SHARES && !a->turned)
        return attend(r, node, a, b);
    if (b->kind == SEEN_SHARES && b->turned)
        return attend(r, node, b, a);
    return node_fails(r, node, "a product that is no part of an attention");
}

bool attention_scale(struct reader *r, const struct onnx_node *node, bool *known)
{
    const struct seen *x = node_input(r, node, 0);
    const struct tensor *t = node_constant(r, node, 1);
    *known = x && x->kind == SEEN_PRODUCTS;
    if (!*known)
        return true;
    const double factor = t ? tensor_single(t) : NAN;
    struct seen y = *x;
    y.form.scale *= slice_is(node->op, "Div") ? 1 / factor : factor;
    if (!isfinite(y.form.scale) || !(slice_is(node->op, "Div") || slice_is(node->op, "Mul")))
        return node_fails(r, node, "products of pixels that are not scaled by a number");
    set_view(r, node, 0, &y);
    return true;
}

static bool read_softmax(struct reader *r, const struct onnx_node *node)
{
    const struct seen *x = node_input(r, node, 0);
    const int64_t axis = onnx_int(node, "axis", r->file.opset < 13 ? 1 : -1);
    if (!x || x->kind != SEEN_PRODUCTS || (axis != -1 && axis != x->view.rank - 1))
        return node_fails(r, node, "a softmax that is no part of an attention");
    struct seen y = *x;
    y.kind = SEEN_SHARES;
    set_view(r, node, 0, &y);
    return true;
}

bool attention_turn(struct reader *r, const struct onnx_node *node, bool *known)
{
    const struct seen *x = node_input(r, node, 0);
    int64_t order[VIEW_RANK];
    *known = x && x->kind == SEEN_SHARES;
    if (!*known)
        return true;
    const int rank = x->view.rank;
    bool last = onnx_ints(node, "perm", order, VIEW_RANK) == rank;
    for (int i = 0; last && i < rank; i++)
        last = order[i] == (i < rank - 2 ? i : 2 * rank - 3 - i);
    struct seen y = *x;
    y.turned = !x->turned;
    set_view(r, node, 0, &y);
    return last || node_fails(r, node, "shares of pixels in another order");
}

/* ---- one of several ---- */

/* Part `index` of an extent that cuts the channels into equal parts; the extent goes. */
static bool read_gather(struct reader *r, const struct onnx_node *node)
{
    struct seen *x = node_value(r, node, 0);
    const struct tensor *at = node_constant(r, node, 1);
    if (!x || !seen_settle(r, x))
        return false;
    const int axis = (int)onnx_int(node, "axis", 0), dim = axis < 0 ? axis + x->view.rank : axis;
    const bool fits = dim >= 0 && dim < x->view.rank && at && at->rank == 0
                   && x->view.first[dim + 1] == x->view.first[dim] + 1;
    const struct atom part = fits ? x->view.atom[x->view.first[dim]] : (struct atom){0};
    struct place place = r->places[x->layer];
    const double index = fits ? tensor_single(at) : 0, from = index < 0 ? index + part.extent : index;
    if (!fits || part.axis != AXIS_C || part.stride * part.extent != place.map.extent[AXIS_C]
        || !(from >= 0 && from < part.extent))
        return node_fails(r, node, "a choice that is not of a part of the channels");
    place.map.extent[AXIS_C] = part.stride;
    struct seen y = *x;
    y.layer = add_layer(r, node, LAYER_CHANNELS, &x->layer, 1, place.map, place.stride);
    if (y.layer < 0)
        return false;
    r->net->layers[y.layer].from = (int)from * part.stride;
    r->net->layers[y.layer].to = ((int)from + 1) * part.stride;
    view_drop(&y.view, dim);
    set_view(r, node, 0, &y);
    return true;
}

const struct handler attention_handlers[] = {
    { "MatMul", read_matmul }, { "Gemm", read_gemm }, { "Softmax", read_softmax }, { "Gather", read_gather }, {0} };
