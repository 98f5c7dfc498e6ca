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

/* ---- which layers ---- */

static void drop_heats(struct grad_cam *cam)
{
    for (int i = 0; i < cam->count; i++) {
        free(cam->heats[i].value);
        free(cam->heats[i].map);
    }
    cam->count = 0;
}

static bool add_heat(struct grad_cam *cam, const struct graph *g, int node, const char *name, struct error *err)
{
    const struct shape s = g->nodes[node].y[0];
    const size_t pixels = (size_t)s.h * (size_t)s.w;
    struct heat heat = { .node = node, .h = s.h, .w = s.w, .c = s.c,
                         .value = new_array(pixels * (size_t)s.c, sizeof *heat.value, err),
                         .map = new_array(pixels, sizeof *heat.map, err) };
    snprintf(heat.name, sizeof heat.name, "%s", name);
    cam->heats[cam->count++] = heat;
    return heat.value && heat.map;
}

static bool no_such_layer(const struct graph *g, const char *name, struct error *err)
{
    struct row { const char *name; } *rows = new_array((size_t)g->node_count + 1, sizeof *rows, err);
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
        return no_such_layer(g, cam->layer, err);
    const struct value_info *y = &g->values[g->nodes[node].result[0]];
    if (!y->wants_gradient || y->shape.lv.count || y->shape.n != 1)
        return misuse(err, "%s: its output is not one map that comes of the image", cam->layer);
    return add_heat(cam, g, node, "", err);
}

/* What the head reads of the neck, the largest map first. */
static bool add_levels(struct grad_cam *cam, const struct graph *g, int height, struct error *err)
{
    bool ok = true;
    for (int i = 0; ok && i < g->node_count; i++) {
        const int from = g->values[g->nodes[i].operand[0]].producer;
        bool known = from < 0 || !starts_with(g->nodes[i].name, "head.") || !starts_with(g->nodes[from].name, "fpn.");
        for (int k = 0; k < cam->count; k++)
            known = known || cam->heats[k].node == from;
        char name[24];
        if (known || cam->count == FEATURES)
            continue;
        snprintf(name, sizeof name, "stride%d", (height + g->nodes[from].y[0].h / 2) / g->nodes[from].y[0].h);
        ok = add_heat(cam, g, from, name, err);
    }
    return ok;
}

/* ---- values and gradients as they pass ---- */

/* map = max(sum over k of alpha[k] A[k], 0) */
static void make_map(struct grad_cam *cam, struct heat *heat, struct view gradient)
{
    const ptrdiff_t count = pixels(gradient);
    double *alpha = new_array((size_t)heat->c, sizeof *alpha, &cam->error);
    for (ptrdiff_t i = 0; alpha && i < count; i++)
        for (int k = 0; k < heat->c; k++)
            alpha[k] += (double)gradient.p[i * gradient.ld + k] / (double)count;
    for (ptrdiff_t i = 0; alpha && i < count; i++) {
        double sum = 0;
        for (int k = 0; k < heat->c; k++)
            sum += alpha[k] * heat->value[i * heat->c + k];
        heat->map[i] = (float)fmax(sum, 0);
    }
    free(alpha);
}

static void watch(void *watcher, const struct graph *g, int node, enum pass pass)
{
    struct grad_cam *cam = watcher;
    for (int i = 0; i < cam->count; i++) {
        struct heat *heat = &cam->heats[i];
        const struct call *made = &g->calls[FORWARD][node];
        if (heat->node != node)
            continue;
        if (pass == BACKWARD) {
            make_map(cam, heat, graph_gradient(g, g->nodes[node].result[0]));
            continue;
        }
        const struct call reader = { .x[0] = made->y[0], .x_deferred[0] = made->y_deferred[0], .kernels = g->kernels };
        copy_operand(&reader, 0, (struct range){ 0, heat->h * heat->w }, heat->value, heat->c);
    }
}

