/* interop/ncnn/layouts.c -- reads the layers of ncnn that change a layout or depend on one.  A network has only maps,
 * so a reshape or transpose changes only the layout of the blob. */
#include "interop/ncnn/read.h"

#include <math.h>

/* Sets output blob 0 to input blob 0 in another layout. */
static bool put_layout(struct ncnn_reader *r, enum ncnn_layout layout)
{
    r->out[0] = *r->in[0];
    r->out[0].layout = layout;
    r->out[0].read = false;
    return true;
}

static const struct { int dims, order; enum ncnn_layout from, to; } transposes[] = {
    { 2, 1, FLAT,        PIXELS },
    { 2, 1, PIXELS,      FLAT },
    { 3, 3, MAP,         MAP_PIXELS },
    { 3, 4, MAP_PIXELS,  MAP },
    { 3, 1, HEADS,       HEAD_PIXELS },
    { 3, 1, HEAD_PIXELS, HEADS },
    {0} };

static bool permute(struct ncnn_reader *r)
{
    const int order = ncnn_integer(r->line, 0, 0);
    if (order == 0)
        return put_layout(r, r->in[0]->layout);
    for (int i = 0; transposes[i].dims; i++)
        if (transposes[i].from == r->in[0]->layout && transposes[i].order == order)
            return put_layout(r, transposes[i].to);
    return ncnn_refuse(r, "order %d is not supported for this layout", order);
}

/* ids 0, 1, 2: width, height, channels; -1: the rest, 0: unchanged, -233: no such dimension. */
static bool reshape(struct ncnn_reader *r)
{
    const struct ncnn_line *l = r->line;
    const int w = ncnn_integer(l, 0, -233), h = ncnn_integer(l, 1, -233), c = ncnn_integer(l, 2, -233);
    const struct ncnn_blob *in = r->in[0];
    const int channels = ncnn_channels(r, in->value[0]);
    const bool by_channel = in->layout & (MAP | FLAT | HEADS), by_pixel = in->layout & (PIXELS | MAP_PIXELS);
    if (in->layout == DISTANCES)
        return put_layout(r, DISTANCES);
    if (ncnn_integer(l, 3, 0) || ncnn_integer(l, 11, -233) != -233)
        return ncnn_refuse(r, "only reshapes to three dimensions are supported");
    if (h == -233 && c == -233)
        return ncnn_is_pixel(r, in->value[0]) ? put_layout(r, MAP) : ncnn_refuse(r, "makes a vector of a whole map");
    if (by_channel && c == -233 && h == channels)
        return put_layout(r, FLAT);
    if (by_pixel && c == -233 && w == channels)
        return put_layout(r, PIXELS);
    if (by_channel && c == channels)
        return put_layout(r, MAP);
    if (by_pixel && c != -233 && w == channels)
        return put_layout(r, MAP_PIXELS);
    if (in->layout == PIXELS && c == -233 && w > 1 && w == channels / 4 && channels % 4 == 0)
        return put_layout(r, BINS);
    if (by_channel && c > 0 && h > 0 && h <= channels / c && h * c == channels) {
        put_layout(r, HEADS);
        r->out[0].heads = c;
        return true;
    }
    return ncnn_refuse(r, "%d x %d x %d is not a supported layout of %d channels", w, h, c, channels);
}

static bool flatten(struct ncnn_reader *r)
{
    return ncnn_is_pixel(r, r->in[0]->value[0]) ? put_layout(r, MAP) : ncnn_refuse(r, "makes a vector of a whole map");
}

/* Concatenates channels, level by level. */
static bool concat_channels(struct ncnn_reader *r)
{
    ncnn_put(r, 0, 0);
    r->out[0].values = r->in[0]->values;
    for (int k = 0; k < r->in[0]->values; k++) {
        int values[LAYER_OPERANDS];
        for (int i = 0; i < r->line->bottoms; i++) {
            values[i] = r->in[i]->value[k];
            if (r->in[i]->values != r->in[0]->values)
                return ncnn_refuse(r, "its operands differ in the number of levels");
        }
        r->out[0].value[k] = ncnn_add(r, LAYER_CONCAT, values, r->line->bottoms);
        if (!ncnn_finish(r, r->out[0].value[k]))
            return false;
    }
    return true;
}

