#include "runtime/detector.h"

#include "base/memory.h"
#include "runtime/tiled_detector.h"
#include "weights/merge.h"
#include <stdlib.h>
#include <string.h>

bool detector_init(struct detector *d, struct model *model, const real *values, const struct policy *policy,
                   struct error *err)
{
    const int threads = policy->threads;
    const struct test_config *test = &model->config->test;
    *d = (struct detector){ .model = model, .policy = *policy, .team = { threads },
                            .tiles = model->config->val_tiles,
                            .rules = { model->shape.num_classes, model->shape.reg_max, test->score_thr, test->nms_iou,
                                       test->max_per_image, policy->kernels, test->class_agnostic_nms } };
    d->tmp = new_array((size_t)threads, sizeof *d->tmp, err);
    if (!d->tmp || (model->branches && !model_merge(&d->merged, model, values, err)))
        return false;
    if (model->branches) {
        model = &d->merged;
        values = model->params.value;
    }
    const struct binding to = { .params = &model->params, .values = values, .team = &d->team };
    if (!graph_cache_init(&d->cache, model, &d->policy, &to, NULL, err))
        return false;
    d->cache.replicas = threads > 1 ? threads : 0;
    return true;
}

void detector_free(struct detector *d)
{
    graph_cache_free(&d->cache);
    model_free(&d->merged);
    for (int i = 0; d->tmp && i < d->team.threads; i++)
        arena_free(&d->tmp[i]);
    batch_free(&d->own);
    free(d->tmp);
    free(d->detections);
    free(d->count);
    *d = (struct detector){0};
}

static bool reserve_arenas(struct detector *d, size_t size, struct error *err)
{
    for (int i = 0; i < d->team.threads; i++)
        if (d->tmp[i].size < size) {
            arena_free(&d->tmp[i]);
            if (!arena_init(&d->tmp[i], size, err))
                return false;
        }
    return true;
}

struct graph *detector_graph(struct detector *d, int h, int w, struct error *err)
{
    struct cached_graph *p = graph_cache_find_single(&d->cache, h, w, err);
    return p ? &p->graph : NULL;
}

const float *detector_forward(struct detector *d, const float *pixel, int h, int w, struct error *err)
{
    return graph_cache_infer(&d->cache, pixel, h, w, err);
}

bool detector_forward_each(struct detector *d, const float *pixel, int n, int h, int w,
                           void (*on_rows)(void *context, int image, const float *rows), void *context,
                           struct error *err)
{
    return graph_cache_infer_each(&d->cache, pixel, n, h, w, on_rows, context, err);
}

static bool reserve_results(struct detector *d, int n, struct error *err)
{
    if (n <= d->capacity)
        return true;
    free(d->detections);
    free(d->count);
    d->detections = new_array((size_t)n, (size_t)d->rules.max_kept * sizeof *d->detections, err);
    d->count = new_array((size_t)n, sizeof *d->count, err);
    d->capacity = d->detections && d->count ? n : 0;
    return d->capacity > 0;
}

struct detection_job {
    struct detector *d;
    const struct prior_grid *grid;
    const struct batch *batch;
    struct error *errors;               /* [n] */
};

static void detect(void *context, int i, const float *rows)
{
    const struct detection_job *k = context;
    const struct sample *s = &k->batch->samples[i];
    struct detected *detected = k->d->detections + (ptrdiff_t)i * k->d->rules.max_kept;
    int *count = &k->d->count[i];
    if (postprocess(&k->d->rules, k->grid, 0, rows, &k->d->tmp[team_thread()], detected, count, &k->errors[i]))
        detected_to_source(detected, *count, &s->matrix, s->source, &k->errors[i]);
}

/* Fails with the error of the first image that has one, and adds the layer whose output is not finite. */
static bool check_errors(struct detector *d, const struct batch *b, const struct error *errors, struct error *err)
{
    int i = 0;
    while (i < b->n && !errors[i].exit)
        i++;
    if (i == b->n)
        return true;
    struct graph *g = detector_graph(d, b->h, b->w, err);
    if (!g)
        return false;
    graph_bind_input(g, MODEL_INPUT, b->image + (ptrdiff_t)i * b->h * b->w * 3);
    const char *layer = graph_find_nonfinite(g, 0);
    return layer ? fail_as(err, &errors[i], "%s; the first layer whose output is not finite is %s", errors[i].text,
                           layer)
                 : fail_as(err, &errors[i], "%s", errors[i].text);
}

bool detector_run(struct detector *d, const struct batch *batch, struct error *err)
{
    const struct cached_graph *p = graph_cache_find_single(&d->cache, batch->h, batch->w, err);
    struct detection_job job = { d, p ? &p->grid : NULL, batch, new_array((size_t)batch->n, sizeof *job.errors, err) };
    const bool ok = p && job.errors && reserve_results(d, batch->n, err)
                 && reserve_arenas(d, postprocess_bytes(&d->rules, &p->grid), err)
                 && detector_forward_each(d, batch->image, batch->n, batch->h, batch->w, detect, &job, err)
                 && check_errors(d, batch, job.errors, err);
    free(job.errors);
    return ok;
}

bool detector_detect_image(struct detector *d, const struct image *image, struct error *err)
{
    const struct data_config *data = &d->model->config->val;
    if (d->tiles.size.count) {
        const struct image_size tile = tile_size(&d->tiles.size, data->input_size);
        if (!tile_covers(tile, (struct image_size){ image->width, image->height }))
            return detect_tiles(d, tile, image, err);
    }
    struct random random = random_of((uint64_t)d->model->config->seed, 0, 0);
    return batch_resize(&d->own, 1, err) && sample_make(&d->own.samples[0], data, image, &random, err)
        && batch_stack(&d->own, &data->pipeline, err) && detector_run(d, &d->own, err);
}
