#include "deploy/network_fold.h"

#include "base/memory.h"
#include "base/strbuf.h"
#include <stdlib.h>
#include <string.h>

struct network_folding {
    struct network *net;
    int *replacement;                        /* [layer] the earlier layer that now computes its value, or itself */
    int *uses, *reader;                 /* [layer] the number of operands and outputs that read it; its last reader */
    int *next;                          /* [layer] the next convolution of the same weight, or -1 */
    int *users, *first;                 /* [tensor] the number of its users; the first convolution with this weight */
    bool *unfoldable;                        /* [tensor] its convolutions do not fold */
    struct error *err;
};

/* ---- pruning ---- */

/* Removes the weights that no remaining layer uses. */
static bool keep_weights(struct network *net, struct error *err)
{
    int *place = new_array((size_t)net->weights.count, sizeof *place, err), kept = 0;
    if (!place)
        return false;
    for (int i = 0; i < net->count; i++) {
        const struct layer *layer = &net->layers[i];
        if (layer->weight != NO_TENSOR)
            place[layer->weight] = 1;
        if (layer->bias != NO_TENSOR)
            place[layer->bias] = 1;
    }
    for (int i = 0; i < net->weights.count; i++)
        if (place[i]) {
            place[i] = kept;
            net->weights.list[kept++] = net->weights.list[i];
        } else
            free(net->weights.list[i].name);
    net->weights.count = kept;
    for (int i = 0; i < net->count; i++) {
        struct layer *layer = &net->layers[i];
        layer->weight = layer->weight == NO_TENSOR ? NO_TENSOR : place[layer->weight];
        layer->bias = layer->bias == NO_TENSOR ? NO_TENSOR : place[layer->bias];
    }
    free(place);
    return true;
}

/* ---- walking ---- */

static void folding_free(struct network_folding *f)
{
    free(f->replacement);
    free(f->uses);
    free(f->reader);
    free(f->next);
    free(f->users);
    free(f->first);
    free(f->unfoldable);
}

static void count_uses(struct network_folding *f)
{
    const struct network *net = f->net;
    for (int i = 0; i < net->weights.count; i++)
        f->first[i] = -1;
    for (int i = 0; i < net->count; i++) {
        const struct layer *layer = &net->layers[i];
        f->replacement[i] = i;
        for (int k = 0; k < layer->operands; k++) {
            f->uses[layer->operand[k]]++;
            f->reader[layer->operand[k]] = i;
        }
        if (layer->bias != NO_TENSOR)
            f->users[layer->bias]++;
        if (layer->weight != NO_TENSOR)
            f->users[layer->weight]++;
        if (layer->kind == LAYER_CONV) {
            f->next[i] = f->first[layer->weight];
            f->first[layer->weight] = i;
        }
    }
    for (int i = 0; i < net->output_count; i++)
        f->uses[net->outputs[i]]++;
}

static bool folding_init(struct network_folding *f, struct network *net, struct error *err)
{
    const size_t layers = (size_t)net->count, tensors = (size_t)net->weights.count;
    int **arrays[] = { &f->replacement, &f->uses, &f->reader, &f->next, &f->users, &f->first };
    *f = (struct network_folding){ .net = net, .err = err,
                                   .unfoldable = new_array(tensors, sizeof *f->unfoldable, err) };
    bool ok = f->unfoldable;
    for (size_t i = 0; ok && i < sizeof arrays / sizeof *arrays; i++)
        ok = (*arrays[i] = new_array(i < 4 ? layers : tensors, sizeof **arrays[i], err));
    if (ok)
        count_uses(f);
    return ok;
}

static bool simplify(struct network *net, bool (*step)(struct network_folding *, int layer), struct error *err)
{
    struct network_folding f = {0};
    bool ok = network_prune(net, NULL, err) && folding_init(&f, net, err);
    for (int i = 0; ok && i < net->count; i++) {
        for (int k = 0; k < net->layers[i].operands; k++)
            net->layers[i].operand[k] = f.replacement[net->layers[i].operand[k]];
        ok = step(&f, i);
    }
    ok = ok && network_prune(net, f.replacement, err) && keep_weights(net, err);
    folding_free(&f);
    return ok && network_check(net, "a folded network", err);
}

/* ---- kernels ---- */

/* The elements of a tensor, or `count` equal elements if there is none; the caller frees them. */
static float *elements_of(const struct network *net, int tensor, size_t count, float otherwise, struct error *err)
{
    const struct tensor *t = tensor == NO_TENSOR ? NULL : &net->weights.list[tensor];
    float *elements = new_array(t ? tensor_count(t) : count, sizeof *elements, err);
    if (elements && t)
        tensor_floats(t, elements);
    for (size_t i = 0; elements && !t && i < count; i++)
        elements[i] = otherwise;
    return elements;
}

