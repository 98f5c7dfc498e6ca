/* interop/ncnn/write.c -- writes ncnn files; parameter ids are those of ncnn's operators.md.  A blob may be read only
 * once; a Split copies a blob with several readers.  The blob of a value is named v and its layer's index, a temporary
 * blob t and a count. */
#include "base/file.h"
#include "base/path.h"
#include "base/strbuf.h"
#include "interop/ncnn/activations.h"
#include "interop/ncnn/ncnn.h"

#include "base/memory.h"
#include "interop/predictions.h"
#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES = 200 };

struct blob_name { char s[48]; };

struct ncnn_writer {
    const struct network *net;
    const struct ncnn_options *options;
    struct strbuf lines, weights;
    int layers, blobs, splits, temporaries;             /* number written so far */
    int *readers, *taken;                               /* [net->count] readers of a value; copies of it already read */
    int *result;                                        /* [net->count] the value that a layer's line computes: its own,
                                                           or its fused activation's; -1: the layer has no line */
    int *strides;
    const char *path;
    struct error *err;
};

/* ---- lines ---- */

/* Names end at the next blank. */
static void add_name(struct strbuf *lines, const char *name)
{
    char word[NAME_BYTES];
    size_t n = 0;
    for (; name[n] && n + 1 < sizeof word; n++)
        word[n] = isgraph((unsigned char)name[n]) ? name[n] : '_';
    word[n] = 0;
    strbuf_addf(lines, " %-24s", n ? word : "_");
}

/* Writes a layer with any number of blobs; the format gives its parameters, ` id=value` each.  ncnn recognises a float
 * by its point and reads at most 15 bytes of a number, hence %.8e. */
static void add_line(struct ncnn_writer *w, const char *type, const char *name, const struct blob_name *in, int ins,
                     const struct blob_name *out, int outs, const char *params, va_list list)
{
    char text[200];
    vsnprintf(text, sizeof text, params, list);
    strbuf_addf(&w->lines, "%-24s", type);
    add_name(&w->lines, name);
    strbuf_addf(&w->lines, " %d %d", ins, outs);
    for (int i = 0; i < ins; i++)
        strbuf_addf(&w->lines, " %s", in[i].s);
    for (int i = 0; i < outs; i++)
        strbuf_addf(&w->lines, " %s", out[i].s);
    strbuf_addf(&w->lines, "%s\n", text);
    w->layers++;
    w->blobs += outs;
}

static PRINTF_LIKE(8, 9) void line(struct ncnn_writer *w, const char *type, const char *name,
                                   const struct blob_name *in, int ins,
                                   const struct blob_name *out, int outs, const char *params, ...)
{
    va_list list;
    va_start(list, params);
    add_line(w, type, name, in, ins, out, outs, params, list);
    va_end(list);
}

static struct blob_name new_blob(struct ncnn_writer *w)
{
    struct blob_name blob;
    snprintf(blob.s, sizeof blob.s, "t%d", w->temporaries++);
    return blob;
}

/* Writes a layer from one blob to a new temporary blob. */
static PRINTF_LIKE(5, 6) struct blob_name chain(struct ncnn_writer *w, const char *type, const char *name,
                                                struct blob_name in, const char *params, ...)
{
    const struct blob_name out = new_blob(w);
    va_list list;
    va_start(list, params);
    add_line(w, type, name, &in, 1, &out, 1, params, list);
    va_end(list);
    return out;
}

static struct blob_name value_blob(const struct ncnn_writer *w, int value)
{
    struct blob_name blob;
    if (value == 0)
        snprintf(blob.s, sizeof blob.s, "%s", w->options->separate ? "input.1" : "data");
    else
        snprintf(blob.s, sizeof blob.s, "v%d", value);
    return blob;
}

static struct blob_name copy_blob(const struct ncnn_writer *w, int value, int copy)
{
    struct blob_name blob = value_blob(w, value);
    const size_t n = strlen(blob.s);
    if (w->readers[value] > 1)
        snprintf(blob.s + n, sizeof blob.s - n, "_%d", copy);
    return blob;
}

/* The blob that the next reader of a value reads. */
static struct blob_name read_value(struct ncnn_writer *w, int value) { return copy_blob(w, value, w->taken[value]++); }

static struct blob_name read_operand(struct ncnn_writer *w, const struct layer *layer, int i)
{
    return read_value(w, layer->operand[i]);
}

