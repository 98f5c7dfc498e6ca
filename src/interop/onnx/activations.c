#include "interop/onnx/expression.h"

#include "base/memory.h"
#include "base/strbuf.h"
#include "interop/onnx/fold.h"
#include "interop/onnx/handlers.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Constants in a file may be rounded to float16, hence the tolerance. */
static bool near(double a, double b) { return fabs(a - b) <= 1e-3 * fabs(b); }

static bool expression_scale(struct expression *f, double factor)
{
    f->scale *= factor;
    f->shift *= factor;
    return isfinite(f->scale) && isfinite(f->shift) && f->scale != 0;
}

static void expression_shift(struct expression *f, double term)
{
    if (term == 1 && f->gate == GATE_ERF && near(f->scale, 1) && f->shift == 0)
        f->gate = GATE_ONE_ERF;
    else
        f->shift += term;
}

/* min(max(a x + 3 a, 0), 6 a) = a relu6(x + 3) */
static bool expression_clip(struct expression *f, double low, double high)
{
    if (f->gate != GATE_ONE || !f->times_x || !(f->scale > 0) || low != 0 || !near(f->shift, 3 * f->scale)
        || !near(high, 6 * f->scale))
        return false;
    *f = (struct expression){ GATE_RELU6, false, f->scale, 0 };
    return true;
}

static bool expression_erf(struct expression *f)
{
    if (f->gate != GATE_ONE || !f->times_x || f->shift != 0 || !near(f->scale, sqrt(0.5)))
        return false;
    *f = (struct expression){ GATE_ERF, false, 1, 0 };
    return true;
}

static bool expression_times(struct expression *a, const struct expression *b)
{
    const struct expression *gate = a->times_x ? b : a, *x = a->times_x ? a : b;
    if (gate->times_x || !x->times_x || x->gate != GATE_ONE || x->shift != 0 || gate->shift != 0)
        return false;
    *a = (struct expression){ gate->gate, true, gate->scale * x->scale, 0 };
    return true;
}

int add_vector(struct onnx_reader *r, int layer, const char *ending, const float *values)
{
    const size_t count = (size_t)r->layer_sizes[layer].map.extent[AXIS_C];
    struct strbuf name = {0};
    float *elements;
    strbuf_addf(&name, "%s.%s", r->net->layers[layer].name, ending);
    const int weights = !strbuf_check(&name, r->err) ? NO_TENSOR
                      : network_add_weights(r->net, name.s, 1, &count, &elements, r->err);
    if (weights != NO_TENSOR)
        memcpy(elements, values, count * sizeof *values);
    strbuf_free(&name);
    return weights;
}

int add_affine(struct onnx_reader *r, const struct onnx_node *node, int of, const float *scale, const float *shift)
{
    const struct layer_size size = r->layer_sizes[of];
    const int layer = add_layer(r, node, LAYER_AFFINE, &of, 1, size.map, size.stride);
    if (layer < 0)
        return -1;
    const int weight = add_vector(r, layer, "weight", scale);
    const int bias = shift && weight != NO_TENSOR ? add_vector(r, layer, "bias", shift) : NO_TENSOR;
    r->net->layers[layer].weight = weight;
    r->net->layers[layer].bias = bias;
    return weight == NO_TENSOR || (shift && bias == NO_TENSOR) ? -1 : layer;
}

/* An affine layer with equal factors and shifts for all channels. */
static int add_scaled(struct onnx_reader *r, const struct onnx_node *node, int of, double scale, double shift)
{
    const size_t count = (size_t)r->layer_sizes[of].map.extent[AXIS_C];
    float *w = reader_spend(r, node, 2 * count) ? new_array(2 * count, sizeof *w, r->err) : NULL;
    for (size_t i = 0; w && i < count; i++) {
        w[i] = (float)scale;
        w[count + i] = (float)shift;
    }
    const int layer = w ? add_affine(r, node, of, w, shift != 0 ? w + count : NULL) : -1;
    free(w);
    return layer;
}

bool materialise(struct onnx_reader *r, struct read_value *x)
{
    const struct onnx_node *node = x->by;
    double scale = x->pending.scale;
    const double shift = x->pending.shift;
    int act = 0, layer = x->layer;
    const bool linear = x->pending.gate == GATE_ONE && x->pending.times_x;
    while (act < ACT_KINDS && (act_spellings[act].onnx.gate == GATE_ONE
                               || act_spellings[act].onnx.gate != x->pending.gate
                               || act_spellings[act].onnx.times_x != x->pending.times_x))
        act++;
    if (!linear && act == ACT_KINDS)
        return fail_node(r, node, "an expression that is not a supported activation");
    if (!linear) {
        layer = add_layer(r, node, LAYER_ACTIVATION, &layer, 1, r->layer_sizes[layer].map,
                          r->layer_sizes[layer].stride);
        if (layer < 0)
            return false;
        r->net->layers[layer].act = (enum act)act;
        scale /= act_spellings[act].onnx.scale;
    }
    if (shift != 0 || (linear ? scale != 1 : !near(scale, 1)))
        layer = add_scaled(r, node, layer, scale, shift);
    x->layer = layer;
    x->pending = identity_expression;
    return layer >= 0;
}

struct read_value *node_map(struct onnx_reader *r, const struct onnx_node *node, int i)
{
    struct read_value *x = node_value(r, node, i);
    if (!x || !materialise(r, x))
        return NULL;
    if (layout_is_plain(&x->layout, &r->layer_sizes[x->layer].map))
        return x;
    fail_node(r, node, "a map whose layout is not [n][c][h][w]");
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
    fail_node(r, node, "a map whose channels are not one dimension");
    return NULL;
}

/* ---- nodes ---- */

