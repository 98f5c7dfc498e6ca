/* interop/ncnn/maps.c -- reads the layers of ncnn that compute maps; parameter ids as in ncnn's operators.md. */
#include "base/strbuf.h"
#include "interop/ncnn/read.h"

#include <math.h>
#include <string.h>

enum { ADD, SUB, MUL, DIV };                                /* codes of BinaryOp */
enum { SIDE_MAX = 1 << 16, MADE_MAX = 1 << 22 };            /* max input side; max generated weights */

static bool put_layer(struct ncnn_reader *r, int layer)
{
    ncnn_put(r, 0, layer);
    return ncnn_finish(r, layer);
}

static bool input(struct ncnn_reader *r)
{
    const int w = ncnn_integer(r->line, 0, 0), h = ncnn_integer(r->line, 1, 0);
    const int layer = ncnn_add(r, LAYER_INPUT, NULL, 0);
    r->out[0] = (struct ncnn_blob){ .layout = MAP, .value = { layer }, .values = 1 };
    r->net->input_w = w > 0 && w <= SIDE_MAX ? w : 0;
    r->net->input_h = h > 0 && h <= SIDE_MAX ? h : 0;
    return ncnn_finish(r, layer);
}

/* The same blob under other names. */
static bool alias(struct ncnn_reader *r)
{
    for (int i = 0; i < r->line->tops; i++)
        r->out[i] = *r->in[0];
    for (int i = 0; i < r->line->tops; i++)
        r->out[i].read = false;
    return true;
}

static bool constant(struct ncnn_reader *r)
{
    const int w = ncnn_integer(r->line, 0, 0), h = ncnn_integer(r->line, 1, 0), c = ncnn_integer(r->line, 2, 0);
    if (w < 1 || h < 1 || c < 1 || ncnn_integer(r->line, 11, 0))
        return ncnn_refuse(r, "only constant maps of three dimensions are supported");
    const int weight = ncnn_weight(r, "data", ncnn_integer(r->line, 21, 1) == 0, 4,
                                   (size_t[]){ 1, (size_t)c, (size_t)h, (size_t)w });
    const int layer = weight < 0 ? -1 : ncnn_add(r, LAYER_CONSTANT, NULL, 0);
    if (layer < 0)
        return false;
    r->net->layers[layer].weight = weight;
    r->out[0] = (struct ncnn_blob){ .layout = MAP, .value = { layer }, .values = 1 };
    return ncnn_finish(r, layer);
}

/* ---- convolutions and norms ---- */

static bool is_square(const struct ncnn_line *l, int kernel, int stride, int pad)
{
    return ncnn_integer(l, 11, kernel) == kernel && ncnn_integer(l, 13, stride) == stride
        && ncnn_integer(l, 14, pad) == pad && ncnn_integer(l, 15, pad) == pad
        && ncnn_integer(l, 16, ncnn_integer(l, 14, pad)) == pad
        && ncnn_integer(l, 2, 1) == 1 && ncnn_integer(l, 12, 1) == 1;
}

/* Adds a convolution of *value with the next weights of the file; the line declares their number. */
static bool add_conv(struct ncnn_reader *r, int out, int kernel, int groups, bool bias, int declared, int *value)
{
    const int in = ncnn_channels(r, *value), layer = ncnn_add(r, LAYER_CONV, value, 1);
    if (layer < 0)
        return false;
    if (out < 1 || kernel < 1 || groups < 1 || in % groups
        || (double)declared != (double)out * (in / groups) * kernel * kernel)
        return ncnn_refuse(r, "%d weights do not make %d channels of %d, kernel %d, %d groups", declared, out, in,
                           kernel, groups);
    const size_t dims[4] = { (size_t)out, (size_t)(in / groups), (size_t)kernel, (size_t)kernel };
    const int w = ncnn_weight(r, "weight", true, 4, dims);
    const int b = w < 0 || !bias ? NO_TENSOR : ncnn_weight(r, "bias", false, 1, dims);
    if (w < 0 || (bias && b < 0))
        return false;
    struct layer *conv = &r->net->layers[layer];
    conv->weight = w;
    conv->bias = b;
    conv->kernel = kernel;
    conv->groups = groups;
    *value = layer;
    return true;
}

