/* tests/parity/model_steps.c -- optimiser steps of whole models: rates, clipping, moments, averages. */
#include "models.h"

#include "base/memory.h"
#include "interop/safetensors.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES = 64 };                          /* of buffers and first-step changes, at most */

static void tally_figure(struct model_case *c, const cJSON *rules, const char *name, const char *group, double have)
{
    const double *want = fixture_doubles(&c->steps, name);
    if (want)
        tally_add(c, rules, name, group, fabs(have - *want) / fmax(fabs(*want), 1e-300));
}

static void tally_losses(struct model_case *c, const cJSON *rules, int step, const struct losses *l)
{
    const struct { const char *name; double value; } list[] = {
        { "qfl", l->head[LOSS_MAIN].qfl },   { "aux_qfl", l->head[LOSS_AUX].qfl },
        { "bbox", l->head[LOSS_MAIN].bbox }, { "aux_bbox", l->head[LOSS_AUX].bbox },
        { "dfl", l->head[LOSS_MAIN].dfl },   { "aux_dfl", l->head[LOSS_AUX].dfl },
        { "total", losses_total(l) } };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        char name[64];
        snprintf(name, sizeof name, "step.%d.loss.%s", step, list[i].name);
        tally_figure(c, rules, name, "step.*.loss", list[i].value);
    }
}

static double norm2(const double *x, int count)
{
    double sum = 0;
    for (int i = 0; i < count; i++)
        sum += x[i] * x[i];
    return sqrt(sum);
}

/* The change of a parameter: its norm is measured at least by 1e-4 of the parameter's, its samples by 2-norms. */
static void tally_change(struct model_case *c, const cJSON *rules, const char *kind, const struct param *p,
                         const float *change, int samples)
{
    char name[300], rule[32], param[300];
    double squares = 0;
    for (ptrdiff_t i = 0; i < p->count; i++)
        squares += (double)change[i] * change[i];
    snprintf(name, sizeof name, "%s.%s.norm", kind, p->name);
    snprintf(rule, sizeof rule, "%s.*.norm", kind);
    snprintf(param, sizeof param, "param.%s.norm", p->name);
    const double *want = fixture_doubles(&c->steps, name), *whole = fixture_doubles(&c->steps, param);
    if (want)
        tally_add(c, rules, name, rule, fabs(sqrt(squares) - *want) / fmax(*want, whole ? 1e-4 * *whole : 0));
    snprintf(name, sizeof name, "%s.%s.sample", kind, p->name);
    snprintf(rule, sizeof rule, "%s.*.sample", kind);
    snprintf(param, sizeof param, "param.%s.sample", p->name);
    const double *sample = fixture_doubles(&c->steps, name), *values = fixture_doubles(&c->steps, param);
    const int count = fixture_extent(&c->steps, name, 0), value_count = fixture_extent(&c->steps, param, 0);
    const ptrdiff_t stride = (p->count + samples - 1) / samples;
    double off = 0;
    if (!sample || count < 1)
        return;
    if ((count - 1) * stride >= p->count) {
        tally_add(c, rules, name, rule, NAN);
        return;
    }
    for (int i = 0; i < count; i++)
        off += (change[i * stride] - sample[i]) * (change[i * stride] - sample[i]);
    const double min_norm = values ? 1e-4 * norm2(values, value_count) * sqrt((double)count / value_count) : 0;
    tally_add(c, rules, name, rule, sqrt(off) / fmax(norm2(sample, count), min_norm));
}

/* Every parameter of `now` less that of `start`. */
static void tally_changes(struct model_case *c, const cJSON *rules, const char *kind, const real *start,
                          const real *now, int samples)
{
    const cJSON *zero = cJSON_GetObjectItemCaseSensitive(c->meta, "zero_grad_params");
    for (int i = 0; i < c->model.params.count; i++) {
        const struct param *p = &c->model.params.list[i];
        float *a = param_numbers(p, start), *b = param_numbers(p, now);
        for (ptrdiff_t k = 0; a && b && k < p->count; k++)
            b[k] -= a[k];
        if (a && b && p->kind != PARAM_BUFFER && !listed(zero, p->name))
            tally_change(c, rules, kind, p, b, samples);
        free(a);
        free(b);
    }
}

