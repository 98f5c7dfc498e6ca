#include "train/optimizer.h"

#include "base/memory.h"
#include "base/text.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 1 << 14 };               /* part of the result: another CHUNK, other last bits of the norm */

static int chunks_of(ptrdiff_t count) { return (int)((count + CHUNK - 1) / CHUNK); }

static const struct param_rule *rule_of(const struct optimizer_config *c, const char *name)
{
    static const struct param_rule none = { "", 1, 1 };
    for (int i = 0; i < c->rule_count; i++)
        if (strstr(name, c->rules[i].match))
            return &c->rules[i];
    return &none;
}

static int rate_index(struct optimizer *o, double initial)
{
    for (int i = 0; i < o->rate_count; i++)
        if (!(o->rates[i].initial != initial))
            return i;
    o->rates[o->rate_count] = (struct rate){ initial, initial };
    return o->rate_count++;
}

static void make_groups(struct optimizer *o)
{
    const struct optimizer_config *c = &o->config->schedule.optimizer;
    for (int i = 0; i < o->params->count; i++) {
        const struct param *p = &o->params->list[i];
        const struct param_rule *rule = rule_of(c, p->name);
        const bool spared = (c->no_norm_decay && p->is_norm) || (c->no_bias_decay && ends_in(p->name, ".bias"));
        if (p->kind == PARAM_TRAINED && p->used)
            o->groups[o->group_count++] = (struct group){
                p->offset, p->count, spared ? 0 : c->weight_decay * rule->decay_mult,
                rate_index(o, c->lr * rule->lr_mult) };
    }
}

bool optimizer_init(struct optimizer *o, const struct config *config, struct params *params, struct error *err)
{
    const size_t trained = (size_t)params->trained, count = (size_t)params->count;
    *o = (struct optimizer){ .config = config, .params = params, .scale = 1.0 / config->schedule.accumulate };
    o->gradient = new_array(trained, sizeof *o->gradient, err);
    o->moment1 = new_array(trained, sizeof *o->moment1, err);
    o->groups = new_array(count, sizeof *o->groups, err);
    o->rates = new_array(count, sizeof *o->rates, err);
    o->partial = new_array((size_t)chunks_of(params->trained), sizeof *o->partial, err);
    bool ok = o->gradient && o->moment1 && o->groups && o->rates && o->partial;
    if (ok && config->schedule.optimizer.name != OPTIMIZER_SGD)
        ok = (o->moment2 = new_array(trained, sizeof *o->moment2, err)) != NULL;
    if (ok && config->model.averager == AVERAGER_EMA)
        ok = (o->average = new_array((size_t)params->total, sizeof *o->average, err)) != NULL;
    if (ok) {
        make_groups(o);
        optimizer_restart_average(o);
    }
    return ok;
}

void optimizer_free(struct optimizer *o)
{
    free(o->gradient);
    free(o->moment1);
    free(o->moment2);
    free(o->average);
    free(o->groups);
    free(o->rates);
    free(o->partial);
    *o = (struct optimizer){0};
}

void optimizer_restart_average(struct optimizer *o)
{
    if (o->average)
        memcpy(o->average, o->params->value, (size_t)o->params->total * sizeof *o->average);
}

static void norm_chunk(const void *job, int chunk)
{
    const struct optimizer *o = job;
    const ptrdiff_t from = (ptrdiff_t)chunk * CHUNK;
    double sum = 0;
    for (ptrdiff_t i = from; i < from + CHUNK && i < o->params->trained; i++)
        sum += (double)o->gradient[i] * o->gradient[i];
    o->partial[chunk] = sum;
}

double optimizer_norm(const struct optimizer *o, const struct team *team)
{
    const int chunks = chunks_of(o->params->trained);
    double sum = 0;
    team_for(team, chunks, norm_chunk, o);
    for (int i = 0; i < chunks; i++)
        sum += o->partial[i];
    return sqrt(sum) * o->scale;
}

