#include "interop/predictions.h"

#include "base/memory.h"
#include <stdlib.h>

/* Channels [from, to) of a value that are part of an output. */
struct prediction_part { int value, from, to, stride; bool sigmoid; };
enum { PARTS_MAX = 2 * LAYER_OPERANDS };
struct prediction_parts { struct prediction_part list[PARTS_MAX]; int count; };

int network_stride(const struct network *net, int i, const int *strides)
{
    const struct layer *layer = &net->layers[i];
    int stride = -1;
    for (int k = 0; k < layer->operands; k++)                       /* the map's, in a sum with a single pixel */
        stride = strides[layer->operand[k]] > stride ? strides[layer->operand[k]] : stride;
    switch (layer->kind) {
    case LAYER_INPUT:       return 1;
    case LAYER_GLOBAL_POOL: return 0;
    case LAYER_BILINEAR:
    case LAYER_NEAREST:     return stride % 2 == 0 ? stride / 2 : -1;
    case LAYER_CONV:
    case LAYER_MAX_POOL:
    case LAYER_AVG_POOL:    return stride <= (1 << 16) / layer->stride ? stride * layer->stride : -1;
    default:                return stride;
    }
}

static bool add_part(struct prediction_parts *parts, struct prediction_part part)
{
    if (parts->count == PARTS_MAX)
        return false;
    parts->list[parts->count++] = part;
    return true;
}

/* Adds the parts that make up channels [from, to) of p's value.  Each recursion goes to an earlier value. */
static bool trace(const struct network *net, struct prediction_part p, struct prediction_parts *out)
{
    const struct layer *layer = &net->layers[p.value];
    struct prediction_part next = p;
    int at = 0;
    next.value = layer->operands ? layer->operand[0] : p.value;
    switch (layer->kind) {
    case LAYER_CHANNELS:
        next.from += layer->from;
        next.to += layer->from;
        return trace(net, next, out);
    case LAYER_ACTIVATION:
        if (layer->act != ACT_SIGMOID)
            return add_part(out, p);
        next.sigmoid = true;
        return trace(net, next, out);
    case LAYER_SIGMOID_OF:
        for (int i = 0; i < 3; i++) {                       /* before, within and after the sigmoid's channels */
            const int cuts[4] = { 0, layer->from, layer->to, layer->out_channels };
            next.from = p.from > cuts[i] ? p.from : cuts[i];
            next.to = p.to < cuts[i + 1] ? p.to : cuts[i + 1];
            next.sigmoid = p.sigmoid || i == 1;
            if (next.from < next.to && !trace(net, next, out))
                return false;
        }
        return true;
    case LAYER_CONCAT:
        for (int i = 0; i < layer->operands; i++) {
            const int channels = net->layers[layer->operand[i]].out_channels;
            next.value = layer->operand[i];
            next.from = p.from > at ? p.from - at : 0;
            next.to = p.to < at + channels ? p.to - at : channels;
            if (next.from < next.to && !trace(net, next, out))
                return false;
            at += channels;
        }
        return true;
    default:
        return add_part(out, p);
    }
}

/* A value that consists of this part; -1 on failure. */
static int value_of(struct network *net, struct prediction_part p, struct error *err)
{
    if (p.from == 0 && p.to == net->layers[p.value].out_channels)
        return p.value;
    const int i = network_add(net, LAYER_CHANNELS, net->layers[p.value].name, &p.value, 1, err);
    if (i >= 0) {
        net->layers[i].from = p.from;
        net->layers[i].to = p.to;
        net->layers[i].out_channels = p.to - p.from;
    }
    return i;
}

/* A value that consists of both parts, scores first; -1 on failure. */
static int join(struct network *net, struct prediction_part scores, struct prediction_part bins, struct error *err)
{
    if (scores.value == bins.value && scores.from == 0 && scores.to == bins.from
        && bins.to == net->layers[bins.value].out_channels)
        return bins.value;
    const int both[2] = { value_of(net, scores, err), value_of(net, bins, err) };
    const int i = both[0] < 0 || both[1] < 0 ? -1
                : network_add(net, LAYER_CONCAT, net->layers[scores.value].name, both, 2, err);
    if (i >= 0)
        net->layers[i].out_channels = scores.to - scores.from + bins.to - bins.from;
    return i;
}

/* Orders by stride, then scores before bins. */
static int by_stride(const void *a, const void *b)
{
    const struct prediction_part *x = a, *y = b;
    if (x->stride != y->stride)
        return x->stride < y->stride ? -1 : 1;
    return (int)y->sigmoid - (int)x->sigmoid;
}

static bool set_predictions(struct network *net, struct prediction_parts *parts, const char *path, struct error *err)
{
    const struct prediction_part *p = parts->list;
    qsort(parts->list, (size_t)parts->count, sizeof *parts->list, by_stride);
    if (parts->count < 2 || parts->count % 2)
        return fail(err, "%s: its outputs are not scores after a sigmoid and bins for each level", path);
    net->classes = p[0].to - p[0].from;
    net->reg_max = (p[1].to - p[1].from) / 4 - 1;
    net->output_count = parts->count / 2;
    for (int i = 0; i < net->output_count; i++, p += 2) {
        if (!p[0].sigmoid || p[1].sigmoid || p[0].stride != p[1].stride || p[0].stride < 1)
            return fail(err, "%s: its outputs are not scores after a sigmoid and bins for each level", path);
        if (p[0].to - p[0].from != net->classes || p[1].to - p[1].from != 4 * (net->reg_max + 1) || net->reg_max < 1)
            return fail(err, "%s: its outputs have %d scores and %d bins a pixel at stride %d, %d and %d at stride %d",
                        path, net->classes, 4 * (net->reg_max + 1), parts->list[0].stride, p[0].to - p[0].from,
                        p[1].to - p[1].from, p[0].stride);
        net->strides[i] = p[0].stride;
        net->outputs[i] = join(net, p[0], p[1], err);
        if (net->outputs[i] < 0)
            return false;
    }
    return true;
}

bool network_find_predictions(struct network *net, const int *values, int count, const char *path, struct error *err)
{
    struct prediction_parts parts = {0};
    int *strides = new_array((size_t)net->count, sizeof *strides, err);
    bool ok = strides != NULL;
    for (int i = 0; ok && i < net->count; i++)
        strides[i] = network_stride(net, i, strides);
    for (int i = 0; ok && i < count; i++) {
        const int value = values[i];
        const struct prediction_part all = { value, 0, net->layers[value].out_channels, strides[value], false };
        ok = trace(net, all, &parts)
          || fail(err, "%s: its outputs consist of more than %d parts", path, PARTS_MAX);
    }
    free(strides);
    return ok && set_predictions(net, &parts, path, err) && network_prune(net, NULL, err);
}
