#include "interop/network.h"

#include "base/memory.h"
#include <stdlib.h>
#include <string.h>

enum { EXTENT_MAX = 1 << 16 };                          /* max kernel, stride, channels */

/* The fields that each kind uses. */
static const struct {
    const char *name;
    int operands[2];                                    /* min, max */
    bool weight, bias, window, slice, groups;           /* groups: must divide the channels */
} kinds[LAYER_KINDS] = {
    [LAYER_INPUT]       = { .name = "input", .operands = { 0, 0 } },
    [LAYER_CONSTANT]    = { .name = "constant", .operands = { 0, 0 }, .weight = true },
    [LAYER_CONV]        = { .name = "convolution", .operands = { 1, 1 }, .weight = true, .bias = true, .window = true,
                            .groups = true },
    [LAYER_AFFINE]      = { .name = "affine", .operands = { 1, 1 }, .weight = true, .bias = true },
    [LAYER_ACTIVATION]  = { .name = "activation", .operands = { 1, 1 } },
    [LAYER_ADD]         = { .name = "add", .operands = { 2, 2 } },
    [LAYER_MUL]         = { .name = "mul", .operands = { 2, 2 } },
    [LAYER_CONCAT]      = { .name = "concat", .operands = { 2, LAYER_OPERANDS } },
    [LAYER_CHANNELS]    = { .name = "channels", .operands = { 1, 1 }, .slice = true },
    [LAYER_SHUFFLE]     = { .name = "shuffle", .operands = { 1, 1 }, .groups = true },
    [LAYER_MAX_POOL]    = { .name = "max pool", .operands = { 1, 1 }, .window = true },
    [LAYER_AVG_POOL]    = { .name = "average pool", .operands = { 1, 1 }, .window = true },
    [LAYER_GLOBAL_POOL] = { .name = "global pool", .operands = { 1, 1 } },
    [LAYER_BILINEAR]    = { .name = "bilinear", .operands = { 1, 1 } },
    [LAYER_NEAREST]     = { .name = "nearest", .operands = { 1, 1 } },
    [LAYER_NORM]        = { .name = "layer norm", .operands = { 1, 1 }, .weight = true, .bias = true },
    [LAYER_GROUP_NORM]  = { .name = "group norm", .operands = { 1, 1 }, .weight = true, .bias = true, .groups = true },
    [LAYER_ATTENTION]   = { .name = "attention", .operands = { 3, 3 }, .groups = true },
    [LAYER_SIGMOID_OF]  = { .name = "sigmoid of", .operands = { 1, 1 }, .slice = true } };

const char *layer_kind_name(enum layer_kind kind) { return kinds[kind].name; }

int network_add(struct network *net, enum layer_kind kind, const char *name, const int *operands, int count,
                struct error *err)
{
    if (count > LAYER_OPERANDS)
        return fail(err, "%s: %d operands, more than %d", name, count, LAYER_OPERANDS) - 1;
    if (!grow_array(&net->layers, net->count, &net->capacity, sizeof *net->layers, err))
        return -1;
    struct layer *layer = &net->layers[net->count];
    *layer = (struct layer){ .kind = kind, .name = new_text(name, err), .operands = count, .weight = NO_TENSOR,
                             .bias = NO_TENSOR, .kernel = 1, .stride = 1, .groups = 1 };
    if (!layer->name)
        return -1;
    for (int i = 0; i < count; i++)
        layer->operand[i] = operands[i];
    return net->count++;
}

int network_weights(struct network *net, const char *name, int rank, const size_t *dims, float **elements,
                    struct error *err)
{
    struct tensor t = { .name = (char *)(uintptr_t)name, .dtype = DTYPE_F32, .rank = rank };
    size_t count = 1;
    for (int i = 0; i < rank; i++) {
        t.dims[i] = dims[i];
        if (!mul_size(count, dims[i], &count))
            return fail(err, "%s: its size does not fit in %zu bytes", name, sizeof count) - 1;
    }
    *elements = tensors_block(&net->weights, count, sizeof **elements, err);
    t.data = (const unsigned char *)*elements;
    return *elements && tensors_add(&net->weights, &t, err) ? net->weights.count - 1 : -1;
}

void network_free(struct network *net)
{
    for (int i = 0; i < net->count; i++)
        free(net->layers[i].name);
    free(net->layers);
    tensors_free(&net->weights);
    *net = (struct network){0};
}

bool network_prune(struct network *net, const int *replacement, struct error *err)
{
    int *place = new_array((size_t)net->count, sizeof *place, err), kept = 0;   /* first: is it needed? */
    if (!place)
        return false;
    place[0] = 1;
    for (int i = 0; i < net->output_count; i++) {
        net->outputs[i] = replacement ? replacement[net->outputs[i]] : net->outputs[i];
        place[net->outputs[i]] = 1;
    }
    for (int i = net->count - 1; i >= 0; i--)
        for (int k = 0; place[i] && k < net->layers[i].operands; k++) {
            int *x = &net->layers[i].operand[k];
            *x = replacement ? replacement[*x] : *x;
            place[*x] = 1;
        }
    for (int i = 0; i < net->count; i++) {
        struct layer *layer = &net->layers[i];
        if (!place[i]) {
            free(layer->name);
            continue;
        }
        for (int k = 0; k < layer->operands; k++)
            layer->operand[k] = place[layer->operand[k]];
        place[i] = kept;
        net->layers[kept++] = *layer;
    }
    net->count = kept;
    for (int i = 0; i < net->output_count; i++)
        net->outputs[i] = place[net->outputs[i]];
    free(place);
    return true;
}

/* ---- checking ---- */