/* The gradient of S. */
static void seed(const struct grad_cam *cam, const struct graph *g)
{
    const value main = graph_output_named(g, "main");
    const struct view y = graph_view(g, main), dy = graph_gradient(g, main);
    const double bound = log(cam->score_thr / (1 - cam->score_thr));
    const real *best = y.p;
    bool any = false;
    for (ptrdiff_t i = 0; i < pixels(y); i++)
        for (int c = 0; c < y.c; c++) {
            const real *logit = &y.p[i * y.ld + c];
            const bool is_class = c < cam->model->shape.num_classes;
            dy.p[i * dy.ld + c] = is_class && *logit > bound;
            any = any || (is_class && *logit > bound);
            if (is_class && *logit > *best)
                best = logit;
        }
    if (!any)
        dy.p[(best - y.p) / y.ld * dy.ld + (best - y.p) % y.ld] = 1;
}

/* ---- an image ---- */

static bool run(struct grad_cam *cam, struct error *err)
{
    const struct batch *b = &cam->batch;
    const struct graph_options options = { .n = 1, .h = b->h, .w = b->w, .input_gradient = true };
    struct cached_graph *cached = graph_cache_find(&cam->cache, &options, err);
    drop_heats(cam);
    if (!cached || !(cam->layer ? add_layer(cam, &cached->graph, err) : add_levels(cam, &cached->graph, b->h, err)))
        return false;
    struct graph *g = &cached->graph;
    cam->error = (struct error){0};
    g->on_node = watch;
    g->on_node_data = cam;
    memcpy(graph_view(g, MODEL_INPUT).p, b->image, 3 * (size_t)b->h * (size_t)b->w * sizeof *b->image);
    graph_forward(g, 0);
    seed(cam, g);
    graph_backward(g, false);
    if (cam->error.exit)
        return fail_as(err, &cam->error, "%s", cam->error.text);
    for (int i = 0; i < cam->count; i++)
        for (int k = 0; k < cam->heats[i].h * cam->heats[i].w; k++)
            if (!isfinite(cam->heats[i].map[k]))
                return reject(err, "%s: its output or gradient is not finite", g->nodes[cam->heats[i].node].name);
    return true;
}

bool grad_cam_look(struct grad_cam *cam, const struct image *image, struct error *err)
{
    const struct data_config *data = &cam->model->config->val;
    struct random random = random_of(0, 0, 0);
    return batch_resize(&cam->batch, 1, err) && sample_make(&cam->batch.samples[0], data, image, &random, err)
        && batch_stack(&cam->batch, &data->pipeline, err) && run(cam, err);
}

/* The map at (x, y) of the network's input, whose pixels have their centres at whole numbers. */
static float sample_map(const struct grad_cam *cam, const struct heat *heat, double x, double y)
{
    const double u = (x + 0.5) * heat->w / cam->batch.w - 0.5, v = (y + 0.5) * heat->h / cam->batch.h - 0.5;
    const double column = fmin(fmax(u, 0), heat->w - 1), row = fmin(fmax(v, 0), heat->h - 1);
    const int left = (int)column, top = (int)row, right = left + (left + 1 < heat->w), low = top + (top + 1 < heat->h);
    const double s = column - left, t = row - top;
    const float *above = heat->map + (ptrdiff_t)top * heat->w, *below = heat->map + (ptrdiff_t)low * heat->w;
    return (float)((1 - t) * ((1 - s) * above[left] + s * above[right])
                   + t * ((1 - s) * below[left] + s * below[right]));
}

void grad_cam_spread(const struct grad_cam *cam, const struct heat *heat, float *out)
{
    const struct sample *sample = &cam->batch.samples[0];
    const ptrdiff_t count = (ptrdiff_t)sample->source.width * sample->source.height;
    const double (*m)[3] = sample->matrix.m;
    float most = 0;
    for (ptrdiff_t i = 0; i < count; i++) {
        const double x = (double)(i % sample->source.width), y = (double)(i / sample->source.width);
        const double z = m[2][0] * x + m[2][1] * y + m[2][2];
        out[i] = sample_map(cam, heat, (m[0][0] * x + m[0][1] * y + m[0][2]) / z,
                            (m[1][0] * x + m[1][1] * y + m[1][2]) / z);
        most = fmaxf(most, out[i]);
    }
    for (ptrdiff_t i = 0; i < count && most > 0; i++)
        out[i] /= most;
}

/* ---- beginning and end ---- */

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
    drop_heats(cam);
    graph_cache_free(&cam->cache);
    batch_free(&cam->batch);
    *cam = (struct grad_cam){0};
}