/* Concatenates pixels: one level after the other. */
static bool join_levels(struct ncnn_reader *r)
{
    r->out[0] = (struct ncnn_blob){ .layout = r->in[0]->layout };
    for (int i = 0; i < r->line->bottoms; i++)
        for (int k = 0; k < r->in[i]->values; k++) {
            if (r->out[0].values == LAYER_OPERANDS)
                return ncnn_refuse(r, "more than %d levels", LAYER_OPERANDS);
            r->out[0].value[r->out[0].values++] = r->in[i]->value[k];
        }
    return true;
}

static bool concat(struct ncnn_reader *r)
{
    const enum ncnn_layout layout = r->in[0]->layout;
    const int rank = layout & (FLAT | PIXELS) ? 2 : 3, axis = ncnn_integer(r->line, 0, 0);
    for (int i = 1; i < r->line->bottoms; i++)
        if (r->in[i]->layout != layout)
            return ncnn_refuse(r, "its operands differ in layout");
    if ((axis < 0 ? axis + rank : axis) == (layout & (MAP | FLAT) ? 0 : rank - 1))
        return concat_channels(r);
    return rank == 2 ? join_levels(r) : ncnn_refuse(r, "only channels, or the pixels of levels, can be joined");
}

/* ---- attention and bins ---- */

static bool softmax(struct ncnn_reader *r)
{
    const int axis = ncnn_integer(r->line, 0, 0), last = r->in[0]->layout == SCORES ? 2 : 1;
    put_layout(r, r->in[0]->layout);
    r->out[0].softmax = true;
    return (!r->in[0]->softmax && (axis == last || axis == -1))
        || ncnn_refuse(r, "only over the keys of an attention, or over bins, is supported");
}

/* Distances 0 p_0 + 1 p_1 + ...; the network keeps the bins. */
bool ncnn_mean_bin(struct ncnn_reader *r)
{
    const int bins = ncnn_channels(r, r->in[0]->value[0]) / 4;
    const int weight = ncnn_weight(r, "project", true, 1, (size_t[]){ (size_t)bins });
    if (weight < 0)
        return false;
    const struct tensor *t = &r->net->weights.list[weight];
    for (int i = 0; i < bins; i++) {
        const struct tensor one = { .dtype = t->dtype, .data = t->data + (size_t)i * dtype_bytes(t->dtype) };
        float number;
        tensor_floats(&one, &number);
        if (number != (float)i)
            return ncnn_refuse(r, "only the mean of bins 0, 1, 2, ... is supported");
    }
    return r->in[0]->softmax ? put_layout(r, DISTANCES) : ncnn_refuse(r,
                                                                      "the mean of bins requires a softmax before it");
}

/* A product with a matrix of one column; ids 2 to 6: transposed and constant operands, 10: -1, no third operand. */
static bool gemm(struct ncnn_reader *r)
{
    const struct ncnn_line *l = r->line;
    if (ncnn_integer(l, 2, 0) || ncnn_integer(l, 4, 0) || !ncnn_integer(l, 5, 0) || ncnn_integer(l, 8, 0) != 1
        || ncnn_integer(l, 9, 0) != ncnn_channels(r, r->in[0]->value[0]) / 4 || ncnn_integer(l, 10, 0) != -1
        || ncnn_number(l, 0, 1) != 1 || ncnn_integer(l, 18, 0))
        return ncnn_refuse(r, "only the mean of bins is supported");
    return ncnn_mean_bin(r);
}

static bool put_attention(struct ncnn_reader *r, const int *operands, int heads, enum ncnn_layout layout)
{
    const int layer = ncnn_add(r, LAYER_ATTENTION, operands, 3);
    if (layer < 0)
        return false;
    r->net->layers[layer].groups = heads;
    r->out[0] = (struct ncnn_blob){ .layout = layout, .value = { layer }, .values = 1, .heads = heads };
    return ncnn_finish(r, layer);
}

