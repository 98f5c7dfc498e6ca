#include "weights/match.h"

#include "base/memory.h"
#include "data/sample.h"
#include "deploy/network_fold.h"
#include "deploy/network_match.h"
#include "deploy/network_split.h"
#include "model/model_network.h"
#include "op/ops.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the network ---- */

static bool match_merged(struct model *m, const struct network *own, const struct network *other, const char *path,
                         struct tensors *t, struct error *err)
{
    struct network merged;
    const bool ok = model_export_network(m, m->params.value, &merged, err) && network_fold(&merged, err)
                 && network_merge(&merged, err) && network_match(&merged, other, path, t, err)
                 && network_split(own, t, err);
    network_free(&merged);
    return ok;
}

/* If neither matches, the error is that of the network with separate branches. */
static bool match_either(struct model *m, const struct network *own, const struct network *other, const char *path,
                         struct tensors *t, struct error *err)
{
    struct error unused = {0};
    return network_match(own, other, path, t, err) || match_merged(m, own, other, path, t, &unused);
}

/* ---- norms ---- */

/* Adds the mean and variance of a norm that is only a scale and a shift. */
static bool add_statistics(struct tensors *t, const char *weight, size_t count, double eps, struct error *err)
{
    const int module = (int)(strlen(weight) - strlen("weight"));
    char mean[700], var[700];
    snprintf(mean, sizeof mean, "%.*srunning_mean", module, weight);
    snprintf(var, sizeof var, "%.*srunning_var", module, weight);
    return tensors_add_constant(t, mean, count, 0, err) && tensors_add_constant(t, var, count, 1 - eps, err);
}

/* Adds the statistics of the norms that did not fold. */
static bool add_norm_statistics(const struct network *own, struct tensors *t, struct error *err)
{
    bool *done = new_array((size_t)own->weights.count, sizeof *done, err), ok = done;
    for (int i = 0; ok && i < own->count; i++) {
        const struct layer *layer = &own->layers[i];
        if (layer->kind != LAYER_AFFINE || layer->bias == NO_TENSOR || done[layer->weight])
            continue;
        const struct tensor *w = &own->weights.list[layer->weight];
        done[layer->weight] = true;
        ok = add_statistics(t, w->name, w->dims[0], layer->eps, err);
    }
    free(done);
    return ok;
}

/* ---- computed weights ---- */

static struct tensor *find(const struct tensors *t, const char *name, const char *suffix)
{
    char full[700];
    snprintf(full, sizeof full, "%s%s", name, suffix);
    for (int i = 0; i < t->count; i++)
        if (strcmp(t->list[i].name, full) == 0)
            return &t->list[i];
    return NULL;
}

/* The least-squares scale s of s a = k, with a the sums over the taps of w and k a weight with a folded norm:
 * s = a k / a a; the residual is k k - s a k. */
static bool find_scale(const struct tensor *w, const struct tensor *k, double *s, struct error *err)
{
    const size_t channels = tensor_count(k), taps = channels ? tensor_count(w) / channels : 0;
    const float *tap = (const float *)(const void *)w->data, *kernel = (const float *)(const void *)k->data;
    double aa = 0, ak = 0, kk = 0;
    for (size_t c = 0; c < channels; c++) {
        double a = 0;
        for (size_t i = 0; i < taps; i++)
            a += *tap++;
        aa += a * a;
        ak += a * kernel[c];
        kk += (double)kernel[c] * kernel[c];
    }
    *s = aa > 0 ? ak / aa : 0;
    return kk - *s * ak <= 1e-4 * kk || fail(err, "%s: not the sums of %s, as in the model", k->name, w->name);
}