/* "conv.bias" for the weight "conv.weight". */
static bool bias_name(struct strbuf *name, const char *weight, struct error *err)
{
    static const char end[] = "weight";
    const size_t length = strlen(weight), n = sizeof end - 1;
    const bool ends = length >= n && strcmp(weight + length - n, end) == 0;
    strbuf_addf(name, "%.*s%s", (int)(ends ? length - n : length), weight, ends ? "bias" : ".bias");
    return strbuf_check(name, err);
}

/* New elements, owned by the network, for a convolution's weight (of the same shape) and bias. */
struct kernel { float *w, *b; };

static bool new_kernel(struct network *net, const struct layer *conv, struct kernel *k, struct error *err)
{
    const struct tensor *t = &net->weights.list[conv->weight];
    *k = (struct kernel){ tensors_block(&net->weights, tensor_count(t), sizeof *k->w, err),
                          tensors_block(&net->weights, t->dims[0], sizeof *k->b, err) };
    return k->w && k->b;
}

static bool set_kernel(struct network *net, struct layer *conv, const struct kernel *k, struct error *err)
{
    struct tensor *t = &net->weights.list[conv->weight];
    struct strbuf name = {0};
    struct tensor bias = { .dtype = DTYPE_F32, .rank = 1, .dims = { t->dims[0] }, .data = (const unsigned char *)k->b };
    t->dtype = DTYPE_F32;
    t->data = (const unsigned char *)k->w;
    const bool ok = bias_name(&name, t->name, err) && (bias.name = name.s) && tensors_add(&net->weights, &bias, err);
    conv->bias = net->weights.count - 1;
    strbuf_free(&name);
    return ok;
}

/* ---- affine layers ---- */

/* Is every user of this weight a convolution with the same bias, read only by the same affine layer? */
static bool folds(const struct network_folding *f, const struct layer *conv, const struct layer *affine)
{
    int count = 0;
    for (int i = f->first[conv->weight]; i >= 0; i = f->next[i], count++) {
        const struct layer *twin = &f->net->layers[i], *after = &f->net->layers[f->reader[i]];
        if (twin->bias != conv->bias || f->uses[i] != 1 || f->reader[i] == 0 || after->kind != LAYER_AFFINE
            || after->weight != affine->weight || after->bias != affine->bias)
            return false;
    }
    return count == f->users[conv->weight];
}

/* w' = s w, b' = s b + t */
static bool scale_kernel(struct network_folding *f, struct layer *conv, const struct layer *affine)
{
    struct network *net = f->net;
    const size_t count = tensor_count(&net->weights.list[conv->weight]), out = net->weights.list[conv->weight].dims[0];
    float *s = elements_of(net, affine->weight, out, 1, f->err), *t = elements_of(net, affine->bias, out, 0, f->err);
    float *w = elements_of(net, conv->weight, 0, 0, f->err), *b = elements_of(net, conv->bias, out, 0, f->err);
    struct kernel k;
    const bool ok = s && t && w && b && new_kernel(net, conv, &k, f->err);
    for (size_t i = 0; ok && i < count; i++)
        k.w[i] = s[i / (count / out)] * w[i];
    for (size_t o = 0; ok && o < out; o++)
        k.b[o] = (float)((double)s[o] * b[o] + t[o]);
    free(s);
    free(t);
    free(w);
    free(b);
    return ok && set_kernel(net, conv, &k, f->err);
}

static bool fold_affine(struct network_folding *f, int index)
{
    const struct layer *affine = &f->net->layers[index];
    struct layer *conv = &f->net->layers[affine->operand[0]];
    if (f->replacement[index] != index || affine->bias == NO_TENSOR || conv->kind != LAYER_CONV
        || f->unfoldable[conv->weight])
        return true;
    if (!folds(f, conv, affine)) {
        f->unfoldable[conv->weight] = true;
        return true;
    }
    if (!scale_kernel(f, conv, affine))
        return false;
    for (int i = f->first[conv->weight]; i >= 0; i = f->next[i]) {
        const int after = f->reader[i];
        f->net->layers[i].bias = conv->bias;
        f->replacement[after] = i;
        f->uses[i] = f->uses[after];
        f->reader[i] = f->reader[after];
    }
    return true;
}

static bool fold_layer(struct network_folding *f, int index)
{
    const struct layer *layer = &f->net->layers[index];
    const int x = layer->operand[0];
    const bool nothing = (layer->kind == LAYER_ACTIVATION && layer->act == ACT_NONE)
                      || (layer->kind == LAYER_CHANNELS && layer->to - layer->from == f->net->layers[x].out_channels);
    if (layer->kind == LAYER_AFFINE)
        return fold_affine(f, index);
    if (nothing) {
        f->replacement[index] = x;
        f->uses[x] += f->uses[index] - 1;
        f->reader[x] = f->reader[index];
    }
    return true;
}

bool network_fold(struct network *net, struct error *err) { return simplify(net, fold_layer, err); }

