#include "interop/onnx/write.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "base/wire.h"
#include "interop/activations.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct onnx_writer {
    const struct network *net;
    const struct onnx_options *options;
    struct emitter e;
    struct value_name *value;                                /* [net->count] the value of each layer */
    struct weight { char *name; struct value_name wide; bool kernel, written; } *weights;    /* [net->weights.count] */
    const char *path;
    struct error *err;
};

static const char *operand(const struct onnx_writer *w, const struct layer *layer, int i)
{
    return w->value[layer->operand[i]].s;
}

/* ---- weights ---- */

/* Names that begin with / are reserved for generated names. */
static bool prepare_weights(struct onnx_writer *w)
{
    for (int i = 0; i < w->net->weights.count; i++) {
        const char *name = w->net->weights.list[i].name;
        bool taken = name[0] == 0 || name[0] == '/';
        struct strbuf text = {0};
        for (int k = 0; k < i && !taken; k++)
            taken = strcmp(name, w->net->weights.list[k].name) == 0;
        strbuf_addf(&text, taken ? "%s/%d" : "%s", name[0] == '/' ? name + 1 : name, i);
        w->weights[i].name = text.s;
        if (!strbuf_check(&text, w->err))
            return false;
    }
    for (int i = 0; i < w->net->count; i++)
        if (w->net->layers[i].kind == LAYER_CONV)
            w->weights[w->net->layers[i].weight].kernel = true;
    return true;
}

/* Converts to float16; false, with an error, if an element is too large. */
static bool to_half(const struct onnx_writer *w, const char *name, const float *from, size_t count, uint16_t *to)
{
    for (size_t i = 0; i < count; i++) {
        to[i] = half_of(from[i]);
        if ((to[i] & 0x7c00) == 0x7c00)
            return fail(w->err, "%s: %s: %g is too large for 16 bits", w->path, name, (double)from[i]);
    }
    return true;
}

/* The name of the value that holds the weights as floats, with extents `dims` unless NULL.  Shared weights are written
 * once. */
static const char *weight_of(struct onnx_writer *w, int index, int rank, const size_t *dims)
{
    const struct tensor *t = &w->net->weights.list[index];
    struct weight *weight = &w->weights[index];
    const size_t count = tensor_count(t);
    const bool half = w->options->half && weight->kernel;
    if (weight->written)
        return half ? weight->wide.s : weight->name;
    float *floats = new_array(count, sizeof *floats, w->err);
    uint16_t *halves = half && floats ? new_array(count, sizeof *halves, w->err) : NULL;
    struct tensor out = { .dtype = half ? DTYPE_F16 : DTYPE_F32, .rank = t->rank,
                          .data = half ? (unsigned char *)halves : (unsigned char *)floats };
    memcpy(out.dims, t->dims, sizeof out.dims);
    if (floats)
        tensor_floats(t, floats);
    if (floats && (!half || (halves && to_half(w, t->name, floats, count, halves)))) {
        emit_tensor(&w->e, weight->name, &out, dims ? rank : t->rank, dims ? dims : t->dims);
        if (half)
            weight->wide = emit(&w->e, NULL, "Cast", (const char *const[]){ weight->name, NULL }, "to=1");
        weight->written = true;
    }
    free(floats);
    free(halves);
    return half ? weight->wide.s : weight->name;
}

/* A vector of equal elements. */
static struct value_name filled(struct onnx_writer *w, float number, int count)
{
    struct value_name label = {{0}};
    float *elements = new_array((size_t)count, sizeof *elements, w->err);
    for (int i = 0; elements && i < count; i++)
        elements[i] = number;
    if (elements)
        label = emit_floats(&w->e, elements, 1, &(size_t){ (size_t)count });
    free(elements);
    return label;
}

/* ---- layers ---- */

static struct value_name put_constant(struct onnx_writer *w, const struct layer *layer)
{
    return emit_one(&w->e, "Identity", weight_of(w, layer->weight, 0, NULL));
}