static bool convolution(struct ncnn_reader *r)
{
    const struct ncnn_line *l = r->line;
    const int kernel = ncnn_integer(l, 1, 0), stride = ncnn_integer(l, 3, 1), pad = ncnn_integer(l, 4, 0);
    const int groups = strcmp(l->type, "ConvolutionDepthWise") == 0 ? ncnn_integer(l, 7, 1) : 1;
    int value = r->in[0]->value[0];
    if (!is_square(l, kernel, stride, pad))
        return ncnn_refuse(r, "only square kernels, strides and padding without dilation are supported");
    if (ncnn_integer(l, 8, 0))
        return ncnn_refuse(r, "weights of 8 bits are not supported");
    if (ncnn_integer(l, 19, 0) || ncnn_number(l, 18, 0) != 0)
        return ncnn_refuse(r, "weights from a blob and padding with other than 0 are not supported");
    if (!add_conv(r, ncnn_integer(l, 0, 0), kernel, groups, ncnn_integer(l, 5, 0), ncnn_integer(l, 6, 0), &value))
        return false;
    r->net->layers[value].stride = stride;
    r->net->layers[value].pad = pad;
    if (!ncnn_finish(r, value) || !ncnn_fused_activation(r, &value))
        return false;
    ncnn_put(r, 0, value);
    return true;
}

/* A 1 x 1 convolution of a single pixel or of pixels as rows. */
static bool inner_product(struct ncnn_reader *r)
{
    int value = r->in[0]->value[0];
    if (r->in[0]->layout == BINS)
        return (ncnn_integer(r->line, 0, 0) == 1 && !ncnn_integer(r->line, 1, 0) && !ncnn_integer(r->line, 9, 0)
                && ncnn_integer(r->line, 2, 0) == ncnn_channels(r, value) / 4 && ncnn_mean_bin(r))
            || ncnn_refuse(r, "only the mean of bins is supported");
    if (r->in[0]->layout == MAP && !ncnn_is_pixel(r, value))
        return ncnn_refuse(r, "of a whole map");
    if (ncnn_integer(r->line, 8, 0))
        return ncnn_refuse(r, "weights of 8 bits are not supported");
    if (!add_conv(r, ncnn_integer(r->line, 0, 0), 1, 1, ncnn_integer(r->line, 1, 0), ncnn_integer(r->line, 2, 0),
                  &value)
        || !ncnn_finish(r, value) || !ncnn_fused_activation(r, &value))
        return false;
    ncnn_put(r, 0, value);
    return true;
}

/* w x + b per channel. */
static bool put_affine(struct ncnn_reader *r, int weight, int bias)
{
    const int layer = ncnn_add(r, LAYER_AFFINE, r->in[0]->value, 1);
    if (layer < 0)
        return false;
    r->net->layers[layer].weight = weight;
    r->net->layers[layer].bias = bias;
    return put_layer(r, layer);
}

/* A generated vector; the caller sets its data. */
static int new_vector(struct ncnn_reader *r, const char *suffix, int channels, float **data)
{
    struct strbuf name = {0};
    r->made += channels;
    if (r->made > MADE_MAX)
        return ncnn_refuse(r, "more than %d numbers that the bin file does not hold", MADE_MAX) + NO_TENSOR;
    strbuf_addf(&name, "%s.%s", r->line->name, suffix);
    const int index = !strbuf_check(&name, r->err) ? NO_TENSOR
                    : network_add_weights(r->net, name.s, 1, (size_t[]){ (size_t)channels }, data, r->err);
    strbuf_free(&name);
    return index;
}