/* Writes a Split with one copy per reader. */
static bool split(struct ncnn_writer *w, int value)
{
    const struct blob_name in = value_blob(w, value);
    const int count = w->readers[value];
    struct blob_name *out = count > 1 ? new_array((size_t)count, sizeof *out, w->err) : NULL;
    char name[32];
    for (int i = 0; out && i < count; i++)
        out[i] = copy_blob(w, value, i);
    snprintf(name, sizeof name, "splitncnn_%d", w->splits);
    if (out)
        line(w, "Split", name, &in, 1, out, count, "%s", "");
    w->splits += out != NULL;
    free(out);
    return out || count < 2;
}

/* ---- weights ---- */

/* Writes float32 weights; with `flagged`, a flag for their type and, if options.half, float16. */
static bool add_weights(struct ncnn_writer *w, const struct layer *layer, int index, bool flagged)
{
    static const uint32_t flags[2] = { 0, 0x01306B47 };
    const struct tensor *t = &w->net->weights.list[index];
    const bool half = flagged && w->options->half;
    const size_t count = tensor_count(t);
    float *elements = new_array(count, sizeof *elements, w->err);
    if (!elements)
        return false;
    tensor_floats(t, elements);
    if (flagged)
        strbuf_add(&w->weights, &flags[half], sizeof *flags);
    if (!half)
        strbuf_add(&w->weights, elements, count * sizeof *elements);
    bool ok = true;
    for (size_t i = 0; ok && half && i < count + count % 2; i++) {      /* padded to 4 bytes */
        const uint16_t number = i < count ? half_of(elements[i]) : 0;
        ok = (number & 0x7c00) != 0x7c00
          || fail(w->err, "%s: layer %s: %g is too large for 16 bits", w->path, layer->name, (double)elements[i]);
        strbuf_add(&w->weights, &number, sizeof number);
    }
    free(elements);
    return ok;
}

static bool add_bias(struct ncnn_writer *w, const struct layer *layer)
{
    return layer->bias == NO_TENSOR || add_weights(w, layer, layer->bias, false);
}

/* ---- activations ---- */

/* Fuses activations that are the only reader of a convolution into its line. */
static void fuse_activations(struct ncnn_writer *w)
{
    for (int i = 1; i < w->net->count; i++) {
        const struct layer *layer = &w->net->layers[i];
        const int x = layer->operands ? layer->operand[0] : 0;
        w->result[i] = w->readers[i] ? i : -1;
        if (w->readers[i] && layer->kind == LAYER_ACTIVATION && act_spellings[layer->act].ncnn[0].fused
            && w->net->layers[x].kind == LAYER_CONV && w->readers[x] == 1) {
            w->result[x] = i;
            w->result[i] = -1;
        }
    }
}

/* ---- layers; out: the blob of the layer's value ---- */

static bool write_input(struct ncnn_writer *w, const struct layer *layer, struct blob_name out)
{
    const struct network *net = w->net;
    if (net->input_h > 0 && net->input_w > 0)
        line(w, "Input", layer->name, NULL, 0, &out, 1, " 0=%d 1=%d 2=3", net->input_w, net->input_h);
    else
        line(w, "Input", layer->name, NULL, 0, &out, 1, "%s", "");
    return true;
}

static bool write_constant(struct ncnn_writer *w, const struct layer *layer, struct blob_name out)
{
    const size_t *dims = w->net->weights.list[layer->weight].dims;
    line(w, "MemoryData", layer->name, NULL, 0, &out, 1, " 0=%zu 1=%zu 2=%zu", dims[3], dims[2], dims[1]);
    return add_weights(w, layer, layer->weight, false);
}

/* The parameters of the activation that is fused into the layer's line, if any. */
static struct ncnn_params fused_params(const struct ncnn_writer *w, const struct layer *layer)
{
    const struct layer *last = &w->net->layers[w->result[layer - w->net->layers]];
    return last == layer ? (struct ncnn_params){ "" } : ncnn_activation_params(last, true);
}

