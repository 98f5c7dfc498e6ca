#include "train/learner.h"

#include "base/memory.h"
#include "kernel/kernels.h"
#include "model/criterion.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

double losses_total(const struct losses *l)
{
    double sum = 0;
    for (int head = LOSS_MAIN; head <= (l->aux ? LOSS_AUX : LOSS_MAIN); head++)
        sum += l->head[head].qfl + l->head[head].bbox + l->head[head].dfl;
    return sum;
}

bool learner_init(struct learner *l, struct model *model, int threads, struct error *err)
{
    *l = (struct learner){ .model = model, .team = { threads } };
    l->kernels = kernels_pick(getenv("NANODET_ISA"), err);
    l->plans = new_array(PLANS, sizeof *l->plans, err);
    return l->kernels && l->plans && criterion_read(model, &l->criterion, err)
        && optimizer_init(&l->optimizer, model->config, &model->params, err);
}

static void drop(struct plan_for *p)
{
    graph_free(&p->graph);
    loss_free(&p->loss);
    *p = (struct plan_for){0};
}

void learner_free(struct learner *l)
{
    for (int i = 0; i < l->plan_count; i++)
        drop(&l->plans[i]);
    free(l->plans);
    block_free(l->block, l->block_size);
    optimizer_free(&l->optimizer);
    *l = (struct learner){0};
}

static struct plan_for *find_plan(struct learner *l, const struct images *in, bool detached)
{
    for (int i = 0; i < l->plan_count; i++) {
        struct plan_for *p = &l->plans[i];
        if (p->n == in->n && p->h == in->h && p->w == in->w && p->detached == detached)
            return p;
    }
    return NULL;
}

/* A free place for a plan: the one not used for longest makes room. */
static struct plan_for *free_place(struct learner *l)
{
    struct plan_for *oldest = &l->plans[0];
    if (l->plan_count < PLANS)
        return &l->plans[l->plan_count++];
    for (int i = 1; i < PLANS; i++)
        if (l->plans[i].used < oldest->used)
            oldest = &l->plans[i];
    drop(oldest);
    return oldest;
}

/* Memory for one more graph; where it is too small, the graphs that share it go. */
static bool grow_block(struct learner *l, size_t size, struct error *err)
{
    if (size <= l->block_size)
        return true;
    while (l->plan_count > 0)
        drop(&l->plans[--l->plan_count]);
    block_free(l->block, l->block_size);
    l->block_size = 0;
    l->block = block_new(size, err);
    if (l->block)
        l->block_size = size;
    return l->block != NULL;
}

static struct plan_for *make_plan(struct learner *l, const struct images *in, bool detached, struct error *err)
{
    struct plan_for p = { .n = in->n, .h = in->h, .w = in->w, .detached = detached };
    const struct graph_options options = { .n = in->n, .h = in->h, .w = in->w, .training = true, .detached = detached };
    struct prior_grid grid;
    struct binding to = { &l->model->params, l->model->params.value, l->optimizer.gradient, &l->team, l->kernels, NULL };
    bool ok = model_graph(l->model, &options, &p.graph, err) && grow_block(l, p.graph.block_size, err);
    to.block = l->block;
    ok = ok && graph_bind(&p.graph, &to, err)
      && criterion_grid(l->model, in->n, in->h, in->w, &grid, err)
      && loss_init(&p.loss, &l->criterion, &grid, &l->team, err);
    if (!ok) {
        drop(&p);
        return NULL;
    }
    struct plan_for *place = free_place(l);
    *place = p;
    return place;
}

static bool detached(const struct learner *l, int epoch)
{
    return l->model->aux_head && epoch >= l->model->config->model.detach_epoch;
}

/* The predictions or their gradients as the losses take them: rows without gaps. */
static float *rows(struct view v) { return v.p; }

static bool assign_and_differentiate(struct plan_for *p, const struct images *in, bool aux, struct losses *losses,
                                     struct error *err)
{
    static const char *const names[LOSS_HEADS] = { "main", "aux" };
    const float *pred[LOSS_HEADS] = { NULL, NULL };
    struct loss_sums sums;
    for (int head = 0; head <= (int)aux; head++)
        pred[head] = rows(graph_view(&p->graph, graph_output_named(&p->graph, names[head])));
    if (!loss_assign(&p->loss, pred, in->truth, &sums, err))
        return false;
    *losses = (struct losses){ .aux = aux };
    for (int head = 0; head <= (int)aux; head++)
        losses->head[head] = loss_gradient(&p->loss, (enum loss_head)head, pred[head], in->truth, &sums,
                               rows(graph_gradient(&p->graph, graph_output_named(&p->graph, names[head]))));
    return true;
}

static void write_input(struct plan_for *p, const struct images *in)
{
    memcpy(graph_view(&p->graph, MODEL_INPUT).p, in->pixel,
           (size_t)in->n * (size_t)in->h * (size_t)in->w * 3 * sizeof *in->pixel);
}

bool learner_forward(struct learner *l, const struct images *in, int epoch, struct losses *losses,
                     struct plan_for **used, struct error *err)
{
    struct plan_for *p = find_plan(l, in, detached(l, epoch));
    if (!p)
        p = make_plan(l, in, detached(l, epoch), err);
    if (!p)
        return false;
    const uint64_t key = (uint64_t)l->optimizer.step;
    p->used = ++l->batches;
    write_input(p, in);
    graph_forward(&p->graph, key);
    *used = p;
    if (assign_and_differentiate(p, in, l->model->aux_head != NULL, losses, err))
        return true;
    const struct error first = *err;
    write_input(p, in);
    const char *layer = graph_blame(&p->graph, key);
    return layer ? fail(err, "%s; the first layer whose output is not finite is %s", first.text, layer) : false;
}

/* A parameter whose gradient is not finite. */
static const char *not_finite(const struct optimizer *o)
{
    for (int i = 0; i < o->params->count; i++) {
        const struct param *p = &o->params->list[i];
        for (ptrdiff_t j = 0; p->kind == PARAM_TRAINED && j < p->count; j++)
            if (!isfinite(o->gradient[p->offset + j]))
                return p->name;
    }
    return "?";
}

bool learner_update(struct learner *l, double *norm, struct error *err)
{
    *norm = optimizer_norm(&l->optimizer, &l->team);
    if (!isfinite(*norm))
        return fail(err, "the gradient of %s is not finite", not_finite(&l->optimizer));
    optimizer_step(&l->optimizer, &l->team, *norm);
    return true;
}