/* slope (x - mean) / sqrt(variance + eps) + shift */
static bool batch_norm(struct ncnn_reader *r)
{
    static const char *const names[4] = { "slope", "mean", "variance", "shift" };
    const int channels = ncnn_channels(r, r->in[0]->value[0]);
    const unsigned char *data[4];
    float *w, *b, of[4];                                    /* as names */
    if (ncnn_integer(r->line, 0, 0) != channels)
        return ncnn_refuse(r, "is for %d channels and gets %d", ncnn_integer(r->line, 0, 0), channels);
    for (int i = 0; i < 4; i++) {
        const int t = ncnn_weight(r, names[i], false, 1, (size_t[]){ (size_t)channels });
        if (t < 0)
            return false;
        data[i] = r->net->weights.list[t].data;
    }
    const int weight = new_vector(r, "weight", channels, &w), bias = new_vector(r, "bias", channels, &b);
    if (weight < 0 || bias < 0)
        return false;
    for (int c = 0; c < channels; c++) {
        for (int i = 0; i < 4; i++)
            memcpy(&of[i], data[i] + (size_t)c * sizeof of[i], sizeof of[i]);
        const double scale = (double)of[0] / sqrt((double)of[2] + ncnn_number(r->line, 1, 0));
        if (!isfinite(scale))
            return ncnn_refuse(r, "channel %d has a variance of %g", c, (double)of[2]);
        w[c] = (float)scale;
        b[c] = (float)((double)of[3] - scale * (double)of[1]);
    }
    return put_affine(r, weight, bias);
}

static bool put_pair(struct ncnn_reader *r, enum layer_kind kind);

static bool scale(struct ncnn_reader *r)
{
    const int channels = ncnn_channels(r, r->in[0]->value[0]), size = ncnn_integer(r->line, 0, 0);
    const size_t dims[1] = { (size_t)channels };
    const bool has_bias = ncnn_integer(r->line, 1, 0);
    if (r->line->bottoms == 2)
        return size == -233 && !has_bias ? put_pair(r, LAYER_MUL) : ncnn_refuse(r, "two operands exclude weights");
    if (size != channels)
        return ncnn_refuse(r, "is for %d channels and gets %d", size, channels);
    const int weight = ncnn_weight(r, "weight", false, 1, dims);
    const int bias = weight < 0 || !has_bias ? NO_TENSOR : ncnn_weight(r, "bias", false, 1, dims);
    return weight >= 0 && (!has_bias || bias >= 0) && put_affine(r, weight, bias);
}

/* ---- two operands ---- */

/* Makes the smaller operand (a constant, one pixel or one channel) the second. */
static bool put_pair(struct ncnn_reader *r, enum layer_kind kind)
{
    int value[2] = { r->in[0]->value[0], r->in[1]->value[0] };
    if (r->in[0]->layout != r->in[1]->layout)
        return ncnn_refuse(r, "its operands differ in layout");
    if (r->strides[value[0]] < r->strides[value[1]]
        || (ncnn_channels(r, value[0]) == 1 && ncnn_channels(r, value[1]) > 1)) {
        const int first = value[0];
        value[0] = value[1];
        value[1] = first;
    }
    return put_layer(r, ncnn_add(r, kind, value, 2));
}

static bool eltwise(struct ncnn_reader *r)
{
    const int op = ncnn_integer(r->line, 0, 0);
    if ((op != 0 && op != 1) || ncnn_array(r->line, 1, NULL, 0) > 0)
        return ncnn_refuse(r, "only sums and products without coefficients are supported");
    return put_pair(r, op == 0 ? LAYER_MUL : LAYER_ADD);
}

