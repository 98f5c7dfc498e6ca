#include "weights/fold.h"

#include "base/memory.h"
#include "data/sample.h"
#include "op/ops.h"
#include "weights/weights.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct conv_bias { char s[640]; };

static struct conv_bias bias_name(const struct params *params, const struct fold *f)
{
    const char *weight = params->list[f->weight].name;
    struct conv_bias name;
    snprintf(name.s, sizeof name.s, "%.*sbias", (int)(strlen(weight) - strlen("weight")), weight);
    return name;
}

/* ---- foldable norms ---- */

static int param_of(const struct graph *g, const struct node *n, int operand)
{
    return operand < n->in ? g->values[n->operand[operand]].param : -1;
}

static bool is_foldable(const struct graph *g, const struct node *norm, const int *uses, struct fold *out)
{
    const struct value_info *x = &g->values[norm->operand[0]];
    const struct node *conv = x->producer >= 0 ? &g->nodes[x->producer] : NULL;
    if (norm->op != &op_norm || !conv || conv->op != &op_conv || x->consumers != 1 || x->is_output)
        return false;
    *out = (struct fold){ param_of(g, conv, 1), param_of(g, conv, 2), param_of(g, norm, 1), param_of(g, norm, 2),
                          param_of(g, norm, 3), param_of(g, norm, 4), norm_attr(norm)->eps };
    const int all[] = { out->weight, out->gamma, out->beta, out->mean, out->var };
    bool exclusive = out->bias < 0 ? conv->in == 2 : uses[out->bias] == 1;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        exclusive = exclusive && all[i] >= 0 && uses[all[i]] == 1;
    return exclusive;
}

bool inference_of(struct inference *inference, struct model *model, struct error *err)
{
    const size_t count = (size_t)model->params.count;
    const int *size = model->config->val.input_size, w = padded_side(size[0]), h = padded_side(size[1]);
    struct graph g = {0};
    int *uses = new_array(count, sizeof *uses, err);
    *inference = (struct inference){ .needed = new_array(count, sizeof *inference->needed, err),
                                     .folds = new_array(count, sizeof *inference->folds, err) };
    const bool ok = uses && inference->needed && inference->folds
                 && model_graph(model, &(struct graph_options){ .n = 1, .h = h, .w = w }, &g, err);
    for (int i = 0; ok && i < g.node_count; i++)
        for (int k = 0; k < g.nodes[i].in; k++)
            if (param_of(&g, &g.nodes[i], k) >= 0)
                uses[param_of(&g, &g.nodes[i], k)]++;
    for (size_t i = 0; ok && i < count; i++)
        inference->needed[i] = uses[i] > 0;
    for (int i = 0; ok && i < g.node_count; i++)
        inference->fold_count += is_foldable(&g, &g.nodes[i], uses, &inference->folds[inference->fold_count]);
    graph_free(&g);
    free(uses);
    return ok;
}

void inference_free(struct inference *inference)
{
    free(inference->needed);
    free(inference->folds);
    *inference = (struct inference){0};
}

/* ---- in memory ---- */

static void fold_norm(const struct params *params, const struct fold *f, const real *from, real *to)
{
    const struct param *w = &params->list[f->weight];
    const ptrdiff_t gamma = params->list[f->gamma].offset, beta = params->list[f->beta].offset;
    const ptrdiff_t mean = params->list[f->mean].offset, var = params->list[f->var].offset;
    const ptrdiff_t bias = f->bias < 0 ? -1 : params->list[f->bias].offset, filter_size = w->count / w->shape.n;
    for (ptrdiff_t o = 0; o < w->shape.n; o++) {
        const double s = from[gamma + o] / sqrt(from[var + o] + f->eps);
        const double b = bias < 0 ? 0 : from[bias + o];
        for (ptrdiff_t i = w->offset + o * filter_size; i < w->offset + (o + 1) * filter_size; i++)
            to[i] = (real)(s * from[i]);
        to[beta + o] = (real)(from[beta + o] + s * (b - from[mean + o]));
        to[gamma + o] = 1;
        to[mean + o] = 0;
        to[var + o] = (real)(1 - f->eps);
        if (bias >= 0)
            to[bias + o] = 0;
    }
}

void fold_norms(const struct inference *inference, const struct params *params, const real *from, real *to)
{
    if (to != from)
        memcpy(to, from, (size_t)params->total * sizeof *to);
    for (int i = 0; i < inference->fold_count; i++)
        fold_norm(params, &inference->folds[i], from, to);
}

/* ---- in files ---- */

/* t->list[i] is the tensor of parameter i. */
static bool drop_norm(const struct params *params, const struct fold *f, struct tensors *t, bool *keep,
                      struct error *err)
{
    keep[f->gamma] = keep[f->mean] = keep[f->var] = false;
    if (f->bias >= 0)
        keep[f->bias] = false;
    return tensor_rename(&t->list[f->beta], bias_name(params, f).s, err);
}

bool inference_to_tensors(const struct inference *inference, const struct params *params, const real *array,
                          bool folded, struct tensors *t, struct error *err)
{
    bool *keep = new_array((size_t)params->count, sizeof *keep, err);
    bool ok = keep && weights_to_tensors(params, array, "", t, err);
    if (ok)
        memcpy(keep, inference->needed, (size_t)params->count * sizeof *keep);
    for (int i = 0; ok && folded && i < inference->fold_count; i++)
        ok = drop_norm(params, &inference->folds[i], t, keep, err);
    int kept = 0;
    for (int i = 0; ok && i < t->count; i++)
        if (keep[i])
            t->list[kept++] = t->list[i];
        else
            free(t->list[i].name);
    if (ok)
        t->count = kept;
    free(keep);
    return ok;
}

static bool add_norm(const struct params *params, const struct fold *f, int bias, struct tensors *t, struct error *err)
{
    const struct param *p = params->list;
    const size_t channels = (size_t)p[f->beta].count;
    return (f->bias >= 0 ? tensors_add_constant(t, p[f->beta].name, channels, 0, err)
                         : tensor_rename(&t->list[bias], p[f->beta].name, err))
        && tensors_add_constant(t, p[f->gamma].name, channels, 1, err)
        && tensors_add_constant(t, p[f->mean].name, channels, 0, err)
        && tensors_add_constant(t, p[f->var].name, channels, 1 - f->eps, err);
}

bool inference_unfold(const struct inference *inference, const struct params *params, struct tensors *t,
                      const char *path, struct error *err)
{
    int *bias = new_array((size_t)inference->fold_count, sizeof *bias, err);    /* tensors; -1: not folded */
    bool ok = bias && tensors_index(t, path, err);
    for (int i = 0; ok && i < inference->fold_count; i++) {
        const struct fold *f = &inference->folds[i];
        const struct tensor *conv_bias = tensors_find(t, bias_name(params, f).s);
        const bool has_norm = tensors_find(t, params->list[f->gamma].name);
        bias[i] = conv_bias && !has_norm ? (int)(conv_bias - t->list) : -1;
    }
    for (int i = 0; ok && i < inference->fold_count; i++)
        ok = bias[i] < 0 || add_norm(params, &inference->folds[i], bias[i], t, err);
    free(bias);
    return ok && tensors_index(t, path, err);
}