/* ncnn requires an InnerProduct for a single pixel, which is a vector. */
static bool write_conv(struct ncnn_writer *w, const struct layer *layer, struct blob_name out)
{
    const struct blob_name in = read_operand(w, layer, 0);
    const struct ncnn_params fused = fused_params(w, layer);
    const size_t weights = tensor_count(&w->net->weights.list[layer->weight]);
    const bool bias = layer->bias != NO_TENSOR;
    char groups[32] = "";
    if (layer->groups > 1)
        snprintf(groups, sizeof groups, " 7=%d", layer->groups);
    if (w->strides[layer->operand[0]] == 0 && layer->kernel == 1 && layer->groups == 1)
        line(w, "InnerProduct", layer->name, &in, 1, &out, 1, " 0=%d 1=%d 2=%zu%s", layer->out_channels, bias, weights,
             fused.s);
    else
        line(w, layer->groups > 1 ? "ConvolutionDepthWise" : "Convolution", layer->name, &in, 1, &out, 1,
             " 0=%d 1=%d 3=%d 4=%d 5=%d 6=%zu%s%s", layer->out_channels, layer->kernel, layer->stride, layer->pad, bias,
             weights, groups, fused.s);
    return add_weights(w, layer, layer->weight, true) && add_bias(w, layer);
}

static bool write_affine(struct ncnn_writer *w, const struct layer *layer, struct blob_name out)
{
    const struct blob_name in = read_operand(w, layer, 0);
    line(w, "Scale", layer->name, &in, 1, &out, 1, " 0=%d 1=%d", layer->out_channels, layer->bias != NO_TENSOR);
    return add_weights(w, layer, layer->weight, false) && add_bias(w, layer);
}

static bool write_activation(struct ncnn_writer *w, const struct layer *layer, struct blob_name out)
{
    const struct blob_name in = read_operand(w, layer, 0);
    line(w, act_spellings[layer->act].ncnn[0].type, layer->name, &in, 1, &out, 1, "%s",
         ncnn_activation_params(layer, false).s);
    return true;
}

static bool write_pair(struct ncnn_writer *w, const struct layer *layer, struct blob_name out)
{
    const struct blob_name in[2] = { read_operand(w, layer, 0), read_operand(w, layer, 1) };
    line(w, "BinaryOp", layer->name, in, 2, &out, 1, " 0=%d", layer->kind == LAYER_MUL ? 2 : 0);
    return true;
}

static bool write_concat(struct ncnn_writer *w, const struct layer *layer, struct blob_name out)
{
    struct blob_name in[LAYER_OPERANDS];
    for (int i = 0; i < layer->operands; i++)
        in[i] = read_operand(w, layer, i);
    line(w, "Concat", layer->name, in, layer->operands, &out, 1, " 0=0");
    return true;
}

static bool write_channels(struct ncnn_writer *w, const struct layer *layer, struct blob_name out)
{
    const struct blob_name in = read_operand(w, layer, 0);
    line(w, "Crop", layer->name, &in, 1, &out, 1, " -23309=1,%d -23310=1,%d -23311=1,0", layer->from, layer->to);
    return true;
}

static bool write_shuffle(struct ncnn_writer *w, const struct layer *layer, struct blob_name out)
{
    const struct blob_name in = read_operand(w, layer, 0);
    line(w, "ShuffleChannel", layer->name, &in, 1, &out, 1, " 0=%d", layer->groups);
    return true;
}

static bool write_pool(struct ncnn_writer *w, const struct layer *layer, struct blob_name out)
{
    const struct blob_name in = read_operand(w, layer, 0);
    if (layer->kind == LAYER_GLOBAL_POOL)
        line(w, "Pooling", layer->name, &in, 1, &out, 1, " 0=1 4=1");
    else
        line(w, "Pooling", layer->name, &in, 1, &out, 1, " 0=%d 1=%d 2=%d 3=%d 5=1 6=1", layer->kind == LAYER_AVG_POOL,
             layer->kernel, layer->stride, layer->pad);
    return true;
}

static bool write_interp(struct ncnn_writer *w, const struct layer *layer, struct blob_name out)
{
    const struct blob_name in = read_operand(w, layer, 0);
    line(w, "Interp", layer->name, &in, 1, &out, 1, " 0=%d 1=2.0 2=2.0", layer->kind == LAYER_NEAREST ? 1 : 2);
    return true;
}

/* LayerNorm normalises the innermost dimension: [y][x][c]. */
static bool write_norm(struct ncnn_writer *w, const struct layer *layer, struct blob_name out)
{
    struct blob_name x = chain(w, "Permute", layer->name, read_operand(w, layer, 0), " 0=3");
    x = chain(w, "LayerNorm", layer->name, x, " 0=%d 1=%.8e 2=1", layer->out_channels, layer->eps);
    line(w, "Permute", layer->name, &x, 1, &out, 1, " 0=4");
    return add_weights(w, layer, layer->weight, false) && add_bias(w, layer);
}