static const struct tensor *tensor_at(const struct network *net, int index)
{
    return index >= 0 && index < net->weights.count ? &net->weights.list[index] : NULL;
}

static bool is_vector(const struct tensor *t, int channels)
{
    return t && t->rank == 1 && t->dims[0] == (size_t)channels;
}

static bool is_extent(int n) { return n >= 1 && n <= EXTENT_MAX; }

/* The weight is [out][in / groups][kernel][kernel]. */
static bool conv_fits(const struct layer *layer, const struct tensor *w, int in)
{
    return w && w->rank == 4 && w->dims[0] >= 1 && w->dims[0] <= EXTENT_MAX && in % layer->groups == 0
        && w->dims[0] % (size_t)layer->groups == 0 && w->dims[1] == (size_t)(in / layer->groups)
        && w->dims[2] == (size_t)layer->kernel && w->dims[3] == (size_t)layer->kernel;
}

static bool operands_fit(const struct network *net, const struct layer *layer)
{
    const int self = (int)(layer - net->layers), kind = (int)layer->kind;
    bool fit = layer->operands >= kinds[kind].operands[0] && layer->operands <= kinds[kind].operands[1]
            && (kind == LAYER_INPUT) == (self == 0);
    for (int i = 0; fit && i < layer->operands; i++)
        fit = layer->operand[i] >= 0 && layer->operand[i] < self;
    return fit;
}

static bool attributes_fit(const struct layer *layer, int in)
{
    const int kind = (int)layer->kind;
    return (!kinds[kind].window || (is_extent(layer->kernel) && is_extent(layer->stride) && layer->pad >= 0
                                    && layer->pad < layer->kernel))
        && (!kinds[kind].slice || (layer->from >= 0 && layer->from < layer->to && layer->to <= in))
        && (!kinds[kind].groups || (is_extent(layer->groups) && in % layer->groups == 0))
        && (kind != LAYER_ACTIVATION || ((unsigned)layer->act < ACT_KINDS && layer->slope >= 0 && layer->slope <= 1))
        && ((kind != LAYER_NORM && kind != LAYER_GROUP_NORM) || (layer->eps >= 0 && layer->eps <= 1));
}

static bool weights_fit(const struct network *net, const struct layer *layer, int in)
{
    const struct tensor *w = tensor_at(net, layer->weight), *b = tensor_at(net, layer->bias);
    switch (layer->kind) {
    case LAYER_CONSTANT: return w && w->rank == 4 && w->dims[0] == 1 && w->dims[1] >= 1 && w->dims[1] <= EXTENT_MAX
                             && layer->bias == NO_TENSOR;
    case LAYER_CONV:     return conv_fits(layer, w, in) && (layer->bias == NO_TENSOR || is_vector(b, (int)w->dims[0]));
    case LAYER_AFFINE:
    case LAYER_NORM:
    case LAYER_GROUP_NORM:
                         return is_vector(w, in) && (layer->bias == NO_TENSOR || is_vector(b, in));
    default:             return layer->weight == NO_TENSOR && layer->bias == NO_TENSOR;
    }
}

/* Channels of the layer's value; 0 if the operands' channels do not match. */
static int channels_out(const struct network *net, const struct layer *layer, int in)
{
    const int second = layer->operands > 1 ? net->layers[layer->operand[1]].out_channels : 0;
    int sum = 0;
    switch (layer->kind) {
    case LAYER_INPUT:     return 3;
    case LAYER_CONSTANT:  return (int)net->weights.list[layer->weight].dims[1];
    case LAYER_CONV:      return (int)net->weights.list[layer->weight].dims[0];
    case LAYER_CHANNELS:  return layer->to - layer->from;
    case LAYER_ADD:       return second == in ? in : 0;
    case LAYER_MUL:       return second == in || second == 1 ? in : 0;
    case LAYER_ATTENTION: return second == in && net->layers[layer->operand[2]].out_channels == in ? in : 0;
    case LAYER_CONCAT:
        for (int i = 0; i < layer->operands; i++)
            sum += net->layers[layer->operand[i]].out_channels;
        return sum <= EXTENT_MAX ? sum : 0;
    default:              return in;
    }
}

bool network_check_layer(struct network *net, int index, const char *path, struct error *err)
{
    struct layer *layer = &net->layers[index];
    if ((unsigned)layer->kind >= LAYER_KINDS || !operands_fit(net, layer))
        return fail(err, "%s: layer %s: invalid operands", path, layer->name);
    const int in = layer->operands ? net->layers[layer->operand[0]].out_channels : 0;
    const char *kind = layer_kind_name(layer->kind);
    if (!attributes_fit(layer, in))
        return fail(err, "%s: layer %s: a %s of %d channels with attributes out of range", path, layer->name, kind, in);
    if (!weights_fit(net, layer, in))
        return fail(err, "%s: layer %s: the weights of this %s do not fit %d channels", path, layer->name, kind, in);
    layer->out_channels = channels_out(net, layer, in);
    return layer->out_channels > 0
        || fail(err, "%s: layer %s: a %s whose operands have different channels", path, layer->name, kind);
}

bool network_check(struct network *net, const char *path, struct error *err)
{
    for (int i = 0; i < net->count; i++)
        if (!network_check_layer(net, i, path, err))
            return false;
    if (net->output_count < 1 || net->output_count > LAYER_OPERANDS)
        return fail(err, "%s: a network with %d outputs", path, net->output_count);
    for (int i = 0; i < net->output_count; i++)
        if (net->outputs[i] < 0 || net->outputs[i] >= net->count)
            return fail(err, "%s: output %d is not a layer", path, i);
    return true;
}