static struct value_name put_conv(struct onnx_writer *w, const struct layer *layer)
{
    const int k = layer->kernel, s = layer->stride, p = layer->pad;
    const char *weight = weight_of(w, layer->weight, 0, NULL);
    const char *bias = layer->bias == NO_TENSOR ? NULL : weight_of(w, layer->bias, 0, NULL);
    return emit(&w->e, NULL, "Conv", (const char *const[]){ operand(w, layer, 0), weight, bias, NULL },
                "kernel_shape=[%d,%d] strides=[%d,%d] pads=[%d,%d,%d,%d] group=%d", k, k, s, s, p, p, p, p,
                layer->groups);
}

/* A batch norm with mean 0 and variance 1 keeps the names and shapes of scale and shift; without shift, a product. */
static struct value_name put_affine(struct onnx_writer *w, const struct layer *layer)
{
    const int channels = layer->out_channels;
    const size_t column[] = { (size_t)channels, 1, 1 };
    if (layer->bias == NO_TENSOR)
        return emit_two(&w->e, "Mul", operand(w, layer, 0), weight_of(w, layer->weight, 3, column));
    const char *weight = weight_of(w, layer->weight, 0, NULL), *bias = weight_of(w, layer->bias, 0, NULL);
    const struct value_name zeros = filled(w, 0, channels), ones = filled(w, 1, channels);
    return emit(&w->e, NULL, "BatchNormalization",
                (const char *const[]){ operand(w, layer, 0), weight, bias, zeros.s, ones.s, NULL }, "epsilon~0");
}

/* The constants of all steps stand before the first step. */
static struct value_name put_activation(struct onnx_writer *w, const struct layer *layer)
{
    const struct onnx_step *steps = act_spellings[layer->act].onnx.steps;
    struct value_name number[ONNX_STEPS][2], y = w->value[layer->operand[0]];
    const char *x = operand(w, layer, 0);
    if (!steps[0].op)
        return emit_one(&w->e, "Identity", x);
    for (int i = 0; i < ONNX_STEPS; i++)
        for (int k = 0; k < steps[i].numbers; k++)
            number[i][k] = emit_float(&w->e, steps[i].number[k]);
    for (int i = 0; i < ONNX_STEPS && steps[i].op; i++) {
        const char *operands[4] = { y.s };
        if (steps[i].with_x) {
            operands[0] = x;
            operands[1] = y.s;
        }
        for (int k = 0; k < steps[i].numbers; k++)
            operands[1 + k] = number[i][k].s;
        y = emit(&w->e, NULL, steps[i].op, operands, steps[i].attributes, (double)layer->slope);
    }
    return y;
}

static struct value_name put_add(struct onnx_writer *w, const struct layer *layer)
{
    return emit_two(&w->e, "Add", operand(w, layer, 0), operand(w, layer, 1));
}

static struct value_name put_mul(struct onnx_writer *w, const struct layer *layer)
{
    return emit_two(&w->e, "Mul", operand(w, layer, 0), operand(w, layer, 1));
}

static struct value_name put_concat(struct onnx_writer *w, const struct layer *layer)
{
    const char *list[LAYER_OPERANDS + 1] = {0};
    for (int i = 0; i < layer->operands; i++)
        list[i] = operand(w, layer, i);
    return emit(&w->e, NULL, "Concat", list, "axis=1");
}

static struct value_name put_channels(struct onnx_writer *w, const struct layer *layer)
{
    return emit_channels(&w->e, operand(w, layer, 0), layer->from, layer->to);
}

