#include "train/optimizer.h"

#include "base/memory.h"
#include "base/strbuf.h"
#include "kernel/kernels.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 1 << 14 };               /* changing it changes the rounding of the norm */
enum { NO_RATE = -1 };                  /* in place of an index into rates */

static int chunk_count_of(ptrdiff_t count) { return (int)((count + CHUNK - 1) / CHUNK); }

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

static void add_chunks(struct optimizer *o, const struct param *p, double decay, int rate)
{
    for (ptrdiff_t from = 0; from < p->count; from += CHUNK)
        o->chunks[o->chunk_count++] = (struct param_chunk){
            p->offset + from, p->count - from < CHUNK ? p->count - from : CHUNK, decay, rate };
}

static void make_chunks(struct optimizer *o)
{
    const struct optimizer_config *c = &o->config->schedule.optimizer;
    for (int i = 0; i < o->params->count; i++) {
        const struct param *p = &o->params->list[i];
        const struct param_rule *rule = rule_of(c, p->name);
        const bool no_decay = (c->no_norm_decay && p->is_norm) || (c->no_bias_decay && ends_with(p->name, ".bias"));
        const double decay = no_decay ? 0 : c->weight_decay * rule->decay_mult, lr = c->lr * rule->lr_mult;
        const bool trains = p->kind == PARAM_TRAINED && p->used;
        const bool muon = trains && c->name == OPTIMIZER_MUON && muon_takes(c, p);
        if (muon)
            muon_add(&o->muon, p, decay, rate_index(o, lr));
        add_chunks(o, p, decay, trains && !muon ? rate_index(o, lr) : NO_RATE);
    }
}

bool optimizer_init(struct optimizer *o, const struct config *config, struct params *params,
                    const struct kernels *kernels, struct error *err)
{
    const size_t trained = (size_t)params->trained, count = (size_t)params->count;
    *o = (struct optimizer){ .config = config, .params = params, .kernels = kernels,
                             .scale = 1.0 / config->schedule.accumulate };
    o->gradient = new_array(trained, sizeof *o->gradient, err);
    o->moment1 = new_array(trained, sizeof *o->moment1, err);
    o->chunks = new_array(count + (size_t)chunk_count_of(params->total), sizeof *o->chunks, err);
    o->rates = new_array(count, sizeof *o->rates, err);
    o->partial = new_array((size_t)chunk_count_of(params->trained), sizeof *o->partial, err);
    bool ok = o->gradient && o->moment1 && o->chunks && o->rates && o->partial;
    if (ok && config->schedule.optimizer.name != OPTIMIZER_SGD)
        ok = (o->moment2 = new_array(trained, sizeof *o->moment2, err)) != NULL;
    if (ok && config->model.averager == AVERAGER_EMA)
        ok = (o->average = new_array((size_t)params->total, sizeof *o->average, err)) != NULL;
    ok = ok && muon_init(&o->muon, params->count, err);
    if (!ok)
        return false;
    make_chunks(o);
    optimizer_restart_average(o);
    return muon_layout(&o->muon, err);
}

void optimizer_free(struct optimizer *o)
{
    free(o->gradient);
    free(o->moment1);
    free(o->moment2);
    free(o->average);
    free(o->chunks);
    free(o->rates);
    free(o->partial);
    muon_free(&o->muon);
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
    const ptrdiff_t from = (ptrdiff_t)chunk * CHUNK, left = o->params->trained - from;
    o->partial[chunk] = o->kernels->sum_of_squares(left < CHUNK ? left : CHUNK, o->gradient + from);
}

double optimizer_norm(const struct optimizer *o, const struct team *team)
{
    const int chunks = chunk_count_of(o->params->trained);
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
        largest = fmax(largest, o->rates[i].current);
    }
    return largest;
}

struct step_job { const struct optimizer *o; double clip, correct1, correct2; float ema_weight; };

static void adam_chunk(const struct step_job *s, const struct param_chunk *p)
{
    const struct optimizer *o = s->o;
    const struct optimizer_config *c = &o->config->schedule.optimizer;
    const double lr = o->rates[p->rate].current;
    const bool decoupled = c->name != OPTIMIZER_ADAM;
    const struct adam adam = {
        .clip = (float)s->clip, .decay = decoupled ? 0 : (float)p->decay,
        .beta1 = (float)c->betas[0], .rest1 = (float)(1 - c->betas[0]),
        .beta2 = (float)c->betas[1], .rest2 = (float)(1 - c->betas[1]),
        .keep = decoupled ? (float)(1 - lr * p->decay) : 1, .rate = (float)(lr / s->correct1),
        .root = (float)(1 / sqrt(s->correct2)), .eps = (float)c->eps };
    o->kernels->adam(&adam, p->count, o->gradient + p->offset, o->moment1 + p->offset, o->moment2 + p->offset,
                     o->params->value + p->offset);
}

static void sgd_chunk(const struct step_job *s, const struct param_chunk *p)
{
    const struct optimizer *o = s->o;
    const struct optimizer_config *c = &o->config->schedule.optimizer;
    const struct sgd sgd = { .clip = (float)s->clip, .decay = (float)p->decay, .rate = (float)o->rates[p->rate].current,
                             .momentum = o->updates == 0 ? 0 : (float)c->momentum };
    o->kernels->sgd(&sgd, p->count, o->gradient + p->offset, o->moment1 + p->offset, o->params->value + p->offset);
}

static void step_chunk(const void *job, int index)
{
    const struct step_job *s = job;
    const struct optimizer *o = s->o;
    const struct param_chunk *p = &o->chunks[index];
    if (p->rate != NO_RATE)
        (o->moment2 ? adam_chunk : sgd_chunk)(s, p);
    if (o->average)
        o->kernels->ema_update(p->count, s->ema_weight, o->params->value + p->offset, o->average + p->offset);
}

double ema_weight(double decay, double tau, long steps_done)
{
    return decay * exp(-(1 + (double)steps_done) / tau) + (1 - decay);
}

void optimizer_step(struct optimizer *o, const struct team *team, double norm)
{
    const struct optimizer_config *c = &o->config->schedule.optimizer;
    const struct model_config *model = &o->config->model;
    const double limit = o->config->grad_clip, t = (double)o->updates + 1,
                 clip = limit > 0 && limit / (norm + 1e-6) < 1 ? limit / (norm + 1e-6) : 1;
    const struct step_job job = {
        .o = o, .clip = clip * o->scale,
        .correct1 = 1 - pow(c->betas[0], t), .correct2 = 1 - pow(c->betas[1], t),
        .ema_weight = (float)ema_weight(model->decay, model->tau, o->step + 1) };
    const struct muon_step muon = { .kernels = o->kernels, .rates = o->rates, .clip = (real)job.clip,
                                    .momentum = (real)c->muon_momentum, .gradient = o->gradient, .moment = o->moment1,
                                    .value = o->params->value };
    if (o->muon.count)
        muon_step(&o->muon, &muon, team);
    team_for(team, o->chunk_count, step_chunk, &job);
    o->updates++;
    o->step++;
}

void optimizer_end_epoch(struct optimizer *o)
{
    o->epoch++;
    for (int i = 0; i < o->rate_count; i++)
        rate_after_epoch(&o->config->schedule, o->epoch, &o->rates[i]);
}
