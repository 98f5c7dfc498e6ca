#include "train/train_step.h"

#include "base/random.h"
#include "model/criterion.h"
#include <math.h>
#include <string.h>

double losses_total(const struct losses *l)
{
    double sum = 0;
    for (int head = LOSS_MAIN; head <= (l->aux ? LOSS_AUX : LOSS_MAIN); head++)
        sum += l->head[head].qfl + l->head[head].bbox + l->head[head].dfl;
    return sum;
}

bool train_step_init(struct train_step *s, struct model *model, const struct policy *policy, struct error *err)
{
    *s = (struct train_step){ .model = model, .policy = *policy, .team = { policy->threads } };
    if (!criterion_read(model, &s->criterion, err)
        || !optimizer_init(&s->optimizer, model->config, &model->params, policy->kernels, err))
        return false;
    const struct binding to = { .params = &model->params, .values = model->params.value, .buffers = model->params.value,
                                .gradients = s->optimizer.gradient, .team = &s->team };
    return graph_cache_init(&s->cache, model, &s->policy, &to, &s->criterion, err);
}

void train_step_free(struct train_step *s)
{
    graph_cache_free(&s->cache);
    optimizer_free(&s->optimizer);
    *s = (struct train_step){0};
}

static bool detached(const struct train_step *s, int epoch)
{
    return s->model->aux_head && epoch >= s->model->config->model.detach_epoch;
}

static bool assign_and_differentiate(struct cached_graph *p, const struct input_batch *in, bool aux,
                                     struct losses *losses, struct error *err)
{
    static const char *const names[LOSS_HEADS] = { "main", "aux" };
    const float *pred[LOSS_HEADS] = { NULL, NULL };
    struct loss_sums sums;
    for (int head = 0; head <= (int)aux; head++)
        pred[head] = graph_view(&p->graph, graph_output_named(&p->graph, names[head])).p;       /* rows without gaps */
    if (!loss_assign(&p->loss, pred[aux ? LOSS_AUX : LOSS_MAIN], pred, in->ground_truth, &sums, err))
        return false;
    *losses = (struct losses){ .aux = aux };
    for (int head = 0; head <= (int)aux; head++)
        losses->head[head] = loss_gradient(&p->loss, (enum loss_head)head, pred[head], in->ground_truth, &sums,
                               graph_gradient(&p->graph, graph_output_named(&p->graph, names[head])).p);
    return true;
}

static void write_input(struct cached_graph *p, const struct input_batch *in)
{
    memcpy(graph_view(&p->graph, MODEL_INPUT).p, in->pixel,
           (size_t)in->n * (size_t)in->h * (size_t)in->w * 3 * sizeof *in->pixel);
}

bool train_step_forward(struct train_step *s, const struct input_batch *in, int epoch, struct losses *losses,
                        struct cached_graph **used, struct error *err)
{
    const struct graph_options options = { .n = in->n, .h = in->h, .w = in->w, .training = true,
                                           .detached = detached(s, epoch) };
    const uint64_t seed = (uint64_t)s->model->config->seed;
    struct random random = random_of(seed, (uint64_t)s->optimizer.step, (uint64_t)s->batches);
    const uint64_t key = random_bits(&random);
    struct cached_graph *p = *used = graph_cache_find(&s->cache, &options, err);
    if (!p)
        return false;
    write_input(p, in);
    s->batches++;
    graph_forward(&p->graph, key);
    if (assign_and_differentiate(p, in, s->model->aux_head != NULL, losses, err))
        return true;
    const struct error first = *err;
    write_input(p, in);
    const char *layer = graph_find_nonfinite(&p->graph, key);
    return layer ? fail(err, "%s; the first layer whose output is not finite is %s", first.text, layer) : false;
}

bool train_step_update(struct train_step *s, double *norm, struct error *err)
{
    const struct optimizer *o = &s->optimizer;
    *norm = optimizer_norm(o, &s->team);
    if (!isfinite(*norm)) {
        const struct param *p = params_find_nonfinite(o->params, o->gradient, o->params->trained);
        return fail(err, "the gradient of %s is not finite", p ? p->name : "?");
    }
    optimizer_step(&s->optimizer, &s->team, *norm);
    s->batches = 0;
    return true;
}
