#include "model/detector.h"

#include "base/memory.h"
#include "kernel/kernels.h"
#include "model/criterion.h"
#include <stdlib.h>
#include <string.h>

enum { DETECTOR_PLANS = 8 };

struct detector_plan {
    int n, h, w;
    struct graph graph;
    struct prior_grid grid;
    long used;                          /* the run in which it last was */
};

bool detector_init(struct detector *d, struct model *model, const real *values, int threads, struct error *err)
{
    *d = (struct detector){ .model = model, .values = values, .team = { threads },
                            .rules = { model->shape.num_classes, model->shape.reg_max, 0.05, 0.6, DETECTOR_KEPT } };
    d->kernels = kernels_pick(getenv("NANODET_ISA"), err);
    d->plans = new_array(DETECTOR_PLANS, sizeof *d->plans, err);
    d->tmp = new_array((size_t)threads, sizeof *d->tmp, err);
    return d->kernels && d->plans && d->tmp;
}

void detector_free(struct detector *d)
{
    for (int i = 0; i < d->plan_count; i++)
        graph_free(&d->plans[i].graph);
    for (int i = 0; d->tmp && i < d->team.threads; i++)
        arena_free(&d->tmp[i]);
    block_free(d->block, d->block_size);
    batch_free(&d->own);
    free(d->plans);
    free(d->tmp);
    free(d->found);
    free(d->count);
    *d = (struct detector){0};
}

/* ---- plans ---- */

static struct detector_plan *find_plan(struct detector *d, int n, int h, int w)
{
    for (int i = 0; i < d->plan_count; i++)
        if (d->plans[i].n == n && d->plans[i].h == h && d->plans[i].w == w)
            return &d->plans[i];
    return NULL;
}

/* A free place: the plan not used for longest makes room. */
static struct detector_plan *free_place(struct detector *d)
{
    struct detector_plan *oldest = &d->plans[0];
    if (d->plan_count < DETECTOR_PLANS)
        return &d->plans[d->plan_count++];
    for (int i = 1; i < DETECTOR_PLANS; i++)
        if (d->plans[i].used < oldest->used)
            oldest = &d->plans[i];
    graph_free(&oldest->graph);
    return oldest;
}

/* Memory for one more graph; where it is too small, the graphs that share it go. */
static bool grow_block(struct detector *d, size_t size, struct error *err)
{
    if (size <= d->block_size)
        return true;
    while (d->plan_count > 0)
        graph_free(&d->plans[--d->plan_count].graph);
    block_free(d->block, d->block_size);
    d->block_size = 0;
    d->block = block_new(size, err);
    if (d->block)
        d->block_size = size;
    return d->block != NULL;
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

static struct detector_plan *make_plan(struct detector *d, int n, int h, int w, struct error *err)
{
    struct detector_plan p = { .n = n, .h = h, .w = w };
    struct binding to = { .params = &d->model->params, .values = d->values, .team = &d->team, .kernels = d->kernels };
    bool ok = model_graph(d->model, &(struct graph_options){ .n = n, .h = h, .w = w }, &p.graph, err)
           && grow_block(d, p.graph.block_size, err);
    to.block = d->block;
    ok = ok && graph_bind(&p.graph, &to, err) && criterion_grid(d->model, n, h, w, &p.grid, err)
      && grow_arenas(d, postprocess_bytes(&d->rules, &p.grid), err);
    if (!ok) {
        graph_free(&p.graph);
        return NULL;
    }
    struct detector_plan *place = free_place(d);
    *place = p;
    return place;
}

/* ---- running ---- */

static void write_input(struct detector_plan *p, const float *pixel)
{
    memcpy(graph_view(&p->graph, MODEL_INPUT).p, pixel,
           (size_t)p->n * (size_t)p->h * (size_t)p->w * 3 * sizeof *pixel);
}

static struct detector_plan *forward(struct detector *d, const float *pixel, int n, int h, int w, struct error *err)
{
    struct detector_plan *p = find_plan(d, n, h, w);
    if (!p)
        p = make_plan(d, n, h, w, err);
    if (!p)
        return NULL;
    p->used = ++d->runs;
    write_input(p, pixel);
    graph_forward(&p->graph, 0);
    return p;
}

static const float *prediction(const struct detector_plan *p)
{
    return graph_view(&p->graph, graph_output_named(&p->graph, "main")).p;
}

const float *detector_forward(struct detector *d, const float *pixel, int n, int h, int w, struct error *err)
{
    const struct detector_plan *p = forward(d, pixel, n, h, w, err);
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
    const struct detector_plan *plan;
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
    struct detector_plan *p = forward(d, batch->image, batch->n, batch->h, batch->w, err);
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
