/* tests/test_steps.c -- optimiser steps: AdamW, Adam and SGD, clipping, groups and averages against textbook
 * implementations in double; the schedules against their closed forms. */
#include "base/random.h"
#include "seed.h"
#include "tables.h"
#include "train/optimizer.h"
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const text =
    "model: {arch: {name: NanoDetPlus, backbone: {name: x}, fpn: {name: x}, head: {name: x}}}\n"
    "data: {train: {input_size: [32, 32]}}\n"
    "schedule: {total_epochs: 10, optimizer: {name: AdamW, lr: 0.01, weight_decay: 0.1}}\n"
    "class_names: [x]\n";

enum { OVERRIDES = 8, STEPS = 40 };

static void read_config(struct config *config, const char *const *overrides)
{
    struct error err = {0};
    int count = 0;
    while (count < OVERRIDES && overrides[count])
        count++;
    *config = (struct config){0};
    if (!config_parse(config, text, strlen(text), "a.yml", overrides, count, &err))
        fail_msg("%s", err.text);
}

/* ---- a model without a network ---- */

static const struct tensor {
    const char *name;
    int count;
    enum param_kind kind;
    bool is_norm, used;
} tensors[] = {
    { "backbone.conv.weight",      20000, PARAM_TRAINED, false, true },         /* more than a chunk */
    { "backbone.bn.weight",        7,     PARAM_TRAINED, true,  true },
    { "backbone.bn.bias",          7,     PARAM_TRAINED, true,  true },
    { "backbone.bn.running_mean",  7,     PARAM_BUFFER,  false, false },
    { "head.conv.weight",          33,    PARAM_TRAINED, false, true },
    { "head.conv.bias",            5,     PARAM_TRAINED, false, true },
    { "head.nobody.weight",        9,     PARAM_TRAINED, false, false },
    { "stem.conv.weight",          12,    PARAM_FROZEN,  false, true },
    {0} };

static void make_params(struct params *params)
{
    struct error err = {0};
    *params = (struct params){0};
    for (const struct tensor *t = tensors; t->name; t++) {
        const int i = params_declare(params, t->name, (struct shape){ 1, 1, 1, t->count, {0} }, 1, t->kind,
                                     (struct init){ INIT_NORMAL, 0.5 }, &err);
        assert_int_equal(i, t - tensors);
        params->list[i].is_norm = t->is_norm;
        params->list[i].used = t->used;
    }
    assert_true(params_layout(params, NULL, 0, &err));
    params_init(params, seed());
}

/* Normal gradients with a different scale in every step; none for unused parameters. */
static void make_gradient(struct optimizer *o, int step)
{
    struct random random = random_of(seed(), 3, (uint64_t)step);
    const double size = pow(10, random_range(&random, -3, 1));
    for (int i = 0; i < o->params->count; i++) {
        const struct param *p = &o->params->list[i];
        for (ptrdiff_t k = 0; p->kind == PARAM_TRAINED && p->used && k < p->count; k++)
            o->gradient[p->offset + k] = (float)(size * random_normal(&random));
    }
}

/* ---- the textbook ---- */

struct plain { double value, m, v, average; };

struct textbook { struct plain *x; double norm; };

/* The rule for a parameter in the cases below: the first that matches. */
struct rule { double lr_mult, decay; };

static struct rule rule_of(const struct config *c, const struct tensor *t)
{
    const struct optimizer_config *o = &c->schedule.optimizer;
    const bool backbone = t->name[0] == 'b', bias = t->name[strlen(t->name) - 1] == 's';
    struct rule r = { 1, o->weight_decay };
    if (o->rule_count && backbone) {
        r.lr_mult = 0.1;
        r.decay *= 0.5;
    } else if (o->rule_count > 1 && strncmp(t->name, "head.conv", 9) == 0)
        r.lr_mult = 3;
    if ((o->no_norm_decay && t->is_norm) || (o->no_bias_decay && bias))
        r.decay = 0;
    return r;
}

static void textbook_value(const struct config *c, struct rule r, double lr, double g, int t, struct plain *x)
{
    const struct optimizer_config *o = &c->schedule.optimizer;
    lr *= r.lr_mult;
    if (o->name == OPTIMIZER_ADAMW)
        x->value -= lr * r.decay * x->value;
    else
        g += r.decay * x->value;
    if (o->name == OPTIMIZER_SGD) {
        x->m = t == 1 ? g : o->momentum * x->m + g;
        x->value -= lr * x->m;
        return;
    }
    x->m = o->betas[0] * x->m + (1 - o->betas[0]) * g;
    x->v = o->betas[1] * x->v + (1 - o->betas[1]) * g * g;
    x->value -= lr * (x->m / (1 - pow(o->betas[0], t))) / (sqrt(x->v / (1 - pow(o->betas[1], t))) + o->eps);
}