/* The reshape joins the pixels; the last reshape restores the map's extents, which may be dynamic. */
static struct value_name put_shuffle(struct onnx_writer *w, const struct layer *layer)
{
    const char *x = operand(w, layer, 0);
    const int64_t cut[] = { 0, layer->groups, layer->out_channels / layer->groups, -1 };
    const struct value_name groups = emit_two(&w->e, "Reshape", x, emit_ints(&w->e, cut, 4).s);
    const struct value_name transposed = emit(&w->e, NULL, "Transpose", (const char *const[]){ groups.s, NULL },
                                              "perm=[0,2,1,3]");
    return emit_two(&w->e, "Reshape", transposed.s, emit_one(&w->e, "Shape", x).s);
}

static struct value_name put_pool(struct onnx_writer *w, const struct layer *layer)
{
    const int k = layer->kernel, s = layer->stride, p = layer->pad;
    const bool mean = layer->kind == LAYER_AVG_POOL;
    return emit(&w->e, NULL, mean ? "AveragePool" : "MaxPool", (const char *const[]){ operand(w, layer, 0), NULL },
                "kernel_shape=[%d,%d] strides=[%d,%d] pads=[%d,%d,%d,%d]%s", k, k, s, s, p, p, p, p,
                mean ? " count_include_pad=1" : "");
}

static struct value_name put_global_pool(struct onnx_writer *w, const struct layer *layer)
{
    return emit_one(&w->e, "GlobalAveragePool", operand(w, layer, 0));
}

static struct value_name put_resize(struct onnx_writer *w, const struct layer *layer)
{
    const struct value_name scales = emit_floats(&w->e, (const float[]){ 1, 1, 2, 2 }, 1, (const size_t[]){ 4 });
    return emit(&w->e, NULL, "Resize", (const char *const[]){ operand(w, layer, 0), "", scales.s, NULL }, "%s",
                layer->kind == LAYER_BILINEAR
                ? "mode='linear' coordinate_transformation_mode='half_pixel'"
                : "mode='nearest' coordinate_transformation_mode='asymmetric' nearest_mode='floor'");
}

static struct value_name put_norm(struct onnx_writer *w, const struct layer *layer)
{
    const struct value_name last = emit(&w->e, NULL, "Transpose", (const char *const[]){ operand(w, layer, 0), NULL },
                                        "perm=[0,2,3,1]");
    const char *weight = weight_of(w, layer->weight, 0, NULL);
    const char *bias = layer->bias == NO_TENSOR ? NULL : weight_of(w, layer->bias, 0, NULL);
    const struct value_name y = emit(&w->e, NULL, "LayerNormalization",
                                     (const char *const[]){ last.s, weight, bias, NULL },
                                     "axis=-1 epsilon~%.9g", layer->eps);
    return emit(&w->e, NULL, "Transpose", (const char *const[]){ y.s, NULL }, "perm=[0,3,1,2]");
}

/* Normalises each group as one dimension, then applies the channels' factors. */
static struct value_name put_group_norm(struct onnx_writer *w, const struct layer *layer)
{
    const char *x = operand(w, layer, 0);
    const size_t column[] = { (size_t)layer->out_channels, 1, 1 };
    const struct value_name cut = emit_two(&w->e, "Reshape", x,
                                           emit_ints(&w->e, (int64_t[]){ 0, layer->groups, -1 }, 3).s);
    const struct value_name ones = filled(w, 1, layer->groups), zeros = filled(w, 0, layer->groups);
    const struct value_name norm = emit(&w->e, NULL, "InstanceNormalization",
                                        (const char *const[]){ cut.s, ones.s, zeros.s, NULL }, "epsilon~%.9g",
                                        layer->eps);
    const struct value_name whole = emit_two(&w->e, "Reshape", norm.s, emit_one(&w->e, "Shape", x).s);
    const struct value_name y = emit_two(&w->e, "Mul", whole.s, weight_of(w, layer->weight, 3, column));
    return layer->bias == NO_TENSOR ? y : emit_two(&w->e, "Add", y.s, weight_of(w, layer->bias, 3, column));
}

