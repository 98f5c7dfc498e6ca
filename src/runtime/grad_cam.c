#include "runtime/grad_cam.h"

#include "base/memory.h"
#include "base/strbuf.h"
#include "base/table.h"
#include "graph/operands.h"
#include "model/describe.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- layers ---- */

static void free_heatmaps(struct grad_cam *cam)
{
    for (int i = 0; i < cam->count; i++) {
        free(cam->heatmaps[i].value);
        free(cam->heatmaps[i].map);
    }
    cam->count = 0;
}

static bool add_heatmap(struct grad_cam *cam, const struct graph *g, int node, const char *name, struct error *err)
{
    const struct shape s = g->nodes[node].y[0];
    const size_t pixels = (size_t)s.h * (size_t)s.w;
    struct layer_heatmap heatmap = { .node = node, .h = s.h, .w = s.w, .c = s.c,
                                     .value = new_array(pixels * (size_t)s.c, sizeof *heatmap.value, err),
                                     .map = new_array(pixels, sizeof *heatmap.map, err) };
    snprintf(heatmap.name, sizeof heatmap.name, "%s", name);
    cam->heatmaps[cam->count++] = heatmap;
    return heatmap.value && heatmap.map;
}

static bool fail_unknown_layer(const struct graph *g, const char *name, struct error *err)
{
    struct layer_name { const char *name; } *rows = new_array((size_t)g->node_count + 1, sizeof *rows, err);
    int count = 0;
    if (!rows)
        return false;
    for (int i = 0; i < g->node_count; i++)
        if (node_is_layer(&g->nodes[i]))
            rows[count++].name = g->nodes[i].name;
    misuse(err, "no layer is called %s; did you mean %s?", name, nearest_name(name, rows, sizeof *rows));
    free(rows);
    return false;
}

static bool add_layer(struct grad_cam *cam, const struct graph *g, struct error *err)
{
    int node = g->node_count - 1;
    while (node >= 0 && (!node_is_layer(&g->nodes[node]) || strcmp(g->nodes[node].name, cam->layer) != 0))
        node--;
    if (node < 0)
        return fail_unknown_layer(g, cam->layer, err);
    const struct value_info *y = &g->values[g->nodes[node].result[0]];
    if (!y->wants_gradient || y->shape.lv.count || y->shape.n != 1)
        return misuse(err, "%s: its output is not one map that comes of the image", cam->layer);
    return add_heatmap(cam, g, node, "", err);
}

/* The outputs of the neck that the head reads, the largest map first. */
static bool add_levels(struct grad_cam *cam, const struct graph *g, int height, struct error *err)
{
    bool ok = true;
    for (int i = 0; ok && i < g->node_count; i++) {
        const int producer = g->values[g->nodes[i].operand[0]].producer;
        bool skip = producer < 0 || !starts_with(g->nodes[i].name, "head.")
                 || !starts_with(g->nodes[producer].name, "fpn.");
        for (int k = 0; k < cam->count; k++)
            skip = skip || cam->heatmaps[k].node == producer;
        char name[24];
        if (skip || cam->count == FEATURES)
            continue;
        snprintf(name, sizeof name, "stride%d", (height + g->nodes[producer].y[0].h / 2) / g->nodes[producer].y[0].h);
        ok = add_heatmap(cam, g, producer, name, err);
    }
    return ok;
}

/* ---- values and gradients of the layers ---- */

/* map = max(sum over k of alpha[k] A[k], 0) */
static void make_map(struct grad_cam *cam, struct layer_heatmap *heatmap, struct view gradient)
{
    const ptrdiff_t count = pixels(gradient);
    double *alpha = new_array((size_t)heatmap->c, sizeof *alpha, &cam->error);
    for (ptrdiff_t i = 0; alpha && i < count; i++)
        for (int k = 0; k < heatmap->c; k++)
            alpha[k] += (double)gradient.p[i * gradient.ld + k] / (double)count;
    for (ptrdiff_t i = 0; alpha && i < count; i++) {
        double sum = 0;
        for (int k = 0; k < heatmap->c; k++)
            sum += alpha[k] * heatmap->value[i * heatmap->c + k];
        heatmap->map[i] = (float)fmax(sum, 0);
    }
    free(alpha);
}

static void record_node(void *context, const struct graph *g, int node, enum pass pass)
{
    struct grad_cam *cam = context;
    for (int i = 0; i < cam->count; i++) {
        struct layer_heatmap *heatmap = &cam->heatmaps[i];
        const struct call *call = &g->calls[FORWARD][node];
        if (heatmap->node != node)
            continue;
        if (pass == BACKWARD) {
            make_map(cam, heatmap, graph_gradient(g, g->nodes[node].result[0]));
            continue;
        }
        const struct call reader = { .x[0] = read_only(call->y[0]), .x_deferred[0] = call->y_deferred[0],
                                     .kernels = g->kernels };
        copy_operand(&reader, 0, (struct range){ 0, heatmap->h * heatmap->w }, heatmap->value, heatmap->c);
    }
}