static bool activation(struct onnx_reader *r, const struct onnx_node *node, enum act act, double slope)
{
    struct read_value *x = node_value(r, node, 0);
    if (!x || !materialise(r, x))
        return false;
    struct read_value y = *x;
    y.layer = add_layer(r, node, LAYER_ACTIVATION, &x->layer, 1, r->layer_sizes[x->layer].map,
                        r->layer_sizes[x->layer].stride);
    if (y.layer < 0)
        return false;
    r->net->layers[y.layer].act = act;
    r->net->layers[y.layer].slope = (float)slope;
    set_value(r, node, 0, &y);
    return true;
}

static bool node_is(const struct onnx_node *node, const char *op)
{
    return op && node->op.size == (int)strlen(op) && memcmp(node->op.p, op, strlen(op)) == 0;
}

bool read_activation(struct onnx_reader *r, const struct onnx_node *node, bool *known)
{
    int act = 0;
    while (act < ACT_KINDS && !node_is(node, act_spellings[act].onnx.op))
        act++;
    *known = act < ACT_KINDS;
    return *known && activation(r, node, (enum act)act, 0);
}

static bool read_gelu(struct onnx_reader *r, const struct onnx_node *node)
{
    return onnx_says(node, "approximate", "none", true) ? activation(r, node, ACT_GELU, 0)
                                                        : fail_node(r, node, "an approximate GELU");
}

static bool read_leaky_relu(struct onnx_reader *r, const struct onnx_node *node)
{
    const double slope = onnx_float(node, "alpha", 0.01);
    return slope >= 0 && slope <= 1 ? activation(r, node, ACT_LEAKY_RELU, slope)
                                    : fail_node(r, node, "a slope that is not from 0 to 1");
}

/* Sets output 0 to an expression of the materialised operand. */
static bool set_expression(struct onnx_reader *r, const struct onnx_node *node, struct expression pending)
{
    struct read_value *x = node_value(r, node, 0);
    if (!x || !materialise(r, x))
        return false;
    struct read_value y = *x;
    y.pending = pending;
    set_value(r, node, 0, &y);
    return true;
}

static bool read_sigmoid(struct onnx_reader *r, const struct onnx_node *node)
{
    return set_expression(r, node, (struct expression){ GATE_SIGMOID, false, 1, 0 });
}

static bool read_hard_sigmoid(struct onnx_reader *r, const struct onnx_node *node)
{
    if (!near(onnx_float(node, "alpha", 0.2), 1. / 6) || !near(onnx_float(node, "beta", 0.5), 0.5))
        return fail_node(r, node, "a hard sigmoid that is not min(max(x + 3, 0), 6) / 6");
    return set_expression(r, node, (struct expression){ GATE_RELU6, false, 1. / 6, 0 });
}

static bool read_erf(struct onnx_reader *r, const struct onnx_node *node)
{
    struct read_value *x = node_value(r, node, 0);
    struct read_value y = x ? *x : (struct read_value){0};
    if (!x || !expression_erf(&y.pending))
        return x && fail_node(r, node, "an erf outside of a GELU");
    set_value(r, node, 0, &y);
    return true;
}

static bool read_softplus(struct onnx_reader *r, const struct onnx_node *node)
{
    return set_expression(r, node, (struct expression){ GATE_SOFTPLUS, false, 1, 0 });
}

static bool read_tanh(struct onnx_reader *r, const struct onnx_node *node)
{
    const struct read_value *x = node_value(r, node, 0);
    if (!x)
        return false;
    if (x->pending.gate != GATE_SOFTPLUS || x->pending.scale != 1 || x->pending.shift != 0)
        return fail_node(r, node, "a tanh outside of a Mish");
    struct read_value y = *x;
    y.pending.gate = GATE_TANH_SOFTPLUS;
    set_value(r, node, 0, &y);
    return true;
}

static bool read_clip(struct onnx_reader *r, const struct onnx_node *node)
{
    struct read_value *x = node_value(r, node, 0);
    const struct tensor *low = node_constant(r, node, 1), *high = node_constant(r, node, 2);
    const double from = low ? tensor_single(low) : onnx_float(node, "min", -INFINITY);
    const double to = high ? tensor_single(high) : onnx_float(node, "max", INFINITY);
    if (!x)
        return false;
    struct read_value y = *x;
    if (expression_clip(&y.pending, from, to)) {
        set_value(r, node, 0, &y);
        return true;
    }
    if (from == 0 && (to == 6 || to == INFINITY))
        return activation(r, node, to == 6 ? ACT_RELU6 : ACT_RELU, 0);
    return fail_node(r, node, "a clip that is not a supported activation");
}

bool expression_affine(struct onnx_reader *r, const struct onnx_node *node, const struct read_value *x, double factor,
                       double term)
{
    struct read_value y = *x;
    if (!expression_scale(&y.pending, factor) || !isfinite(term))
        return fail_node(r, node, "a number that is 0 or not finite");
    expression_shift(&y.pending, term);
    set_value(r, node, 0, &y);
    return true;
}

bool expression_product(struct onnx_reader *r, const struct onnx_node *node, const struct read_value *a,
                        const struct read_value *b)
{
    struct read_value y = *a;
    if (a->layer != b->layer || !layout_same(&a->layout, &b->layout) || !expression_times(&y.pending, &b->pending))
        return false;
    set_value(r, node, 0, &y);
    return true;
}

const struct handler activation_handlers[] = {
    { "LeakyRelu", read_leaky_relu }, { "Gelu", read_gelu }, { "Sigmoid", read_sigmoid },
    { "HardSigmoid", read_hard_sigmoid }, { "Erf", read_erf }, { "Clip", read_clip },
    { "Softplus", read_softplus }, { "Tanh", read_tanh },
    {0} };