static bool write_group_norm(struct ncnn_writer *w, const struct layer *layer, struct blob_name out)
{
    const struct blob_name in = read_operand(w, layer, 0);
    line(w, "GroupNorm", layer->name, &in, 1, &out, 1, " 0=%d 1=%d 2=%.8e 3=1", layer->groups, layer->out_channels,
         layer->eps);
    return add_weights(w, layer, layer->weight, false) && add_bias(w, layer);
}

/* [heads][c / heads][pixels] of each operand; v (q^T k / sqrt(c / heads) after softmax)^T. */
static bool write_attention(struct ncnn_writer *w, const struct layer *layer, struct blob_name out)
{
    const int each = layer->out_channels / layer->groups, step = w->strides[layer - w->net->layers];
    const int width = w->net->input_w, height = w->net->input_h;
    struct blob_name x[3];
    if (step < 1 || width < 1 || height < 1)
        return fail(w->err, "%s: layer %s: an attention needs to know the size of the network's input", w->path,
                    layer->name);
    for (int i = 0; i < 3; i++)
        x[i] = chain(w, "Reshape", layer->name, read_operand(w, layer, i), " 0=-1 1=%d 2=%d", each, layer->groups);
    x[0] = chain(w, "Permute", layer->name, x[0], " 0=1");
    const struct blob_name product = new_blob(w);
    line(w, "MatMul", layer->name, (struct blob_name[]){ x[0], x[1] }, 2, &product, 1, " 0=0");
    x[1] = chain(w, "BinaryOp", layer->name, product, " 0=2 1=1 2=%.8e", 1 / sqrt(each));
    x[1] = chain(w, "Softmax", layer->name, x[1], " 0=2 1=1");
    const struct blob_name sum = new_blob(w);
    line(w, "MatMul", layer->name, (struct blob_name[]){ x[2], x[1] }, 2, &sum, 1, " 0=1");
    line(w, "Reshape", layer->name, &sum, 1, &out, 1, " 0=%d 1=%d 2=%d", (width + step - 1) / step,
         (height + step - 1) / step, layer->out_channels);
    return true;
}

/* Channels before, within and after the sigmoid's range. */
static bool write_sigmoid_of(struct ncnn_writer *w, const struct layer *layer, struct blob_name out)
{
    const int cuts[4] = { 0, layer->from, layer->to, layer->out_channels };
    const struct blob_name in = read_operand(w, layer, 0);
    struct blob_name parts[3];
    char sizes[64] = "";
    int count = 0, sigmoid = 0;
    for (int i = 0; i < 3; i++)
        if (cuts[i] < cuts[i + 1]) {
            const size_t n = strlen(sizes);
            snprintf(sizes + n, sizeof sizes - n, ",%d", cuts[i + 1] - cuts[i]);
            sigmoid = i == 1 ? count : sigmoid;
            parts[count++] = new_blob(w);
        }
    line(w, "Slice", layer->name, &in, 1, parts, count, " -23300=%d%s 1=0", count, sizes);
    parts[sigmoid] = chain(w, "Sigmoid", layer->name, parts[sigmoid], "%s", "");
    line(w, "Concat", layer->name, parts, count, &out, 1, " 0=0");
    return true;
}

static bool (*const writers[LAYER_KINDS])(struct ncnn_writer *, const struct layer *, struct blob_name out) = {
    [LAYER_INPUT] = write_input,            [LAYER_CONSTANT] = write_constant, [LAYER_CONV] = write_conv,
    [LAYER_AFFINE] = write_affine,          [LAYER_ACTIVATION] = write_activation, [LAYER_ADD] = write_pair,
    [LAYER_MUL] = write_pair,               [LAYER_CONCAT] = write_concat, [LAYER_CHANNELS] = write_channels,
    [LAYER_SHUFFLE] = write_shuffle,        [LAYER_MAX_POOL] = write_pool, [LAYER_AVG_POOL] = write_pool,
    [LAYER_GLOBAL_POOL] = write_pool,       [LAYER_BILINEAR] = write_interp, [LAYER_NEAREST] = write_interp,
    [LAYER_NORM] = write_norm,              [LAYER_ATTENTION] = write_attention,
    [LAYER_GROUP_NORM] = write_group_norm,  [LAYER_SIGMOID_OF] = write_sigmoid_of };

/* ---- outputs ---- */

/* A map as [channels][pixels]. */
static struct blob_name flat(struct ncnn_writer *w, const char *name, struct blob_name in, int channels)
{
    return chain(w, "Reshape", name, in, " 0=-1 1=%d", channels);
}