/* Sets the gradient of the output to that of S. */
static void seed_gradient(const struct grad_cam *cam, const struct graph *g)
{
    const value main = graph_output_named(g, "main");
    const struct view y = graph_view(g, main), dy = graph_gradient(g, main);
    const double threshold = log(cam->score_thr / (1 - cam->score_thr));
    const real *best = y.p;
    bool any_above = false;
    for (ptrdiff_t i = 0; i < pixels(y); i++)
        for (int c = 0; c < y.c; c++) {
            const real *logit = &y.p[i * y.ld + c];
            const bool is_class = c < cam->model->shape.num_classes;
            dy.p[i * dy.ld + c] = is_class && *logit > threshold;
            any_above = any_above || (is_class && *logit > threshold);
            if (is_class && *logit > *best)
                best = logit;
        }
    if (!any_above)
        dy.p[(best - y.p) / y.ld * dy.ld + (best - y.p) % y.ld] = 1;
}

/* ---- an image ---- */

static bool run(struct grad_cam *cam, struct error *err)
{
    const struct batch *b = &cam->batch;
    const struct graph_options options = { .n = 1, .h = b->h, .w = b->w, .input_gradient = true };
    struct cached_graph *cached = graph_cache_find(&cam->cache, &options, err);
    free_heatmaps(cam);
    if (!cached || !(cam->layer ? add_layer(cam, &cached->graph, err) : add_levels(cam, &cached->graph, b->h, err)))
        return false;
    struct graph *g = &cached->graph;
    cam->error = (struct error){0};
    g->on_node = record_node;
    g->on_node_data = cam;
    memcpy(graph_view(g, MODEL_INPUT).p, b->image, 3 * (size_t)b->h * (size_t)b->w * sizeof *b->image);
    graph_forward(g, 0);
    seed_gradient(cam, g);
    graph_backward(g, false);
    if (cam->error.exit)
        return fail_as(err, &cam->error, "%s", cam->error.text);
    for (int i = 0; i < cam->count; i++)
        for (int k = 0; k < cam->heatmaps[i].h * cam->heatmaps[i].w; k++)
            if (!isfinite(cam->heatmaps[i].map[k]))
                return reject(err, "%s: its output or gradient is not finite", g->nodes[cam->heatmaps[i].node].name);
    return true;
}

bool grad_cam_run(struct grad_cam *cam, const struct image *image, struct error *err)
{
    const struct data_config *data = &cam->model->config->val;
    struct random random = random_of(0, 0, 0);
    return batch_resize(&cam->batch, 1, err) && sample_make(&cam->batch.samples[0], data, image, &random, err)
        && batch_stack(&cam->batch, &data->pipeline, err) && run(cam, err);
}

/* The map at (x, y) of the network's input; pixel centres have integer coordinates. */
static float sample_map(const struct grad_cam *cam, const struct layer_heatmap *heatmap, double x, double y)
{
    const double u = (x + 0.5) * heatmap->w / cam->batch.w - 0.5, v = (y + 0.5) * heatmap->h / cam->batch.h - 0.5;
    const double column = fmin(fmax(u, 0), heatmap->w - 1), row = fmin(fmax(v, 0), heatmap->h - 1);
    const int left = (int)column, right = left + (left + 1 < heatmap->w);
    const int top = (int)row, bottom = top + (top + 1 < heatmap->h);
    const double s = column - left, t = row - top;
    const float *above = heatmap->map + (ptrdiff_t)top * heatmap->w;
    const float *below = heatmap->map + (ptrdiff_t)bottom * heatmap->w;
    return (float)((1 - t) * ((1 - s) * above[left] + s * above[right])
                   + t * ((1 - s) * below[left] + s * below[right]));
}

void grad_cam_upsample(const struct grad_cam *cam, const struct layer_heatmap *heatmap, float *out)
{
    const struct sample *sample = &cam->batch.samples[0];
    const ptrdiff_t count = (ptrdiff_t)sample->source.width * sample->source.height;
    const double (*m)[3] = sample->matrix.m;
    float max = 0;
    for (ptrdiff_t i = 0; i < count; i++) {
        const double x = (double)(i % sample->source.width), y = (double)(i / sample->source.width);
        const double z = m[2][0] * x + m[2][1] * y + m[2][2];
        out[i] = sample_map(cam, heatmap, (m[0][0] * x + m[0][1] * y + m[0][2]) / z,
                            (m[1][0] * x + m[1][1] * y + m[1][2]) / z);
        max = fmaxf(max, out[i]);
    }
    for (ptrdiff_t i = 0; i < count && max > 0; i++)
        out[i] /= max;
}

/* ---- initialisation ---- */

bool grad_cam_init(struct grad_cam *cam, struct model *model, const char *layer, double score_thr,
                   const struct policy *policy, struct error *err)
{
    *cam = (struct grad_cam){ .model = model, .policy = *policy, .team = { policy->threads }, .layer = layer,
                              .score_thr = score_thr };
    const struct binding to = { .params = &model->params, .values = model->params.value, .team = &cam->team };
    const int *size = model->config->val.input_size;
    const struct graph_options options = { .n = 1, .h = padded_side(size[1]), .w = padded_side(size[0]),
                                           .input_gradient = true };
    struct cached_graph *cached = graph_cache_init(&cam->cache, model, &cam->policy, &to, NULL, err)
                      ? graph_cache_find(&cam->cache, &options, err) : NULL;
    return cached && (!layer || add_layer(cam, &cached->graph, err));
}

void grad_cam_free(struct grad_cam *cam)
{
    free_heatmaps(cam);
    graph_cache_free(&cam->cache);
    batch_free(&cam->batch);
    *cam = (struct grad_cam){0};
}
