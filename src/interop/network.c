#include "interop/network.h"

#include "base/memory.h"
#include <stdlib.h>
#include <string.h>

enum { EXTENT_MAX = 1 << 16 };                          /* max kernel, stride, channels */

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

int network_add_weights(struct network *net, const char *name, int rank, const size_t *dims, float **elements,
                        struct error *err)
{
    struct tensor t = { .name = (char *)(uintptr_t)name, .dtype = DTYPE_F32, .rank = rank };
    size_t count = 1;
    for (int i = 0; i < rank; i++) {
        t.dims[i] = dims[i];
        if (!checked_mul(count, dims[i], &count))
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

/* Do the tensors fit a layer whose first operand has `in` channels?  w and b are NULL if there are none. */

static bool no_weights(const struct layer *layer, const struct tensor *w, const struct tensor *b, int in)
{
    (void)w;
    (void)b;
    (void)in;
    return layer->weight == NO_TENSOR && layer->bias == NO_TENSOR;
}

static bool map_fits(const struct layer *layer, const struct tensor *w, const struct tensor *b, int in)
{
    (void)b;
    (void)in;
    return w && w->rank == 4 && w->dims[0] == 1 && w->dims[1] >= 1 && w->dims[1] <= EXTENT_MAX
        && layer->bias == NO_TENSOR;
}

/* The weight is [out][in / groups][kernel][kernel]. */
static bool kernel_fits(const struct layer *layer, const struct tensor *w, const struct tensor *b, int in)
{
    return w && w->rank == 4 && w->dims[0] >= 1 && w->dims[0] <= EXTENT_MAX && in % layer->groups == 0
        && w->dims[0] % (size_t)layer->groups == 0 && w->dims[1] == (size_t)(in / layer->groups)
        && w->dims[2] == (size_t)layer->kernel && w->dims[3] == (size_t)layer->kernel
        && (layer->bias == NO_TENSOR || is_vector(b, (int)w->dims[0]));
}

static bool vectors_fit(const struct layer *layer, const struct tensor *w, const struct tensor *b, int in)
{
    return is_vector(w, in) && (layer->bias == NO_TENSOR || is_vector(b, in));
}

/* The channels of the layer's value; 0 if the operands' channels do not match. */

static int operand_channels(const struct network *net, const struct layer *layer, int i)
{
    return net->layers[layer->operand[i]].out_channels;
}

static int same_channels(const struct network *net, const struct layer *layer)
{
    const int first = operand_channels(net, layer, 0);
    for (int i = 1; i < layer->operands; i++)
        if (operand_channels(net, layer, i) != first)
            return 0;
    return first;
}

static int mul_channels(const struct network *net, const struct layer *layer)
{
    return operand_channels(net, layer, 1) == 1 ? operand_channels(net, layer, 0) : same_channels(net, layer);
}

static int concat_channels(const struct network *net, const struct layer *layer)
{
    int sum = 0;
    for (int i = 0; i < layer->operands; i++)
        sum += operand_channels(net, layer, i);
    return sum <= EXTENT_MAX ? sum : 0;
}

static int image_channels(const struct network *net, const struct layer *layer)
{
    (void)net;
    (void)layer;
    return 3;
}

static int map_channels(const struct network *net, const struct layer *layer)
{
    return (int)net->weights.list[layer->weight].dims[1];
}

static int kernel_channels(const struct network *net, const struct layer *layer)
{
    return (int)net->weights.list[layer->weight].dims[0];
}

static int slice_channels(const struct network *net, const struct layer *layer)
{
    (void)net;
    return layer->to - layer->from;
}

/* The names of the kinds and what network_check checks of them. */
static const struct kind_row {
    const char *name;
    int operands[2];                                    /* min, max */
    bool (*weights)(const struct layer *, const struct tensor *w, const struct tensor *b, int in);
    int (*channels)(const struct network *, const struct layer *);
    bool window, slice, groups, eps, act;               /* attributes that must be in range; groups divide channels */
} kinds[LAYER_KINDS] = {
    [LAYER_INPUT]       = { "input",        { 0, 0 }, no_weights,  image_channels },
    [LAYER_CONSTANT]    = { "constant",     { 0, 0 }, map_fits,    map_channels },
    [LAYER_CONV]        = { "convolution",  { 1, 1 }, kernel_fits, kernel_channels, .window = true, .groups = true },
    [LAYER_AFFINE]      = { "affine",       { 1, 1 }, vectors_fit, same_channels },
    [LAYER_ACTIVATION]  = { "activation",   { 1, 1 }, no_weights,  same_channels, .act = true },
    [LAYER_ADD]         = { "add",          { 2, 2 }, no_weights,  same_channels },
    [LAYER_MUL]         = { "mul",          { 2, 2 }, no_weights,  mul_channels },
    [LAYER_CONCAT]      = { "concat",       { 2, LAYER_OPERANDS }, no_weights, concat_channels },
    [LAYER_CHANNELS]    = { "channels",     { 1, 1 }, no_weights,  slice_channels, .slice = true },
    [LAYER_SHUFFLE]     = { "shuffle",      { 1, 1 }, no_weights,  same_channels, .groups = true },
    [LAYER_MAX_POOL]    = { "max pool",     { 1, 1 }, no_weights,  same_channels, .window = true },
    [LAYER_AVG_POOL]    = { "average pool", { 1, 1 }, no_weights,  same_channels, .window = true },
    [LAYER_GLOBAL_POOL] = { "global pool",  { 1, 1 }, no_weights,  same_channels },
    [LAYER_BILINEAR]    = { "bilinear",     { 1, 1 }, no_weights,  same_channels },
    [LAYER_NEAREST]     = { "nearest",      { 1, 1 }, no_weights,  same_channels },
    [LAYER_NORM]        = { "layer norm",   { 1, 1 }, vectors_fit, same_channels, .eps = true },
    [LAYER_GROUP_NORM]  = { "group norm",   { 1, 1 }, vectors_fit, same_channels, .groups = true, .eps = true },
    [LAYER_ATTENTION]   = { "attention",    { 3, 3 }, no_weights,  same_channels, .groups = true },
    [LAYER_SIGMOID_OF]  = { "sigmoid of",   { 1, 1 }, no_weights,  same_channels, .slice = true } };

const char *layer_kind_name(enum layer_kind kind) { return kinds[kind].name; }

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
    const struct kind_row *kind = &kinds[layer->kind];
    return (!kind->window || (is_extent(layer->kernel) && is_extent(layer->stride) && layer->pad >= 0
                              && layer->pad < layer->kernel))
        && (!kind->slice || (layer->from >= 0 && layer->from < layer->to && layer->to <= in))
        && (!kind->groups || (is_extent(layer->groups) && in % layer->groups == 0))
        && (!kind->act || ((unsigned)layer->act < ACT_KINDS && layer->slope >= 0 && layer->slope <= 1))
        && (!kind->eps || (layer->eps >= 0 && layer->eps <= 1));
}

bool network_check_layer(struct network *net, int index, const char *path, struct error *err)
{
    struct layer *layer = &net->layers[index];
    if ((unsigned)layer->kind >= LAYER_KINDS || !operands_fit(net, layer))
        return fail(err, "%s: layer %s: invalid operands", path, layer->name);
    const int in = layer->operands ? operand_channels(net, layer, 0) : 0;
    const struct kind_row *kind = &kinds[layer->kind];
    if (!attributes_fit(layer, in))
        return fail(err, "%s: layer %s: a %s of %d channels with attributes out of range", path, layer->name,
                    kind->name, in);
    if (!kind->weights(layer, tensor_at(net, layer->weight), tensor_at(net, layer->bias), in))
        return fail(err, "%s: layer %s: the weights of this %s do not fit %d channels", path, layer->name, kind->name,
                    in);
    layer->out_channels = kind->channels(net, layer);
    return layer->out_channels > 0
        || fail(err, "%s: layer %s: a %s whose operands have different channels", path, layer->name, kind->name);
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