static void textbook_step(const struct config *c, const struct optimizer *o, double lr, int t, struct textbook *book)
{
    const double scale = 1.0 / c->schedule.accumulate, d = c->model.decay, a = d * exp(-(1.0 + t) / 2000) + 1 - d;
    double squares = 0;
    for (ptrdiff_t i = 0; i < o->params->trained; i++)
        squares += pow(scale * o->gradient[i], 2);
    book->norm = sqrt(squares);
    const double clip = c->grad_clip > 0 ? fmin(1, c->grad_clip / (book->norm + 1e-6)) : 1;
    for (int i = 0; i < o->params->count; i++) {
        const struct param *p = &o->params->list[i];
        for (ptrdiff_t k = p->offset; k < p->offset + p->count; k++) {
            if (p->kind == PARAM_TRAINED && p->used)
                textbook_value(c, rule_of(c, &tensors[i]), lr, clip * scale * o->gradient[k], t, &book->x[k]);
            if (p->kind == PARAM_BUFFER)
                book->x[k].value = o->params->value[k];
            book->x[k].average = (1 - a) * book->x[k].average + a * book->x[k].value;
        }
    }
}

static bool near(double got, double want, double scale) { return fabs(got - want) <= 2e-5 * (scale + fabs(want)); }

static const char *first_wrong(const struct optimizer *o, const struct textbook *book)
{
    for (int i = 0; i < o->params->count; i++) {
        const struct param *p = &o->params->list[i];
        for (ptrdiff_t k = p->offset; k < p->offset + p->count; k++)
            if (!near(o->params->value[k], book->x[k].value, 0.1)
                || (o->average && !near(o->average[k], book->x[k].average, 0.1)))
                return p->name;
    }
    return NULL;
}

static const struct optimizer_case { const char *name; const char *overrides[OVERRIDES]; } cases[] = {
    { "AdamW", {0} },
    { "AdamW, clipped, averaged", { "grad_clip=1", "model.weight_averager={name: ExpMovingAverager, decay: 0.99}" } },
    { "AdamW, groups", { "schedule.optimizer.param_level_cfg={backbone: {lr_mult: 0.1, decay_mult: 0.5}, "
                         "conv: {lr_mult: 3}}", "schedule.optimizer.no_norm_decay=true" } },
    { "AdamW, biases", { "schedule.optimizer.no_bias_decay=true", "schedule.optimizer.betas=[0.8, 0.99]" } },
    { "AdamW, eps and accumulation", { "schedule.optimizer.eps=0.01", "schedule.accumulate=4", "grad_clip=0.5" } },
    { "Adam", { "schedule.optimizer.name=Adam", "schedule.optimizer.no_norm_decay=true" } },
    { "SGD", { "schedule.optimizer.name=SGD", "grad_clip=5" } },
    { "SGD, momentum", { "schedule.optimizer.name=SGD", "schedule.optimizer.momentum=0.9", "grad_clip=0.1",
                         "model.weight_averager={name: ExpMovingAverager, decay: 0.9998}",
                         "schedule.optimizer.param_level_cfg={backbone: {lr_mult: 0.1, decay_mult: 0.5}}" } },
    {0} };

static const char *run_case(const struct optimizer_case *row, struct config *config)
{
    struct params params;
    struct optimizer o;
    struct error err = {0};
    const char *wrong = NULL;
    make_params(&params);
    assert_true(optimizer_init(&o, config, &params, table_under_test(), &err));
    struct textbook book = { .x = calloc((size_t)params.total, sizeof *book.x) };
    for (ptrdiff_t k = 0; k < params.total; k++)
        book.x[k].value = book.x[k].average = params.value[k];
    for (int step = 1; !wrong && step <= STEPS; step++) {
        make_gradient(&o, step);
        params.value[params.list[3].offset + 2] = (float)step;          /* a running mean, moved by the network */
        const double lr = optimizer_rate(&o), norm = optimizer_norm(&o, &(struct team){ 2 });
        textbook_step(config, &o, config->schedule.optimizer.lr, step, &book);
        optimizer_step(&o, &(struct team){ 2 }, norm);
        wrong = !near(norm, book.norm, 0) ? "the norm" : first_wrong(&o, &book);
        if (!wrong && !(fabs(lr - (config->schedule.optimizer.rule_count > 1 ? 0.03 : 0.01)) < 1e-15))
            wrong = "the largest rate";
        if (wrong)
            printf("FAIL %s: step %d: %s; SEED=%" PRIu64 "\n", row->name, step, wrong, seed());
    }
    free(book.x);
    optimizer_free(&o);
    params_free(&params);
    return wrong;
}

static void test_steps(void **state)
{
    int failed = 0;
    (void)state;
    for (const struct optimizer_case *row = cases; row->name; row++) {
        struct config config;
        read_config(&config, row->overrides);
        failed += run_case(row, &config) != NULL;
        config_free(&config);
    }
    assert_int_equal(failed, 0);
}