/* ---- branches ---- */

struct branch { const struct layer *conv, *affine; int from; };         /* both NULL: the input itself */

static struct branch branch_of(const struct network_folding *f, int x)
{
    const struct layer *layer = &f->net->layers[x];
    const bool alone = f->uses[x] == 1;
    if (alone && layer->kind == LAYER_CONV && f->users[layer->weight] == 1)
        return (struct branch){ .conv = layer, .from = layer->operand[0] };
    if (alone && layer->kind == LAYER_AFFINE)
        return (struct branch){ .affine = layer, .from = layer->operand[0] };
    return (struct branch){ .from = x };
}

static int side_of(const struct branch *b) { return b->conv ? b->conv->kernel : 1; }
static int pad_of(const struct branch *b)  { return b->conv ? b->conv->pad : 0; }

/* Can `small` be centred in `large`, a convolution? */
static bool parallel(const struct branch *large, const struct branch *small)
{
    const int margin = side_of(large) - side_of(small), stride = small->conv ? small->conv->stride : 1;
    return large->from == small->from && margin % 2 == 0 && pad_of(large) - pad_of(small) == margin / 2
        && large->conv->stride == stride && (!small->conv || small->conv->groups == large->conv->groups);
}

/* Adds the branch to the centre of a side x side kernel. */
static bool add_branch(const struct network_folding *f, const struct branch *b, const size_t *dims, struct kernel *k)
{
    const struct layer *layer = b->conv ? b->conv : b->affine;
    const size_t out = dims[0], in = dims[1], side = dims[2], own = (size_t)side_of(b), margin = (side - own) / 2;
    float *w = elements_of(f->net, layer ? layer->weight : NO_TENSOR, out, 1, f->err);
    float *shift = elements_of(f->net, layer ? layer->bias : NO_TENSOR, out, 0, f->err);
    const bool ok = w && shift;
    for (size_t o = 0; ok && o < out; o++) {
        k->b[o] += shift[o];
        for (size_t i = 0; i < (b->conv ? in * own * own : 1); i++) {
            const size_t c = b->conv ? i / own / own : o % in, y = i / own % own, x = i % own;
            k->w[((o * in + c) * side + y + margin) * side + x + margin] += w[b->conv ? o * in * own * own + i : o];
        }
    }
    free(w);
    free(shift);
    return ok;
}

/* The length of the module prefix that two dotted names share, with its dot. */
static int common_module(const char *a, const char *b)
{
    int dot = 0;
    for (int i = 0; a[i] && a[i] == b[i]; i++)
        if (a[i] == '.')
            dot = i + 1;
    return dot;
}

/* Sets the names of the merged layer and its weight. */
static bool name_merged(struct network *net, struct layer *sum, const struct layer *large, const struct layer *small,
                        struct error *err)
{
    struct strbuf module = {0}, weight = {0};
    strbuf_addf(&module, "%.*srbr_reparam", common_module(large->name, small->name), large->name);
    strbuf_addf(&weight, "%.*srbr_reparam.weight", common_module(large->name, small->name), large->name);
    if (!strbuf_check(&module, err) || !strbuf_check(&weight, err)) {
        strbuf_free(&module);
        strbuf_free(&weight);
        return false;
    }
    free(sum->name);
    free(net->weights.list[large->weight].name);
    sum->name = module.s;
    net->weights.list[large->weight].name = weight.s;
    return true;
}

/* Replaces the sum by the merged convolution. */
static bool merge_branches(struct network_folding *f, int index, const struct branch *large, const struct branch *small)
{
    struct network *net = f->net;
    struct layer *sum = &net->layers[index], merged = *large->conv;
    const struct layer *other = small->conv ? small->conv : small->affine ? small->affine : large->conv;
    const size_t *dims = net->weights.list[merged.weight].dims;
    struct kernel k;
    if (!name_merged(net, sum, large->conv, other, f->err) || !new_kernel(net, &merged, &k, f->err)
        || !add_branch(f, large, dims, &k) || !add_branch(f, small, dims, &k)
        || !set_kernel(net, &merged, &k, f->err))
        return false;
    merged.name = sum->name;
    *sum = merged;
    f->uses[large->from]--;
    return true;
}

static bool merge_layer(struct network_folding *f, int index)
{
    const struct layer *layer = &f->net->layers[index];
    if (layer->kind != LAYER_ADD)
        return true;
    const struct branch a = branch_of(f, layer->operand[0]), b = branch_of(f, layer->operand[1]);
    const bool b_larger = !a.conv || (b.conv && side_of(&b) > side_of(&a));
    const struct branch *large = b_larger ? &b : &a, *small = b_larger ? &a : &b;
    return !large->conv || !parallel(large, small) || merge_branches(f, index, large, small);
}

bool network_merge(struct network *net, struct error *err) { return simplify(net, merge_layer, err); }