/* With maps as [n][head][d][pixel], y = v softmax(q^T k / sqrt(d))^T. */
static struct value_name put_attention(struct onnx_writer *w, const struct layer *layer)
{
    const int d = layer->out_channels / layer->groups;
    const struct value_name heads = emit_ints(&w->e, (const int64_t[]){ 0, layer->groups, d, -1 }, 4);
    struct value_name x[3];
    for (int i = 0; i < 3; i++)
        x[i] = emit_two(&w->e, "Reshape", operand(w, layer, i), heads.s);
    const struct value_name transposed = emit(&w->e, NULL, "Transpose", (const char *const[]){ x[0].s, NULL },
                                              "perm=[0,1,3,2]");
    const struct value_name products = emit_two(&w->e, "MatMul", transposed.s, x[1].s);
    const struct value_name scaled = emit_two(&w->e, "Mul", products.s, emit_float(&w->e, (float)(1 / sqrt(d))).s);
    const struct value_name attention = emit(&w->e, NULL, "Softmax", (const char *const[]){ scaled.s, NULL },
                                             "axis=-1");
    const struct value_name columns = emit(&w->e, NULL, "Transpose", (const char *const[]){ attention.s, NULL },
                                           "perm=[0,1,3,2]");
    const struct value_name y = emit_two(&w->e, "MatMul", x[2].s, columns.s);
    return emit_two(&w->e, "Reshape", y.s, emit_one(&w->e, "Shape", operand(w, layer, 0)).s);
}

static struct value_name put_sigmoid_of(struct onnx_writer *w, const struct layer *layer)
{
    const char *x = operand(w, layer, 0), *parts[4] = {0};
    const int cuts[] = { 0, layer->from, layer->to, layer->out_channels };
    struct value_name part[3];
    int count = 0;
    for (int i = 0; i < 3; i++) {
        if (cuts[i] == cuts[i + 1])
            continue;
        part[count] = emit_channels(&w->e, x, cuts[i], cuts[i + 1]);
        if (i == 1)
            part[count] = emit_one(&w->e, "Sigmoid", part[count].s);
        parts[count] = part[count].s;
        count++;
    }
    return emit(&w->e, NULL, "Concat", parts, "axis=1");
}

static struct value_name (*const layers[LAYER_KINDS])(struct onnx_writer *, const struct layer *) = {
    [LAYER_CONSTANT] = put_constant,     [LAYER_CONV] = put_conv,           [LAYER_AFFINE] = put_affine,
    [LAYER_ACTIVATION] = put_activation, [LAYER_ADD] = put_add,             [LAYER_MUL] = put_mul,
    [LAYER_CONCAT] = put_concat,         [LAYER_CHANNELS] = put_channels,   [LAYER_SHUFFLE] = put_shuffle,
    [LAYER_MAX_POOL] = put_pool,         [LAYER_AVG_POOL] = put_pool,       [LAYER_GLOBAL_POOL] = put_global_pool,
    [LAYER_BILINEAR] = put_resize,       [LAYER_NEAREST] = put_resize,      [LAYER_NORM] = put_norm,
    [LAYER_GROUP_NORM] = put_group_norm, [LAYER_ATTENTION] = put_attention, [LAYER_SIGMOID_OF] = put_sigmoid_of };

/* ---- the file ---- */

static bool has(const struct network *net, enum layer_kind kind)
{
    bool found = false;
    for (int i = 0; i < net->count; i++)
        found = found || net->layers[i].kind == kind;
    return found;
}