/* x + n, x - n, x n, x / n for a number n */
static bool put_scalar_op(struct ncnn_reader *r, int op, double n)
{
    const int channels = ncnn_channels(r, r->in[0]->value[0]);
    float *w, *b;
    if (r->in[0]->layout == SCORES) {
        r->out[0] = *r->in[0];
        r->out[0].read = false;
        r->out[0].scale *= op == MUL ? n : 1 / n;
        return (!r->in[0]->softmax && (op == MUL || op == DIV))
            || ncnn_refuse(r, "attention scores can only be multiplied or divided, before the softmax");
    }
    const int weight = new_vector(r, "weight", channels, &w), bias = new_vector(r, "bias", channels, &b);
    if (weight < 0 || bias < 0)
        return false;
    for (int c = 0; c < channels; c++) {
        w[c] = (float)(op == MUL ? n : op == DIV ? 1 / n : 1);
        b[c] = (float)(op == ADD ? n : op == SUB ? -n : 0);
    }
    return put_affine(r, weight, bias);
}

static bool binary_op(struct ncnn_reader *r)
{
    const int op = ncnn_integer(r->line, 0, ADD);
    if (op < ADD || op > DIV || (r->line->bottoms == 2 && op != ADD && op != MUL)
        || (op == DIV && ncnn_number(r->line, 2, 0) == 0))
        return ncnn_refuse(r, "operation %d is not supported", op);
    if (r->line->bottoms == 1)
        return put_scalar_op(r, op, ncnn_number(r->line, 2, 0));
    return put_pair(r, op == ADD ? LAYER_ADD : LAYER_MUL);
}

/* ---- channels ---- */

static bool channel_shuffle(struct ncnn_reader *r)
{
    const int layer = ncnn_add(r, LAYER_SHUFFLE, r->in[0]->value, 1);
    if (layer < 0)
        return false;
    const int channels = ncnn_channels(r, r->in[0]->value[0]), groups = ncnn_integer(r->line, 0, 1);
    if (groups < 1 || channels % groups)
        return ncnn_refuse(r, "%d groups of %d channels", groups, channels);
    r->net->layers[layer].groups = ncnn_integer(r->line, 1, 0) ? channels / groups : groups;
    return put_layer(r, layer);
}

/* Sets output blob i to these channels of each level. */
static bool put_channels(struct ncnn_reader *r, int i, int from, int to)
{
    r->out[i] = *r->in[0];
    r->out[i].read = false;
    for (int k = 0; k < r->in[0]->values; k++) {
        const int layer = ncnn_add(r, LAYER_CHANNELS, &r->in[0]->value[k], 1);
        if (layer < 0)
            return false;
        r->net->layers[layer].from = from;
        r->net->layers[layer].to = to;
        r->out[i].value[k] = layer;
        if (!ncnn_finish(r, layer))
            return false;
    }
    return true;
}

/* Is the axis the channel axis?  A negative axis counts from the last. */
static bool is_channel_axis(const struct ncnn_blob *b, int axis)
{
    const int rank = b->layout == FLAT || b->layout == PIXELS ? 2 : 3;
    return (axis < 0 ? axis + rank : axis) == (b->layout == MAP || b->layout == FLAT ? 0 : rank - 1);
}

static bool slice(struct ncnn_reader *r)
{
    int sizes[LAYER_OPERANDS], ends[LAYER_OPERANDS], from = 0;
    const int tops = r->line->tops, channels = ncnn_channels(r, r->in[0]->value[0]);
    const int count = ncnn_integers(r->line, 0, sizes, LAYER_OPERANDS);
    const int cuts = ncnn_integers(r->line, 2, ends, LAYER_OPERANDS);
    if (!is_channel_axis(r->in[0], ncnn_integer(r->line, 1, 0)))
        return ncnn_refuse(r, "only channels can be sliced");
    if (count != tops && cuts != tops - 1)
        return ncnn_refuse(r, "the number of slices differs from the number of blobs");
    for (int i = 0; i < tops; i++) {
        const int rest = (channels - from) / (tops - i);    /* -233: an equal part of the rest */
        const int to = i == tops - 1 ? channels
                     : cuts == tops - 1 ? ends[i] : from + (sizes[i] == -233 ? rest : sizes[i]);
        if (to <= from || to > channels)
            return ncnn_refuse(r, "the slices do not divide %d channels", channels);
        if (!put_channels(r, i, from, to))
            return false;
        from = to;
    }
    return true;
}

