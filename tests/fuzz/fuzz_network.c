/* Any bytes as a network, a layer each 12 of them, its weights of the shape that they say.  What network_check accepts
 * is folded, merged, matched with what it was, and turned into a graph, which must be accepted or refused in words; a
 * small one is run, and computes after folding what it did before. */
#include "deploy/import_network.h"
#include "deploy/network_fold.h"
#include "deploy/network_match.h"
#include "deploy/network_split.h"
#include "kernel/kernels.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BYTES = 12, LAYERS = 64, SIDE = 16, SMALL = 1 << 22 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int add_tensor(struct network *net, uint8_t shape, int rank, int in)
{
    const size_t out = 1 + (shape & 3), dims[] = { rank == 4 ? out : (size_t)in, (size_t)in, 1 + (shape >> 2 & 3),
                                                   1 + (shape >> (shape & 128 ? 3 : 2) & 3) };
    float *numbers;
    const int index = network_add_weights(net, "some.weight", rank, dims, &numbers, NULL);
    for (size_t i = 0; index >= 0 && i < tensor_count(&net->weights.list[index]); i++)
        numbers[i] = (float)((i * 7 + shape) % 11) / 8 - 0.5f;
    return index;
}

/* Numbers that mostly fit, so that many networks are accepted. */
static void add_layer(struct network *net, const uint8_t *p)
{
    const int at = net->count, count = p[1] & 3;
    int operands[4] = { at - 1 - (p[2] & 3), at - 1 - (p[3] & 3), at - 1 - (p[4] & 7), at - 1 };
    const int index = network_add(net, at ? (enum layer_kind)(p[0] % (LAYER_KINDS + 1)) : LAYER_INPUT,
                                  p[0] & 64 ? "a.b" : "a.c", operands, at ? count : 0, NULL);
    if (index <= 0)
        return;
    struct layer *layer = &net->layers[index];
    layer->kernel = 1 + (p[5] >> 2 & 3);
    layer->stride = 1 + (p[6] & 1);
    layer->pad = p[6] >> 1 & 3;
    layer->groups = 1 + (p[7] & 3);
    layer->from = p[7] >> 2 & 3;
    layer->to = p[8] & 15;
    layer->act = (enum act)(p[9] & 15);
    layer->slope = (float)(p[9] >> 4) / 12;
    layer->eps = 1e-5;
    const bool weighs = layer->kind == LAYER_CONV || layer->kind == LAYER_AFFINE || layer->kind == LAYER_CONSTANT
                     || layer->kind == LAYER_NORM;
    const int rank = layer->kind == LAYER_CONV || layer->kind == LAYER_CONSTANT ? 4 : 1, in = 1 + (p[10] & 7);
    if (weighs)
        layer->weight = p[11] & 128 ? p[11] % (net->weights.count + 2) - 1 : add_tensor(net, p[5], rank, in);
    if (weighs && p[11] & 64)
        layer->bias = p[11] & 32 ? p[5] % (net->weights.count + 2) - 1 : add_tensor(net, p[5], 1, 1 + (p[5] & 3));
}

static bool read_network(struct network *net, const uint8_t *data, size_t size, struct error *err)
{
    *net = (struct network){0};
    add_layer(net, (const uint8_t[BYTES]){0});
    for (size_t i = 0; i + BYTES <= size && net->count < LAYERS; i += BYTES)
        add_layer(net, data + i);
    net->output_count = 1 + (int)(size % 2);
    net->outputs[0] = net->count - 1;
    net->outputs[1] = net->count - 2;
    return network_check(net, "input", err);
}

/* The outputs if the network is small, else NULL. */
static float *run(const struct network *net, const char *table, size_t *count)
{
    const struct team team = { 1 };
    struct params params = {0};
    struct graph g = {0};
    struct error err = {0};
    float *copy = NULL;
    bool ok = import_network_params(net, &params, &err) && import_network(net, &params, 1, SIDE, SIDE, &g, &err);
    const bool small = ok && g.block_size < SMALL;
    const struct binding to = { .params = &params, .values = params.value, .buffers = params.value, .team = &team,
                                .kernels = kernels_pick(table, &err) };
    if (small && (ok = graph_bind(&g, &to, &err))) {
        const struct view x = graph_view(&g, 0), y = graph_view(&g, graph_output_named(&g, "main"));
        for (ptrdiff_t i = 0; i < pixels(x) * x.c; i++)
            x.p[i] = (float)(i % 13) / 8 - 0.7f;
        graph_forward(&g, 0);
        *count = (size_t)(pixels(y) * y.c);
        copy = malloc(*count * sizeof *copy);
        memcpy(copy, y.p, *count * sizeof *copy);
    }
    if (!ok && (!err.exit || !err.text[0]))
        abort();
    graph_free(&g);
    params_free(&params);
    return copy;
}

static void compare(const float *a, size_t n, const float *b, size_t m)
{
    double largest = 1;
    for (size_t i = 0; i < n; i++)
        largest = fmax(largest, fabs((double)a[i]));
    for (size_t i = 0; n == m && i < n; i++)
        if (isfinite(a[i]) && largest < 1e6 && !(fabs((double)a[i] - b[i]) <= 1e-3 * largest))
            abort();
    if (n != m)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct network net, small;
    struct tensors found = {0};
    struct error err = {0};
    size_t n = 0, m = 0;
    const char *const table = size / BYTES % 2 ? NULL : "ref";      /* the fastest, or the plain one */
    const bool ok = read_network(&net, data, size, &err);
    if (!ok && (err.exit != 1 || !err.text[0]))
        abort();
    float *before = ok ? run(&net, table, &n) : NULL;
    if (ok && read_network(&small, data, size, &err)) {
        if (!network_fold(&small, &err) || !network_merge(&small, &err))
            abort();
        float *after = before ? run(&small, table, &m) : NULL;
        if (before && after)
            compare(before, n, after, m);
        if (network_match(&net, &small, "input", &found, &err))
            network_split(&small, &found, &err);
        if (!network_match(&small, &small, "itself", &found, &err) && (err.exit != 1 || !err.text[0]))
            abort();
        free(after);
        network_free(&small);
    }
    tensors_free(&found);
    free(before);
    network_free(&net);
    return 0;
}