static void write_output(struct ncnn_writer *w, const char *kind, int level, struct blob_name in, int channels)
{
    struct blob_name out;
    snprintf(out.s, sizeof out.s, "%s_pred_stride_%d", kind, w->net->strides[level]);
    in = flat(w, out.s, in, channels);
    line(w, "Permute", out.s, &in, 1, &out, 1, " 0=1");
}

static bool write_outputs(struct ncnn_writer *w)
{
    const struct network *net = w->net;
    struct blob_name levels[LAYER_OPERANDS], parts[2], all = { "output" };
    char name[32];
    for (int i = 0; i < net->output_count; i++) {
        const int channels = net->layers[net->outputs[i]].out_channels, bins = channels - net->classes;
        const struct blob_name in = read_value(w, net->outputs[i]);
        if (net->classes < 1 || bins < 1 || net->strides[i] < 1)
            return fail(w->err, "%s: %d channels are not predictions of %d classes at stride %d", w->path, channels,
                        net->classes, net->strides[i]);
        parts[0] = new_blob(w);
        parts[1] = new_blob(w);
        snprintf(name, sizeof name, "level_%d", i);
        line(w, "Slice", name, &in, 1, parts, 2, " -23300=2,%d,%d 1=0", net->classes, bins);
        parts[0] = chain(w, "Sigmoid", name, parts[0], "%s", "");
        if (w->options->separate) {
            write_output(w, "cls", i, parts[0], net->classes);
            write_output(w, "dis", i, parts[1], bins);
            continue;
        }
        levels[i] = new_blob(w);
        line(w, "Concat", name, parts, 2, &levels[i], 1, " 0=0");
        levels[i] = flat(w, name, levels[i], channels);
    }
    if (!w->options->separate) {
        struct blob_name joined = levels[0];
        if (net->output_count > 1) {
            joined = new_blob(w);
            line(w, "Concat", "levels", levels, net->output_count, &joined, 1, " 0=1");
        }
        line(w, "Permute", all.s, &joined, 1, &all, 1, " 0=1");
    }
    return true;
}

/* ---- files ---- */

static bool writer_init(struct ncnn_writer *w)
{
    const struct network *net = w->net;
    const size_t count = (size_t)net->count;
    w->readers = new_array(count, sizeof *w->readers, w->err);
    w->taken = new_array(count, sizeof *w->taken, w->err);
    w->result = new_array(count, sizeof *w->result, w->err);
    w->strides = new_array(count, sizeof *w->strides, w->err);
    if (!w->readers || !w->taken || !w->result || !w->strides)
        return false;
    for (int i = 0; i < net->output_count; i++)
        w->readers[net->outputs[i]]++;
    for (int i = net->count - 1; i >= 0; i--)
        for (int k = 0; w->readers[i] && k < net->layers[i].operands; k++)
            w->readers[net->layers[i].operand[k]]++;
    for (int i = 0; i < net->count; i++)
        w->strides[i] = network_stride(net, i, w->strides);
    fuse_activations(w);
    return true;
}

static bool write_layers(struct ncnn_writer *w)
{
    for (int i = 0; i < w->net->count; i++)
        if (w->result[i] >= 0 && (!writers[w->net->layers[i].kind](w, &w->net->layers[i], value_blob(w, w->result[i]))
                                  || !split(w, w->result[i])))
            return false;
    return true;
}

static bool write_files(struct ncnn_writer *w)
{
    struct strbuf file = {0};
    char *bin = path_with_suffix(w->path, ".bin", w->err);
    strbuf_addf(&file, "7767517\n%d %d\n", w->layers, w->blobs);
    strbuf_add(&file, w->lines.s, w->lines.size);
    const bool ok = bin && strbuf_check(&file, w->err) && strbuf_check(&w->weights, w->err)
                 && file_write(bin, w->weights.s, w->weights.size, w->err)
                 && file_write(w->path, file.s, file.size, w->err);
    strbuf_free(&file);
    free(bin);
    return ok;
}

bool ncnn_write(const char *path, const struct network *net, const struct ncnn_options *options, struct error *err)
{
    struct ncnn_writer w = { .net = net, .options = options, .path = path, .err = err };
    const bool ok = writer_init(&w) && write_layers(&w) && write_outputs(&w) && strbuf_check(&w.lines, err)
                 && write_files(&w);
    strbuf_free(&w.lines);
    strbuf_free(&w.weights);
    free(w.readers);
    free(w.taken);
    free(w.result);
    free(w.strides);
    return ok;
}