double optimizer_rate(struct optimizer *o)
{
    double largest = 0;
    for (int i = 0; i < o->rate_count; i++) {
        rate_at_step(&o->config->schedule, o->step, &o->rates[i]);
        largest = fmax(largest, o->rates[i].now);
    }
    return largest;
}

struct step_job { const struct optimizer *o; double clip, correct1, correct2; float share; };

static void adam_group(const struct step_job *s, const struct group *g)
{
    const struct optimizer *o = s->o;
    const struct optimizer_config *c = &o->config->schedule.optimizer;
    const double lr = o->rates[g->rate].now;
    const bool decoupled = c->name == OPTIMIZER_ADAMW;
    const float clip = (float)s->clip, b1 = (float)c->betas[0], b2 = (float)c->betas[1], eps = (float)c->eps;
    const float keep = decoupled ? (float)(1 - lr * g->decay) : 1, decay = decoupled ? 0 : (float)g->decay;
    const float rate = (float)(lr / s->correct1), root = (float)sqrt(s->correct2);
    const float rest1 = (float)(1 - c->betas[0]), rest2 = (float)(1 - c->betas[1]);
    for (ptrdiff_t i = g->offset; i < g->offset + g->count; i++) {
        const float gradient = clip * o->gradient[i] + decay * o->params->value[i];
        o->moment1[i] = b1 * o->moment1[i] + rest1 * gradient;
        o->moment2[i] = b2 * o->moment2[i] + rest2 * gradient * gradient;
        o->params->value[i] = keep * o->params->value[i]
                            - rate * o->moment1[i] / (sqrtf(o->moment2[i]) / root + eps);
    }
}

static void sgd_group(const struct step_job *s, const struct group *g)
{
    const struct optimizer *o = s->o;
    const struct optimizer_config *c = &o->config->schedule.optimizer;
    const float lr = (float)o->rates[g->rate].now, clip = (float)s->clip, decay = (float)g->decay;
    const float momentum = o->updates == 0 ? 0 : (float)c->momentum;
    for (ptrdiff_t i = g->offset; i < g->offset + g->count; i++) {
        o->moment1[i] = momentum * o->moment1[i] + (clip * o->gradient[i] + decay * o->params->value[i]);
        o->params->value[i] -= lr * o->moment1[i];
    }
}

static void step_group(const void *job, int index)
{
    const struct step_job *s = job;
    (s->o->moment2 ? adam_group : sgd_group)(s, &s->o->groups[index]);
}

static void average_chunk(const void *job, int chunk)
{
    const struct step_job *s = job;
    const struct optimizer *o = s->o;
    const ptrdiff_t from = (ptrdiff_t)chunk * CHUNK;
    for (ptrdiff_t i = from; i < from + CHUNK && i < o->params->total; i++)
        o->average[i] = o->average[i] * (1 - s->share) + o->params->value[i] * s->share;
}

double average_share(double decay, long steps_done)
{
    return decay * exp(-(1 + (double)steps_done) / 2000) + (1 - decay);
}

void optimizer_step(struct optimizer *o, const struct team *team, double norm)
{
    const struct optimizer_config *c = &o->config->schedule.optimizer;
    const double limit = o->config->grad_clip, t = (double)o->updates + 1,
                 clip = limit > 0 && limit / (norm + 1e-6) < 1 ? limit / (norm + 1e-6) : 1;
    const struct step_job job = {
        .o = o, .clip = clip * o->scale,
        .correct1 = 1 - pow(c->betas[0], t), .correct2 = 1 - pow(c->betas[1], t),
        .share = (float)average_share(o->config->model.decay, o->step + 1) };
    team_for(team, o->group_count, step_group, &job);
    o->updates++;
    o->step++;
    if (o->average)
        team_for(team, chunks_of(o->params->total), average_chunk, &job);
}

void optimizer_end_epoch(struct optimizer *o)
{
    o->epoch++;
    for (int i = 0; i < o->rate_count; i++)
        rate_after_epoch(&o->config->schedule, o->epoch, &o->rates[i]);
}
