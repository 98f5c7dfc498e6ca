#include "model/detector.h"

#include "base/memory.h"
#include "kernel/kernels.h"
#include "model/merge.h"
#include <stdlib.h>
#include <string.h>

bool detector_init(struct detector *d, struct model *model, const real *values, int threads, struct error *err)
{
    const struct kernels *kernels = kernels_wanted(err);
    *d = (struct detector){ .model = model, .kernels = kernels, .team = { threads },
                            .rules = { model->shape.num_classes, model->shape.reg_max, detector_score, detector_iou,
                                       DETECTOR_KEPT, kernels } };
    d->tmp = new_array((size_t)threads, sizeof *d->tmp, err);
    if (!d->kernels || !d->tmp || (model->branches && !model_merge(&d->merged, model, values, err)))
        return false;
    if (model->branches) {
        model = &d->merged;
        values = model->params.value;
    }
    const struct binding to = { .params = &model->params, .values = values, .team = &d->team, .kernels = d->kernels };
    return plans_init(&d->plans, model, &to, NULL, err);
}

void detector_free(struct detector *d)
{
    plans_free(&d->plans);
    model_free(&d->merged);
    for (int i = 0; d->tmp && i < d->team.threads; i++)
        arena_free(&d->tmp[i]);
    batch_free(&d->own);
    free(d->tmp);
    free(d->found);
    free(d->count);
    *d = (struct detector){0};
}

static bool grow_arenas(struct detector *d, size_t size, struct error *err)
{
    for (int i = 0; i < d->team.threads; i++)
        if (d->tmp[i].size < size) {
            arena_free(&d->tmp[i]);
            if (!arena_init(&d->tmp[i], size, err))
                return false;
        }
    return true;
}

struct graph *detector_graph(struct detector *d, int n, int h, int w, struct error *err)
{
    struct plan *p = plans_find(&d->plans, &(struct graph_options){ .n = n, .h = h, .w = w }, err);
    return p ? &p->graph : NULL;
}

static void write_input(struct plan *p, const float *pixel)
{
    const struct graph_options *o = &p->options;
    memcpy(graph_view(&p->graph, MODEL_INPUT).p, pixel,
           (size_t)o->n * (size_t)o->h * (size_t)o->w * 3 * sizeof *pixel);
}

static struct plan *forward(struct detector *d, const float *pixel, int n, int h, int w, struct error *err)
{
    struct plan *p = plans_find(&d->plans, &(struct graph_options){ .n = n, .h = h, .w = w }, err);
    if (!p || !grow_arenas(d, postprocess_bytes(&d->rules, &p->grid), err))
        return NULL;
    write_input(p, pixel);
    graph_forward(&p->graph, 0);
    return p;
}

static const float *prediction(const struct plan *p)
{
    return graph_view(&p->graph, graph_output_named(&p->graph, "main")).p;
}

const float *detector_forward(struct detector *d, const float *pixel, int n, int h, int w, struct error *err)
{
    const struct plan *p = forward(d, pixel, n, h, w, err);
    return p ? prediction(p) : NULL;
}

static bool grow_results(struct detector *d, int n, struct error *err)
{
    if (n <= d->room)
        return true;
    free(d->found);
    free(d->count);
    d->found = new_array((size_t)n, DETECTOR_KEPT * sizeof *d->found, err);
    d->count = new_array((size_t)n, sizeof *d->count, err);
    d->room = d->found && d->count ? n : 0;
    return d->room > 0;
}

struct detection_job {
    struct detector *d;
    const struct plan *plan;
    const struct batch *batch;
    struct error *errors;               /* [n] */
};

static void detect_in_image(const void *job, int i)
{
    const struct detection_job *k = job;
    const struct sample *s = &k->batch->samples[i];
    struct detected *found = k->d->found + (ptrdiff_t)i * DETECTOR_KEPT;
    int *count = &k->d->count[i];
    if (postprocess(&k->d->rules, &k->plan->grid, i, prediction(k->plan), &k->d->tmp[team_self()], found, count,
                    &k->errors[i]))
        detected_to_source(found, *count, &s->matrix, s->source, &k->errors[i]);
}

bool detector_run(struct detector *d, const struct batch *batch, struct error *err)
{
    struct plan *p = forward(d, batch->image, batch->n, batch->h, batch->w, err);
    struct detection_job job = { d, p, batch, new_array((size_t)batch->n, sizeof *job.errors, err) };
    bool ok = p && job.errors && grow_results(d, batch->n, err);
    if (ok)
        team_for(&d->team, batch->n, detect_in_image, &job);
    for (int i = 0; ok && i < batch->n; i++)
        ok = !job.errors[i].exit || fail(err, "%s", job.errors[i].text);
    free(job.errors);
    if (!p || ok)
        return ok;
    write_input(p, batch->image);
    const char *layer = graph_blame(&p->graph, 0);
    if (!layer)
        return false;
    const struct error first = *err;
    return fail(err, "%s; the first layer whose output is not finite is %s", first.text, layer);
}

bool detector_look(struct detector *d, const struct picture *picture, struct error *err)
{
    const struct data_config *data = &d->model->config->val;
    struct random random = random_of((uint64_t)d->model->config->seed, 0, 0);
    return batch_resize(&d->own, 1, err) && sample_make(&d->own.samples[0], data, picture, &random, err)
        && batch_stack(&d->own, &data->pipeline, err) && detector_run(d, &d->own, err);
}