static bool can_write(const struct onnx_writer *w)
{
    const struct network *net = w->net;
    const struct onnx_options *o = w->options;
    if (net->classes < 1 || net->reg_max < 1 || net->reg_max > ONNX_REG_MAX)
        return fail(w->err, "%s: the numbers of classes and bins are unknown", w->path);
    for (int i = 0; i < net->output_count; i++)
        if (net->layers[net->outputs[i]].out_channels != net->classes + 4 * (net->reg_max + 1))
            return fail(w->err, "%s: level %d has %d channels, not %d classes and 4 x %d bins", w->path, i,
                        net->layers[net->outputs[i]].out_channels, net->classes, net->reg_max + 1);
    if (!o->any_size && (net->input_h < 1 || net->input_w < 1))
        return fail(w->err, "%s: the input size is unknown", w->path);
    if (o->any_size && has(net, LAYER_CONSTANT))
        return fail(w->err, "%s: a network with a position embedding has one size of images", w->path);
    if (o->output == ONNX_SUPPRESSED && o->images != 1)
        return fail(w->err, "%s: boxes are suppressed for one image at a time", w->path);
    return true;
}

static void put_layers(struct onnx_writer *w)
{
    const struct network *net = w->net;
    const char *level[LAYER_OPERANDS];
    for (int i = 0; i < net->count; i++) {
        const struct layer *layer = &net->layers[i];
        w->e.name = layer->name;
        if (layer->kind == LAYER_INPUT)
            snprintf(w->value[i].s, sizeof w->value[i].s, "data");
        else
            w->value[i] = layers[layer->kind](w, layer);
    }
    for (int i = 0; i < net->output_count; i++)
        level[i] = w->value[net->outputs[i]].s;
    emit_outputs(&w->e, net, w->options, level);
}

/* ModelProto. */
static bool put_model(struct onnx_writer *w, struct strbuf *model)
{
    const struct onnx_options *o = w->options;
    const struct extent data[] = { { o->images, o->images ? NULL : "batch" }, { 3, NULL },
                                   { w->net->input_h, o->any_size ? "height" : NULL },
                                   { w->net->input_w, o->any_size ? "width" : NULL } };
    const bool norm = has(w->net, LAYER_NORM);
    struct strbuf graph = {0}, opset = {0};
    emit_declare(&w->e, EMIT_INPUT, "data", false, data, 4);
    put_layers(w);
    strbuf_add(&graph, w->e.nodes.s, w->e.nodes.size);
    wire_put_text(&graph, 2, "nanodet");
    strbuf_add(&graph, w->e.tensors.s, w->e.tensors.size);
    strbuf_add(&graph, w->e.declared.s, w->e.declared.size);
    graph.failed = graph.failed || w->e.nodes.failed || w->e.tensors.failed || w->e.declared.failed;
    wire_put_int(model, 1, norm ? 8 : 7);
    wire_put_text(model, 2, "nanodet");
    wire_put_message(model, 7, &graph);
    wire_put_text(&opset, 1, "");
    wire_put_int(&opset, 2, norm ? 17 : 13);
    wire_put_message(model, 8, &opset);
    for (int i = 0; i < w->net->weights.metadata_count; i++) {
        const struct metadata *m = &w->net->weights.metadata[i];
        struct strbuf pair = {0};
        wire_put_text(&pair, 1, m->key);
        wire_put_text(&pair, 2, m->value);
        wire_put_message(model, 14, &pair);
    }
    return strbuf_check(model, w->err);
}

bool onnx_write(const char *path, const struct network *net, const struct onnx_options *options, struct error *err)
{
    struct error first = {0};
    struct onnx_writer w = { .net = net, .options = options, .path = path, .err = &first };
    struct strbuf model = {0};
    bool ok = can_write(&w);
    w.value = ok ? new_array((size_t)net->count, sizeof *w.value, &first) : NULL;
    w.weights = w.value ? new_array((size_t)net->weights.count, sizeof *w.weights, &first) : NULL;
    ok = w.weights && prepare_weights(&w) && put_model(&w, &model) && first.exit == 0
      && file_write(path, model.s, model.size, &first);
    for (int i = 0; w.weights && i < net->weights.count; i++)
        free(w.weights[i].name);
    free(w.weights);
    free(w.value);
    emitter_free(&w.e);
    strbuf_free(&model);
    return ok || fail(err, "%s", first.text);
}