static bool crop(struct ncnn_reader *r)
{
    const int channels = ncnn_channels(r, r->in[0]->value[0]);
    int axis = 0, from = ncnn_integer(r->line, 2, 0), to = ncnn_integer(r->line, 5, -233);
    to = to == -233 ? channels : to > 0 && to <= channels && from >= 0 && from <= channels ? from + to : -1;
    const int axes = ncnn_integers(r->line, 11, &axis, 1), starts = ncnn_integers(r->line, 9, &from, 1);
    const int ends = ncnn_integers(r->line, 10, &to, 1);
    const bool by_axes = starts > 0 || ends > 0 || axes > 0;
    for (int id = 0; id <= 8; id++)
        if (id != 2 && id != 5 && ncnn_integer(r->line, id, id == 3 || id == 4 ? -233 : 0)
                                  != (id == 3 || id == 4 ? -233 : 0))
            return ncnn_refuse(r, "only channels can be cropped");
    if (by_axes && (starts != 1 || ends != 1 || axes > 1 || !is_channel_axis(r->in[0], axis)))
        return ncnn_refuse(r, "only channels can be cropped");
    from += from < 0 ? channels : 0;
    to = to > channels ? channels : to < 0 && by_axes ? to + channels : to;
    return put_channels(r, 0, from, to);
}

/* ---- pools ---- */

static bool is_mean(const struct ncnn_line *l)
{
    return ncnn_integer(l, 4, 0) || (ncnn_integer(l, 7, 0) && ncnn_integer(l, 8, 0) == 1
                                     && ncnn_integer(l, 18, ncnn_integer(l, 8, 0)) == 1);
}

static bool pooling(struct ncnn_reader *r)
{
    const struct ncnn_line *l = r->line;
    const bool average = ncnn_integer(l, 0, 0) == 1;
    const int kernel = ncnn_integer(l, 1, 0), stride = ncnn_integer(l, 2, 1), pad = ncnn_integer(l, 3, 0);
    if (average && is_mean(l))
        return put_layer(r, ncnn_add(r, LAYER_GLOBAL_POOL, r->in[0]->value, 1));
    if (ncnn_integer(l, 4, 0) || ncnn_integer(l, 7, 0) || ncnn_integer(l, 0, 0) > 1
        || ncnn_integer(l, 11, kernel) != kernel || ncnn_integer(l, 12, stride) != stride
        || ncnn_integer(l, 13, pad) != pad || ncnn_integer(l, 14, pad) != pad
        || ncnn_integer(l, 15, ncnn_integer(l, 13, pad)) != pad)
        return ncnn_refuse(r, "only square windows, strides and padding, or the mean of a map, are supported");
    if (ncnn_integer(l, 5, 0) != 1 && stride != 1)
        return ncnn_refuse(r, "ceil mode is not supported");
    if (average && pad && !ncnn_integer(l, 6, 0))
        return ncnn_refuse(r, "an average pool that excludes padding is not supported");
    const int layer = ncnn_add(r, average ? LAYER_AVG_POOL : LAYER_MAX_POOL, r->in[0]->value, 1);
    if (layer < 0)
        return false;
    r->net->layers[layer].kernel = kernel;
    r->net->layers[layer].stride = stride;
    r->net->layers[layer].pad = pad;
    return put_layer(r, layer);
}

/* The mean over height and width. */
static bool reduction(struct ncnn_reader *r)
{
    int axes[2] = { 0, 0 };
    const int count = ncnn_integers(r->line, 3, axes, 2);
    for (int i = 0; i < 2; i++)
        axes[i] += axes[i] < 0 ? 3 : 0;
    if (ncnn_integer(r->line, 0, 0) != 3 || ncnn_integer(r->line, 1, 1) || ncnn_number(r->line, 2, 1) != 1
        || count != 2 || axes[0] + axes[1] != 3 || axes[0] * axes[1] != 2)
        return ncnn_refuse(r, "only the mean over height and width is supported");
    return put_layer(r, ncnn_add(r, LAYER_GLOBAL_POOL, r->in[0]->value, 1));
}

