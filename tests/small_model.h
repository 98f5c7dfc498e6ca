/* tests/small_model.h -- a small NanoDet-Plus with its auxiliary branch.  Its activation is smooth, so that
 * rounding cannot select a branch. */
#ifndef TESTS_SMALL_MODEL_H
#define TESTS_SMALL_MODEL_H
#include "base/random.h"
#include "base/strbuf.h"
#include "model/model.h"
#include "seed.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const small_model =
    "model:\n"
    "  weight_averager: {name: ExpMovingAverager, decay: 0.9998}\n"
    "  arch:\n"
    "    name: NanoDetPlus\n"
    "    detach_epoch: 1\n"
    "    backbone: {name: ShuffleNetV2, model_size: 0.5x, out_stages: [2, 3, 4], activation: SiLU}\n"
    "    fpn: {name: GhostPAN, in_channels: [48, 96, 192], out_channels: 32, kernel_size: 5, num_extra_level: 1,\n"
    "          use_depthwise: true, activation: SiLU}\n"
    "    head: {name: NanoDetPlusHead, num_classes: 3, input_channel: 32, feat_channels: 32, stacked_convs: 2,\n"
    "           kernel_size: 5, strides: [8, 16, 32, 64], activation: SiLU, reg_max: 7, norm_cfg: {type: BN}}\n"
    "    aux_head: {name: SimpleConvHead, num_classes: 3, input_channel: 64, feat_channels: 32, stacked_convs: 2,\n"
    "               strides: [8, 16, 32, 64], activation: SiLU, reg_max: 7, norm_cfg: {type: GN, num_groups: 8}}\n"
    "data: {train: {input_size: [96, 64]}}\n"
    "schedule:\n"
    "  optimizer: {name: AdamW, lr: 0.001, weight_decay: 0.05}\n"
    "  total_epochs: 2\n"
    "grad_clip: 35\n"
    "class_names: [a, b, c]\n";

static inline void fill(float *p, ptrdiff_t count, double deviation, uint64_t stream)
{
    struct random random = random_of(seed(), stream, 0);
    for (ptrdiff_t i = 0; i < count; i++)
        p[i] = (float)(deviation * random_normal(&random));
}

/* Pseudo-trained weights: no output is constant. */
static inline void model_randomise(struct model *model)
{
    struct params *params = &model->params;
    model_start(model);
    for (int i = 0; i < params->count; i++)
        if (params->list[i].kind != PARAM_BUFFER && params->list[i].rank == 1)
            for (ptrdiff_t k = 0; k < params->list[i].count; k++) {
                struct random random = random_of(seed(), (uint64_t)i, (uint64_t)k);
                params->value[params->list[i].offset + k] += (float)random_range(&random, -0.3, 0.3);
            }
        else if (strncmp(params->list[i].name, "backbone.", 9) != 0 && params->list[i].rank == 4)
            fill(params->value + params->list[i].offset, params->list[i].count,
                 1 / sqrt(params->list[i].shape.h * params->list[i].shape.w * params->list[i].shape.c), (uint64_t)i);
}

struct fixture { struct config config; struct model model; };

static inline void open_model(struct fixture *f, const char *override)
{
    struct error err = {0};
    *f = (struct fixture){0};
    if (!config_parse(&f->config, small_model, strlen(small_model), "small.yml", &override, override != NULL, &err)
        || !model_open(&f->model, &f->config, &err))
        fail_msg("%s", err.text);
    model_randomise(&f->model);
}

static inline void close_model(struct fixture *f)
{
    model_free(&f->model);
    config_free(&f->config);
}

static inline float *param(const struct fixture *f, const char *name)
{
    const int i = params_find(&f->model.params, name);
    if (i < 0)
        fail_msg("no parameter %s", name);
    return f->model.params.value + f->model.params.list[i].offset;
}

/* The largest |a - b| over the largest |b|, which is at least min_norm; infinity for NaN. */
static inline double distance(const float *a, const float *b, ptrdiff_t count, double min_norm)
{
    double worst = 0, largest = min_norm;
    for (ptrdiff_t i = 0; i < count; i++) {
        const double d = fabs((double)a[i] - b[i]);
        worst = d <= worst ? worst : isnan(d) ? INFINITY : d;
        largest = fmax(largest, fabs((double)b[i]));
    }
    return worst == 0 ? 0 : worst / largest;
}

static inline float largest_of(const float *p, ptrdiff_t count)
{
    float largest = 0;
    for (ptrdiff_t i = 0; i < count; i++)
        largest = fabsf(p[i]) > largest || isnan(p[i]) ? fabsf(p[i]) : largest;
    return largest;
}

/* The largest difference of the gradients of parameters with a name prefix, relative to a parameter's largest gradient.
 * One that is 0 but for rounding, below 1e-5 of the largest of all, must be so in both. */
static inline double gradient_distance(const struct params *params, const float *a, const float *b, const char *prefix,
                                       const char **where)
{
    const float zero = 1e-5f * largest_of(b, params->trained);
    double worst = 0;
    for (int i = 0; i < params->count; i++) {
        const struct param *p = &params->list[i];
        const float *x = a + p->offset, *y = b + p->offset;
        if (p->kind != PARAM_TRAINED || !starts_with(p->name, prefix))
            continue;
        const bool both_zero = largest_of(x, p->count) < zero && largest_of(y, p->count) < zero;
        const double d = both_zero ? 0 : distance(x, y, p->count, 0);
        if (d > worst) {
            worst = d;
            *where = p->name;
        }
    }
    return worst;
}
#endif