/* Restores scale and shift of a norm behind a convolution whose kernel is the sums of another kernel's taps. */
static bool add_norm_of_sums(const struct model *m, const struct graph *g, const struct node *norm, struct tensors *t,
                             struct error *err)
{
    const int conv = g->values[norm->operand[0]].producer;
    const int sums = conv >= 0 && g->nodes[conv].op == &op_conv ? g->values[g->nodes[conv].operand[1]].producer : -1;
    if (norm->op != &op_norm || sums < 0 || g->nodes[sums].op != &op_sum_taps)
        return true;
    const char *weight = m->params.list[g->values[norm->operand[1]].param].name;
    const char *bias = m->params.list[g->values[norm->operand[2]].param].name;
    const struct tensor *w = find(t, m->params.list[g->values[g->nodes[sums].operand[0]].param].name, "");
    struct tensor *kernel = find(t, g->nodes[sums].name, ""), *shift = find(t, g->nodes[sums].name, ".bias");
    double scale;
    if (!w || !kernel || !shift)
        return fail(err, "%s: no weights for it were found", norm->name);
    float *scale_value = tensors_block(t, 1, sizeof *scale_value, err);
    if (!scale_value || !find_scale(w, kernel, &scale, err))
        return false;
    *scale_value = (float)scale;
    kernel->data = (const unsigned char *)scale_value;
    kernel->rank = 1;
    kernel->dims[0] = 1;
    kernel->dtype = DTYPE_F32;
    return tensor_rename(kernel, weight, err) && tensor_rename(shift, bias, err)
        && add_statistics(t, weight, 1, (double)norm_attr(norm)->eps, err);
}

static bool add_norms_of_sums(struct model *m, struct tensors *t, struct error *err)
{
    const int *size = m->config->val.input_size, w = padded_side(size[0]), h = padded_side(size[1]);
    struct graph g = {0};
    bool ok = model_graph(m, &(struct graph_options){ .n = 1, .h = h, .w = w }, &g, err);
    for (int i = 0; ok && i < g.node_count; i++)
        ok = add_norm_of_sums(m, &g, &g.nodes[i], t, err);
    graph_free(&g);
    return ok;
}

/* ---- shapes ---- */

/* A network has the map [1][c][positions] for the parameter's rows [positions][c]. */
static bool map_to_rows(struct tensors *t, struct tensor *map, struct error *err)
{
    const size_t count = tensor_count(map), channels = map->dims[1], positions = count / channels;
    const float *from = (const float *)(const void *)map->data;
    float *rows = tensors_block(t, count, sizeof *rows, err);
    for (size_t i = 0; rows && i < count; i++)
        rows[i % positions * channels + i / positions] = from[i];
    map->data = (const unsigned char *)rows;
    return rows;
}

static bool all_equal(const struct tensor *t)
{
    const float *x = (const float *)(const void *)t->data;
    for (size_t i = 1; i < tensor_count(t); i++)
        if (x[i] < x[0] || x[i] > x[0])
            return false;
    return true;
}

/* Restores the parameter's shape: a network has a 1x1 convolution for a matrix, and a vector over the channels for a
 * single number. */
static bool reshape_as(const struct param *p, struct tensors *t, struct tensor *one, struct error *err)
{
    const bool matrix = p->rank == 2 || p->rank == 3;
    if (p->rank == 0 && !all_equal(one))
        return fail(err, "%s: a single number in the model, several here", one->name);
    if ((p->rank != 0 && !matrix) || (matrix && tensor_count(one) != (size_t)p->count))
        return true;
    if (p->rank == 3 && !map_to_rows(t, one, err))
        return false;
    one->rank = param_dims(p, one->dims);
    return true;
}

static bool reshape_as_parameters(const struct params *params, struct tensors *t, struct error *err)
{
    bool ok = true;
    for (int i = 0; ok && i < t->count; i++) {
        const int index = params_find(params, t->list[i].name);
        ok = index < 0 || reshape_as(&params->list[index], t, &t->list[i], err);
    }
    return ok;
}

/* classes is 0 if the file does not contain their number. */
static bool check_classes(const struct network *own, const struct network *other, const char *path, struct error *err)
{
    return own->classes == other->classes || other->classes == 0
        || fail(err, "%s: the head has %d class%s, the file has %d; ONNX and ncnn files fit only a head of as many "
                "classes, training takes others from .ckpt and .safetensors files", path, own->classes,
                own->classes == 1 ? "" : "es", other->classes);
}

bool match_weights_by_structure(struct model *m, struct network *other, const char *path, struct tensors *t,
                                struct error *err)
{
    struct network own;
    const bool ok = model_export_network(m, m->params.value, &own, err) && check_classes(&own, other, path, err)
                 && network_fold(&own, err) && network_fold(other, err) && match_either(m, &own, other, path, t, err)
                 && add_norm_statistics(&own, t, err) && add_norms_of_sums(m, t, err)
                 && reshape_as_parameters(&m->params, t, err);
    network_free(&own);
    return ok;
}