static void tally_state(struct model_case *c, const cJSON *rules, const struct optimizer *o, int samples)
{
    const cJSON *zero = cJSON_GetObjectItemCaseSensitive(c->meta, "zero_grad_params");
    for (int i = 0; i < c->model.params.count; i++) {
        const struct param *p = &c->model.params.list[i];
        const bool buffer = p->kind == PARAM_BUFFER;
        float *now = param_numbers(p, c->model.params.value);
        float *average = o->average ? param_numbers(p, o->average) : NULL;
        char name[300];
        struct digest d = { now, (size_t)p->count, buffer && samples > SAMPLES ? SAMPLES : samples, 0 };
        if (now && !listed(zero, p->name)) {
            snprintf(name, sizeof name, "%s.%s", buffer ? "buffer" : "param", p->name);
            tally_digest(c, rules, &c->steps, name, buffer ? "buffer.*" : "param.*", d);
        }
        if (average && !listed(zero, p->name)) {
            snprintf(name, sizeof name, "ema.%s", p->name);
            d.x = average;
            tally_digest(c, rules, &c->steps, name, "ema.*", d);
        }
        free(now);
        free(average);
    }
}

static bool one_step(struct model_case *c, const cJSON *rules, struct train_step *l, int step, struct error *err)
{
    const struct input_batch images = case_images(c);
    struct cached_graph *cached;
    struct losses losses;
    char name[64];
    double norm;
    const double lr = optimizer_rate(&l->optimizer);
    const long before = l->optimizer.step;
    if (!train_step_forward(l, &images, c->epoch, &losses, &cached, err))
        return false;
    graph_backward(&cached->graph, false);
    if (!train_step_update(l, &norm, err))
        return false;
    snprintf(name, sizeof name, "lr.%d", step);
    tally_figure(c, rules, name, "lr.*", lr);
    snprintf(name, sizeof name, "step.%d.grad_norm", step);
    tally_figure(c, rules, name, "step.*.grad_norm", norm);
    snprintf(name, sizeof name, "ema_decay.%d", step);
    tally_figure(c, rules, name, "ema_decay.*", ema_weight(c->config.model.decay, c->config.model.tau, before + 1));
    tally_losses(c, rules, step, &losses);
    return true;
}

bool compare_steps(struct model_case *c, const char *file, const char *section, struct error *err)
{
    const cJSON *rules = cJSON_GetObjectItemCaseSensitive(c->meta, section);
    const cJSON *count = cJSON_GetObjectItemCaseSensitive(rules, "count");
    const cJSON *first = cJSON_GetObjectItemCaseSensitive(rules, "start_global_step");
    const cJSON *digest = cJSON_GetObjectItemCaseSensitive(c->meta, "digest_samples_steps");
    const int samples = cJSON_IsNumber(digest) ? digest->valueint : SAMPLES;
    struct train_step l = {0};
    real *start = new_array((size_t)c->model.params.total, sizeof *start, err);
    bool ok = start && safetensors_read(&c->steps, file, err) && open_train_step(c, &l, err);
    if (ok)
        memcpy(start, c->model.params.value, (size_t)c->model.params.total * sizeof *start);
    l.optimizer.step = cJSON_IsNumber(first) ? first->valueint : 0;
    for (int i = 0; ok && cJSON_IsNumber(count) && i < count->valueint; i++) {
        ok = one_step(c, rules, &l, i, err);
        if (ok && i == 0)
            tally_changes(c, rules, "delta0", start, c->model.params.value, samples < SAMPLES ? samples : SAMPLES);
    }
    if (ok) {
        tally_changes(c, rules, "delta", start, c->model.params.value, samples);
        tally_state(c, rules, &l.optimizer, samples);
    }
    train_step_free(&l);
    tensors_free(&c->steps);
    free(start);
    return ok;
}