/* Frozen and unused parameters and gaps between tensors do not change; equal bits for any number of threads. */
static void test_bits(void **state)
{
    static const char *const overrides[OVERRIDES] = { "grad_clip=1",
                                                      "model.weight_averager={name: ExpMovingAverager, decay: 0.9}" };
    struct config config;
    float *kept[2] = {0};
    (void)state;
    read_config(&config, overrides);
    for (int threads = 1; threads <= 3; threads++) {
        struct params params, start;
        struct optimizer o;
        make_params(&params);
        make_params(&start);
        const size_t bytes = (size_t)params.total * sizeof(float);
        assert_true(optimizer_init(&o, &config, &params, table_under_test(), NULL));
        for (int step = 1; step <= 5; step++) {
            make_gradient(&o, step);
            optimizer_rate(&o);
            optimizer_step(&o, &(struct team){ threads }, optimizer_norm(&o, &(struct team){ threads }));
        }
        assert_int_equal(o.step, 5);
        for (int i = 0; i < params.count; i++) {
            const struct param *p = &params.list[i];
            const float *before = start.value + p->offset, *after = params.value + p->offset;
            const bool same = memcmp(before, after, (size_t)p->count * sizeof *after) == 0;
            assert_int_equal(same, p->kind != PARAM_TRAINED || !p->used);
            for (ptrdiff_t k = p->offset + p->count; k < params.total && k % PARAM_ALIGN; k++)
                assert_true(params.value[k] == 0 && o.average[k] == 0);
        }
        for (int i = 0; i < 2; i++) {
            const float *now = i ? o.average : params.value;
            if (threads == 1)
                kept[i] = memcpy(malloc(bytes), now, bytes);
            assert_memory_equal(kept[i], now, bytes);
        }
        optimizer_restart_average(&o);
        assert_memory_equal(o.average, params.value, bytes);
        optimizer_free(&o);
        params_free(&params);
        params_free(&start);
    }
    free(kept[0]);
    free(kept[1]);
    config_free(&config);
}

/* ---- schedules ---- */

static void test_warm_up(void **state)
{
    static const struct { const char *name; double first, half; } shapes[] = {
        { "schedule.warmup.name=linear", 0.01, 0.505 }, { "schedule.warmup.name=exp", 0.01, 0.1 },
        { "schedule.warmup.name=constant", 0.01, 0.01 } };
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const char *const overrides[OVERRIDES] = { shapes[i].name, "schedule.warmup.steps=10",
                                                   "schedule.warmup.ratio=0.01" };
        struct config config;
        struct rate rate = { 2, 2 };
        read_config(&config, overrides);
        rate_at_step(&config.schedule, 0, &rate);
        assert_true(fabs(rate.current - 2 * shapes[i].first) < 1e-12);
        rate_at_step(&config.schedule, 5, &rate);
        assert_true(fabs(rate.current - 2 * shapes[i].half) < 1e-12);
        rate_at_step(&config.schedule, 10, &rate);
        assert_true(fabs(rate.current - 2 * (i == 2 ? 0.01 : 1)) < 1e-12);
        rate.current = 0.7;
        rate_at_step(&config.schedule, 11, &rate);                      /* over: the schedule's rate stays */
        assert_true(rate.current == 0.7);
        config_free(&config);
    }
}

/* Without a warm-up the recursion is eta_min + (initial - eta_min) (1 + cos(pi t / T)) / 2, also beyond T. */
static void test_cosine(void **state)
{
    static const char *const overrides[OVERRIDES] = {
        "schedule.lr_schedule={name: CosineAnnealingLR, T_max: 30, eta_min: 0.1}" };
    struct config config;
    struct rate rate = { 2, 2 };
    (void)state;
    read_config(&config, overrides);
    for (int t = 1; t <= 100; t++) {
        rate_at_step(&config.schedule, t, &rate);
        rate_after_epoch(&config.schedule, t, &rate);
        const double want = 0.1 + 1.9 * (1 + cos(acos(-1) * t / 30)) / 2;
        if (!(fabs(rate.current - want) < 1e-9))
            fail_msg("after %d epochs: %.17g, should be %.17g", t, rate.current, want);
    }
    config_free(&config);
}

static void test_milestones(void **state)
{
    static const char *const overrides[OVERRIDES] = {
        "schedule.lr_schedule={name: MultiStepLR, milestones: [2, 5, 5, 9], gamma: 0.5}" };
    struct config config;
    struct rate rate = { 1, 1 };
    (void)state;
    read_config(&config, overrides);
    for (int t = 1; t <= 12; t++) {
        rate_after_epoch(&config.schedule, t, &rate);
        assert_true(rate.current == (t < 2 ? 1 : t < 5 ? 0.5 : t < 9 ? 0.125 : 0.0625));
    }
    config_free(&config);
}

/* One epoch of half a cosine, the shortest there is. */
static void test_shortest_cosine(void **state)
{
    static const char *const overrides[OVERRIDES] = { "schedule.lr_schedule={name: CosineAnnealingLR, T_max: 1}" };
    struct config config;
    struct rate rate = { 1, 1 };
    (void)state;
    read_config(&config, overrides);
    for (int t = 1; t <= 6; t++) {
        rate_after_epoch(&config.schedule, t, &rate);
        assert_true(fabs(rate.current - (t % 2 ? 0 : 1)) < 1e-12);
    }
    config_free(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_bits),
        cmocka_unit_test(test_warm_up),
        cmocka_unit_test(test_cosine),
        cmocka_unit_test(test_milestones),
        cmocka_unit_test(test_shortest_cosine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