/* Doubles the size, or halves it bilinearly (the mean of 2 x 2 pixels).  The line gives factors, or the output size,
 * from which the input size follows. */
static bool interp(struct ncnn_reader *r)
{
    const struct ncnn_line *l = r->line;
    const int kind = ncnn_integer(l, 0, 0), h = ncnn_integer(l, 3, 0), w = ncnn_integer(l, 4, 0);
    const int step = r->strides[r->in[0]->value[0]];
    const double rows = ncnn_number(l, 1, 1), columns = ncnn_number(l, 2, 1);
    struct network *net = r->net;
    bool twice = rows == 2 && columns == 2, half = kind == 2 && rows == 0.5 && columns == 0.5 && !h && !w;
    if (h > 0 && w > 0 && step > 0 && step % 2 == 0 && h <= SIDE_MAX / (step / 2) && w <= SIDE_MAX / (step / 2)) {
        net->input_h = net->input_h ? net->input_h : h * (step / 2);
        net->input_w = net->input_w ? net->input_w : w * (step / 2);
        twice = net->input_h == h * (step / 2) && net->input_w == w * (step / 2);
        half = kind == 2 && net->input_h == 2 * h * step && net->input_w == 2 * w * step;
    }
    if ((!twice && !half) || (kind != 1 && kind != 2) || ncnn_integer(l, 5, 0) || ncnn_integer(l, 6, 0))
        return ncnn_refuse(r, "only twice the size, or half of it bilinear, with half-pixel centres, is supported");
    const int layer = ncnn_add(r, half ? LAYER_AVG_POOL : kind == 1 ? LAYER_NEAREST : LAYER_BILINEAR,
                               r->in[0]->value, 1);
    if (layer >= 0 && half)
        net->layers[layer].kernel = net->layers[layer].stride = 2;
    return put_layer(r, layer);
}

const struct ncnn_type ncnn_map_types[] = {
    { "Input",                { 0, 0 }, { 1, 1 }, 0, input },
    { "MemoryData",           { 0, 0 }, { 1, 1 }, 0, constant },
    { "Split",                { 1, 1 }, { 1, LAYER_OPERANDS }, ANY | JOINED, alias },
    { "Noop",                 { 1, 1 }, { 1, 1 }, ANY | JOINED, alias },
    { "Dropout",              { 1, 1 }, { 1, 1 }, ANY | JOINED, alias },
    { "Convolution",          { 1, 1 }, { 1, 1 }, MAP, convolution },
    { "ConvolutionDepthWise", { 1, 1 }, { 1, 1 }, MAP, convolution },
    { "InnerProduct",         { 1, 1 }, { 1, 1 }, MAP | PIXELS | BINS, inner_product },
    { "BatchNorm",            { 1, 1 }, { 1, 1 }, MAP, batch_norm },
    { "Scale",                { 1, 2 }, { 1, 1 }, MAP, scale },
    { "Eltwise",              { 2, 2 }, { 1, 1 }, ANY, eltwise },
    { "BinaryOp",             { 1, 2 }, { 1, 1 }, ANY | SCORES, binary_op },
    { "ShuffleChannel",       { 1, 1 }, { 1, 1 }, MAP, channel_shuffle },
    { "Slice",                { 1, 1 }, { 1, LAYER_OPERANDS }, MAP | FLAT | PIXELS | MAP_PIXELS | JOINED, slice },
    { "Crop",                 { 1, 1 }, { 1, 1 }, MAP | FLAT | PIXELS | MAP_PIXELS | JOINED, crop },
    { "Pooling",              { 1, 1 }, { 1, 1 }, MAP, pooling },
    { "Reduction",            { 1, 1 }, { 1, 1 }, MAP, reduction },
    { "Interp",               { 1, 1 }, { 1, 1 }, MAP, interp },
    {0} };
