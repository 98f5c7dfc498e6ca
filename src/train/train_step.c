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
    return sum + l->distill.localization + l->distill.classification;
}

static bool open_teacher(struct train_step *s, struct error *err)
{
    if (!teacher_open(&s->teacher, s->model, &s->notes, err))
        return false;
    struct model *model = teacher_model(&s->teacher);
    if (!predictor_init(&s->taught, model, model->params.value, &s->policy, &s->team, &s->block, err))
        return false;
    s->taught.class_of = s->teacher.class_of;
    s->taught.classes = s->model->shape.num_classes;
    return true;
}

bool train_step_init(struct train_step *s, struct model *model, const struct policy *policy, struct error *err)
{
    const struct model_config *config = &model->config->model;
    *s = (struct train_step){ .model = model, .policy = *policy, .team = { policy->threads } };
    if (!criterion_read(model, &s->criterion, err)
        || !optimizer_init(&s->optimizer, model->config, &model->params, policy->kernels, err)
        || (config_has_teacher(config) && !open_teacher(s, err))
        || (config->guide == GUIDE_AVERAGE && !predictor_init(&s->average, model, s->optimizer.average, &s->policy,
                                                              &s->team, &s->block, err)))
        return false;
    const struct binding to = { .params = &model->params, .values = model->params.value, .buffers = model->params.value,
                                .gradients = s->optimizer.gradient, .team = &s->team, .ranks = policy->ranks,
                                .exchange_bf16 = model->config->exchange == EXCHANGE_BFLOAT16 };
    if (!graph_cache_init(&s->cache, model, &s->policy, &to, &s->criterion, err))
        return false;
    s->cache.shared = &s->block;
    return true;
}

void train_step_free(struct train_step *s)
{
    predictor_free(&s->average);
    predictor_free(&s->taught);
    graph_cache_free(&s->cache);
    shared_block_free(&s->block);
    teacher_free(&s->teacher);
    string_list_free(&s->notes);
    optimizer_free(&s->optimizer);
    *s = (struct train_step){0};
}

static bool detached(const struct train_step *s, int epoch)
{
    return s->model->aux_head && epoch >= s->model->config->model.detach_epoch;
}

/* Predictions of other networks for a batch; NULL: there is no such network. */
struct predictions { const float *average, *teacher; };

static bool run_predictors(struct train_step *s, const struct input_batch *in, struct predictions *others,
                           struct error *err)
{
    const struct model_config *config = &s->model->config->model;
    *others = (struct predictions){0};
    return (config->guide != GUIDE_AVERAGE || (others->average = predictor_run(&s->average, in, err)))
        && (!config_has_teacher(config) || (others->teacher = predictor_run(&s->taught, in, err)));
}

static struct distill_values distill(const struct train_step *s, struct loss *loss, const float *pred,
                                     const float *teacher, const struct loss_sums *sums, float *dpred)
{
    const struct model_config *config = &s->model->config->model;
    const struct distill_config c = { config->distill.localization, config->distill.classification,
                                      config->distill.temperature, s->teacher.has_class };
    return distill_gradient(loss, &c, LOSS_MAIN, pred, teacher, sums, dpred);
}

static bool assign_and_differentiate(const struct train_step *s, struct cached_graph *p, const struct input_batch *in,
                                     const struct predictions *others, struct losses *losses, struct error *err)
{
    static const char *const names[LOSS_HEADS] = { "main", "aux" };
    const struct model_config *config = &s->model->config->model;
    const bool aux = s->model->aux_head;
    const float *pred[LOSS_HEADS] = { NULL, NULL };
    float *dpred[LOSS_HEADS] = { NULL, NULL };
    struct loss_sums sums;
    for (int head = 0; head <= (int)aux; head++) {
        const value output = graph_output_named(&p->graph, names[head]);
        pred[head] = graph_view(&p->graph, output).p;           /* rows without gaps */
        dpred[head] = graph_gradient(&p->graph, output).p;
    }
    const float *const guides[] = { [GUIDE_AUX] = pred[LOSS_AUX], [GUIDE_SELF] = pred[LOSS_MAIN],
                                    [GUIDE_AVERAGE] = others->average, [GUIDE_TEACHER] = others->teacher };
    if (!loss_assign(&p->loss, guides[config->guide], pred, in->ground_truth, &sums, err))
        return false;
    *losses = (struct losses){ .aux = aux };
    for (int head = 0; head <= (int)aux; head++)
        losses->head[head] = loss_gradient(&p->loss, (enum loss_head)head, pred[head], in->ground_truth, &sums,
                                           dpred[head]);
    if (config_distills(config))
        losses->distill = distill(s, &p->loss, pred[LOSS_MAIN], others->teacher, &sums, dpred[LOSS_MAIN]);
    return true;
}

static void write_input(struct cached_graph *p, const struct input_batch *in)
{
    memcpy(graph_view(&p->graph, MODEL_INPUT).p, in->pixel,
           (size_t)in->n * (size_t)in->h * (size_t)in->w * 3 * sizeof *in->pixel);
}

bool train_step_unfold_norms(struct train_step *s, const struct input_batch *in, struct error *err)
{
    const struct graph_options options = { .n = in->n, .h = in->h, .w = in->w, .training = true, .unfolding = true };
    struct cached_graph *p = graph_cache_find(&s->cache, &options, err);
    if (!p)
        return false;
    write_input(p, in);
    graph_forward(&p->graph, 0);
    optimizer_restart_average(&s->optimizer);
    return true;
}

bool train_step_forward(struct train_step *s, const struct input_batch *in, int epoch, struct losses *losses,
                        struct cached_graph **used, struct error *err)
{
    const struct graph_options options = { .n = in->n, .h = in->h, .w = in->w, .training = true,
                                           .detached = detached(s, epoch) };
    const uint64_t seed = (uint64_t)s->model->config->seed;
    struct random random = random_of(seed, (uint64_t)s->optimizer.step, (uint64_t)s->batches);
    const uint64_t key = random_bits(&random);
    struct predictions others;
    if (!run_predictors(s, in, &others, err))           /* first: they share the block with the graph below */
        return false;
    struct cached_graph *p = *used = graph_cache_find(&s->cache, &options, err);
    if (!p)
        return false;
    write_input(p, in);
    s->batches++;
    graph_forward(&p->graph, key);
    if (assign_and_differentiate(s, p, in, &others, losses, err))
        return true;
    const struct error first = *err;
    write_input(p, in);
    const char *layer = graph_find_nonfinite(&p->graph, key);
    return layer && first.text[0]
        ? fail(err, "%s; the first layer whose output is not finite is %s", first.text, layer) : false;
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