/* Query times key gives scores, scores times value the attention; transposed products too. */
static bool mat_mul(struct ncnn_reader *r)
{
    const struct ncnn_blob *a = r->in[0], *b = r->in[1];
    const bool transposed = ncnn_integer(r->line, 0, 0);
    if (a->heads == b->heads && a->layout == HEAD_PIXELS
        && b->layout == (transposed ? HEAD_PIXELS : HEADS)) {
        r->out[0] = (struct ncnn_blob){ .layout = SCORES, .value = { a->value[0], b->value[0] }, .values = 2,
                                        .heads = a->heads, .scale = 1 };
        return true;
    }
    const bool first = a->layout == SCORES;                 /* scores v, or v scores^T */
    const struct ncnn_blob *scores = first ? a : b, *v = first ? b : a;
    if (scores->layout != SCORES || v->heads != scores->heads || !scores->softmax
        || transposed == first || v->layout != (first ? HEAD_PIXELS : HEADS))
        return ncnn_refuse(r, "only an attention of queries, keys and values is supported");
    const int each = ncnn_channels(r, scores->value[0]) / scores->heads;
    if (!(fabs(scores->scale * sqrt(each) - 1) <= 1e-4))
        return ncnn_refuse(r, "an attention with scale %g, not 1 / sqrt(%d)", scores->scale, each);
    return put_attention(r, (int[]){ scores->value[0], scores->value[1], v->value[0] }, scores->heads, v->layout);
}

/* A norm; its weights follow in the file. */
static bool put_norm(struct ncnn_reader *r, enum layer_kind kind, int groups, double eps)
{
    const size_t dims[1] = { (size_t)ncnn_channels(r, r->in[0]->value[0]) };
    const int weight = ncnn_weight(r, "weight", false, 1, dims);
    const int bias = weight < 0 ? NO_TENSOR : ncnn_weight(r, "bias", false, 1, dims);
    const int layer = bias < 0 ? -1 : ncnn_add(r, kind, r->in[0]->value, 1);
    if (layer < 0)
        return false;
    r->net->layers[layer].weight = weight;
    r->net->layers[layer].bias = bias;
    r->net->layers[layer].groups = groups;
    r->net->layers[layer].eps = eps;
    ncnn_put(r, 0, layer);
    return ncnn_finish(r, layer);
}

static bool layer_norm(struct ncnn_reader *r)
{
    const int channels = ncnn_channels(r, r->in[0]->value[0]);
    if (ncnn_integer(r->line, 0, 0) != channels || !ncnn_integer(r->line, 2, 1))
        return ncnn_refuse(r, "only over the channels of a pixel, with weights, is supported");
    return put_norm(r, LAYER_NORM, 1, ncnn_number(r->line, 1, 0.001));
}

static bool group_norm(struct ncnn_reader *r)
{
    const int channels = ncnn_channels(r, r->in[0]->value[0]);
    if (ncnn_integer(r->line, 1, 0) != channels || !ncnn_integer(r->line, 3, 1))
        return ncnn_refuse(r, "only of all channels, with weights, is supported");
    return put_norm(r, LAYER_GROUP_NORM, ncnn_integer(r->line, 0, 1), ncnn_number(r->line, 2, 0.001));
}

const struct ncnn_type ncnn_layout_types[] = {
    { "Permute",   { 1, 1 }, { 1, 1 }, ANY | JOINED, permute },
    { "Reshape",   { 1, 1 }, { 1, 1 }, ANY | DISTANCES, reshape },
    { "Flatten",   { 1, 1 }, { 1, 1 }, MAP, flatten },
    { "Concat",    { 2, LAYER_OPERANDS }, { 1, 1 }, MAP | FLAT | PIXELS | MAP_PIXELS | JOINED, concat },
    { "Softmax",   { 1, 1 }, { 1, 1 }, SCORES | BINS, softmax },
    { "Gemm",      { 1, 1 }, { 1, 1 }, BINS, gemm },
    { "MatMul",    { 2, 2 }, { 1, 1 }, HEADS | HEAD_PIXELS | SCORES, mat_mul },
    { "LayerNorm", { 1, 1 }, { 1, 1 }, PIXELS | MAP_PIXELS, layer_norm },
    { "GroupNorm", { 1, 1 }, { 1, 1 }, MAP, group_norm },
    {0} };
