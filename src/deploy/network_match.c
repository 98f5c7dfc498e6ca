#include "deploy/network_match.h"

#include "base/memory.h"
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NOT_YET = NO_TENSOR - 1 };

struct paired_network {
    const struct network *net;
    bool *last;                         /* [layer] is there no convolution between it and the outputs? */
    uint64_t *hash;                     /* [layer] of the subgraph that computes it; equal for equal subgraphs */
};

struct network_pairing {
    struct paired_network own, theirs;
    int *pair;                          /* [own's layer] theirs, or -1 */
    int *taken;                         /* [own's tensor] theirs, NO_TENSOR if theirs is absent (zeros), or NOT_YET */
    const char *path;
    struct tensors *out;
    struct error *err;
};

/* ---- equality of layers ---- */

static uint64_t mixed(uint64_t h, uint64_t x)           /* SplitMix64's finaliser */
{
    h = (h ^ x) + UINT64_C(0x9e3779b97f4a7c15);
    h = (h ^ h >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    h = (h ^ h >> 27) * UINT64_C(0x94d049bb133111eb);
    return h ^ h >> 31;
}

static bool commutes(const struct layer *layer) { return layer->kind == LAYER_ADD || layer->kind == LAYER_MUL; }

static const struct tensor *weight_of(const struct network *net, const struct layer *layer)
{
    return layer->weight == NO_TENSOR ? NULL : &net->weights.list[layer->weight];
}

/* Features that matching layers have in common.  Slopes and epsilons are not among them, since formats round them, nor
 * biases, since files omit biases of 0.  The last layers may differ in channels, as the classes do. */
enum { FEATURES = 13 };

static void features_of(const struct paired_network *side, int index, size_t features[FEATURES])
{
    const struct layer *layer = &side->net->layers[index];
    const struct tensor *w = weight_of(side->net, layer);
    const bool last = side->last[index];
    const size_t all[] = { (size_t)layer->kind, (size_t)layer->operands, (size_t)layer->act, (size_t)layer->kernel,
                           (size_t)layer->stride, (size_t)layer->pad, (size_t)layer->groups,
                           last ? 0 : (size_t)layer->out_channels, last ? 0 : (size_t)layer->from,
                           last ? 0 : (size_t)layer->to, w && w->rank > 1 ? w->dims[1] : 0,
                           w && w->rank > 2 ? w->dims[2] : 0, w && w->rank > 3 ? w->dims[3] : 0 };
    memcpy(features, all, sizeof all);
}

static bool has_epsilon(const struct layer *layer)
{
    return layer->kind == LAYER_NORM || layer->kind == LAYER_GROUP_NORM;
}

static bool alike(const struct network_pairing *m, int own, int theirs)
{
    const struct layer *x = &m->own.net->layers[own], *y = &m->theirs.net->layers[theirs];
    size_t a[FEATURES], b[FEATURES];
    features_of(&m->own, own, a);
    features_of(&m->theirs, theirs, b);
    return memcmp(a, b, sizeof a) == 0 && fabsf(x->slope - y->slope) <= 1e-5f
        && (!has_epsilon(x) || fabs(x->eps - y->eps) <= 1e-3 * x->eps);
}

static bool paired_init(struct paired_network *side, const struct network *net, struct error *err)
{
    *side = (struct paired_network){ net, new_array((size_t)net->count, sizeof *side->last, err),
                                     new_array((size_t)net->count, sizeof *side->hash, err) };
    if (!side->last || !side->hash)
        return false;
    for (int i = 0; i < net->output_count; i++)
        side->last[net->outputs[i]] = true;
    for (int i = net->count - 1; i >= 0; i--)
        for (int k = 0; side->last[i] && net->layers[i].kind != LAYER_CONV && k < net->layers[i].operands; k++)
            side->last[net->layers[i].operand[k]] = true;
    for (int i = 0; i < net->count; i++) {
        const struct layer *layer = &net->layers[i];
        size_t features[FEATURES];
        uint64_t h = 0, sum = 0;
        features_of(side, i, features);
        for (int k = 0; k < FEATURES; k++)
            h = mixed(h, features[k]);
        for (int k = 0; k < layer->operands; k++)
            if (commutes(layer))
                sum += mixed(0, side->hash[layer->operand[k]]);
            else
                h = mixed(h, side->hash[layer->operand[k]]);
        side->hash[i] = mixed(h, sum);
    }
    return true;
}

static void paired_free(struct paired_network *side)
{
    free(side->last);
    free(side->hash);
}

struct layer_text { char s[240]; };

/* "head.gfl_cls.0, a convolution of 96 channels [80, 96, 1, 1]" */
static struct layer_text describe(const struct network *net, int index)
{
    const struct layer *layer = &net->layers[index];
    const struct tensor *w = weight_of(net, layer);
    struct layer_text text;
    int used = snprintf(text.s, 150, "%.100s (%s, %d channels", layer->name, layer_kind_name(layer->kind),
                        layer->out_channels);
    if (has_epsilon(layer))
        used += snprintf(text.s + used, 30, ", epsilon %g", layer->eps);
    for (int i = 0; w && i < w->rank && i < 4; i++)
        used += snprintf(text.s + used, sizeof text.s - (size_t)used, "%s%zu", i ? " x " : ", weight ", w->dims[i]);
    snprintf(text.s + used, sizeof text.s - (size_t)used, ")");
    return text;
}

static bool differ(const struct network_pairing *m, int own, int theirs)
{
    return fail(m->err, "%s: not this model's network: layer %s is where the model has %s", m->path,
                describe(m->theirs.net, theirs).s, describe(m->own.net, own).s);
}

/* ---- pairs ---- */

static bool pair_layers(struct network_pairing *m, int own, int theirs)
{
    if (m->pair[own] >= 0 && m->pair[own] != theirs)
        return differ(m, own, theirs);
    m->pair[own] = theirs;
    return true;
}

/* Skips the sigmoid that an export adds to the raw predictions. */
static int raw_prediction(const struct network *net, int layer)
{
    while (net->layers[layer].kind == LAYER_SIGMOID_OF)
        layer = net->layers[layer].operand[0];
    return layer;
}

/* The output of theirs with an equal subgraph, else the one of the same index, else any unused one. */
static int output_like(const struct network_pairing *m, int index, const bool *used)
{
    const struct network *theirs = m->theirs.net;
    int any = -1;
    for (int k = 0; k < theirs->output_count; k++) {
        const int layer = raw_prediction(theirs, theirs->outputs[k]);
        if (!used[k] && m->theirs.hash[layer] == m->own.hash[m->own.net->outputs[index]])
            return k;
        any = used[k] || (any == index) ? any : k;
    }
    return any;
}

static bool pair_outputs(struct network_pairing *m)
{
    const struct network *own = m->own.net, *theirs = m->theirs.net;
    bool used[LAYER_OPERANDS] = { false };
    if (theirs->output_count != own->output_count)
        return fail(m->err, "%s: not this model's network: %d levels, the model has %d", m->path, theirs->output_count,
                    own->output_count);
    for (int i = 0; i < own->output_count; i++) {
        const int place = output_like(m, i, used);
        used[place] = true;
        if (!pair_layers(m, own->outputs[i], raw_prediction(theirs, theirs->outputs[place])))
            return false;
    }
    return true;
}

static bool pair_operands(struct network_pairing *m, int own, int theirs)
{
    const struct layer *a = &m->own.net->layers[own], *b = &m->theirs.net->layers[theirs];
    if (!alike(m, own, theirs))
        return differ(m, own, theirs);
    bool swapped = false;
    if (commutes(a)) {
        const uint64_t *x = m->own.hash, *y = m->theirs.hash;
        swapped = x[a->operand[0]] != y[b->operand[0]]
               && (x[a->operand[0]] == y[b->operand[1]] || x[a->operand[1]] == y[b->operand[0]]);
    }
    for (int k = 0; k < a->operands; k++)
        if (!pair_layers(m, a->operand[k], b->operand[swapped ? 1 - k : k]))
            return false;
    return true;
}

/* ---- weights ---- */

/* The elements of a tensor, or `count` zeros; out owns them. */
static float *elements_of(struct network_pairing *m, const struct tensor *t, size_t count)
{
    float *elements = tensors_block(m->out, t ? tensor_count(t) : count, sizeof *elements, m->err);
    if (elements && t)
        tensor_floats(t, elements);
    return elements;
}

/* Compares two tensors; an absent one is all 0. */
static bool same_elements(struct network_pairing *m, int a, int b, bool *same)
{
    const struct tensor *list = m->theirs.net->weights.list, *x = a == NO_TENSOR ? NULL : &list[a];
    const struct tensor *y = b == NO_TENSOR ? NULL : &list[b];
    const size_t count = x ? tensor_count(x) : y ? tensor_count(y) : 0;
    const float *p = elements_of(m, x, count), *q = elements_of(m, y, count);
    *same = p && q && (!x || !y || tensor_count(y) == count) && memcmp(p, q, count * sizeof *p) == 0;
    return p && q;
}

/* Adds a tensor of own.  If layers of own share it, theirs must be equal. */
static bool give_tensor(struct network_pairing *m, int own, int theirs, const struct layer *layer)
{
    const struct tensor *t = &m->own.net->weights.list[own];
    const struct tensor *u = theirs == NO_TENSOR ? NULL : &m->theirs.net->weights.list[theirs];
    bool same = m->taken[own] == theirs;
    if (m->taken[own] == NOT_YET) {
        struct tensor one = u ? *u : *t;
        one.name = t->name;
        one.dtype = DTYPE_F32;
        one.data = (const unsigned char *)elements_of(m, u, tensor_count(t));
        m->taken[own] = theirs;
        return one.data && tensors_add(m->out, &one, m->err);
    }
    if (!same && !same_elements(m, m->taken[own], theirs, &same))
        return false;
    return same || fail(m->err,
                        "%s: layer %s: its weights differ from those of a layer with which it shares %s in the model",
                        m->path, layer->name, t->name);
}

static bool give_layer(struct network_pairing *m, int own)
{
    const struct layer *a = &m->own.net->layers[own], *b = &m->theirs.net->layers[m->pair[own]];
    bool zero = true;
    if (a->weight == NO_TENSOR)
        return true;
    if (a->bias == NO_TENSOR && !same_elements(m, b->bias, NO_TENSOR, &zero))
        return false;
    if (!zero)
        return fail(m->err, "%s: layer %s has a bias, the model's %s has none", m->path, b->name, a->name);
    return (a->bias == NO_TENSOR || give_tensor(m, a->bias, b->bias, b)) && give_tensor(m, a->weight, b->weight, b);
}

/* Operands come before the layers that read them, so a loop from the last layer down meets a layer after all its
 * readers have been matched. */
static bool match(struct network_pairing *m)
{
    const struct network *own = m->own.net;
    for (int i = 0; i < own->count; i++)
        m->pair[i] = -1;
    for (int i = 0; i < own->weights.count; i++)
        m->taken[i] = NOT_YET;
    bool ok = pair_outputs(m);
    for (int i = own->count - 1; ok && i >= 0; i--)
        ok = m->pair[i] < 0 || pair_operands(m, i, m->pair[i]);
    for (int i = 0; ok && i < own->count; i++)
        ok = m->pair[i] < 0 || give_layer(m, i);
    return ok;
}

bool network_match(const struct network *own, const struct network *theirs, const char *path, struct tensors *out,
                   struct error *err)
{
    struct network_pairing m = { .pair = new_array((size_t)own->count, sizeof *m.pair, err),
                                 .taken = new_array((size_t)own->weights.count, sizeof *m.taken, err),
                                 .path = path, .out = out, .err = err };
    const int before = out->count;
    const bool ok = m.pair && m.taken && paired_init(&m.own, own, err) && paired_init(&m.theirs, theirs, err)
                 && match(&m);
    while (!ok && out->count > before)
        free(out->list[--out->count].name);
    paired_free(&m.own);
    paired_free(&m.theirs);
    free(m.pair);
    free(m.taken);
    return ok;
}
