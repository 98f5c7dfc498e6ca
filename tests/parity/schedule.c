/* The rooms "schedule" and "schedules": learning rates iteration by iteration, and averages of weights. */
#include "../policy.h"
#include "base/strbuf.h"
#include "fixture.h"

#include "../json_file.h"
#include "base/memory.h"
#include "kernel/kernels.h"
#include "rooms.h"
#include "train/optimizer.h"
#include "train/schedule.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GROUPS = 16, ITERATIONS = 10000000 };

/* The largest |got - want| / |want|. */
static double relative(const double *got, const double *want, int count)
{
    double worst = 0;
    for (int i = 0; i < count; i++)
        worst = fixture_worse(worst, fixture_distance(&got[i], &want[i], 1));
    return worst;
}

/* A minimal configuration with the values of the JSON objects; JSON is YAML. */
static bool read_config(struct config *config, const cJSON *optimizer, const cJSON *schedule, const cJSON *warmup,
                        int epochs, struct error *err)
{
    static const char *const least =
        "{model: {arch: {name: NanoDetPlus, backbone: {name: x}, fpn: {name: x}, head: {name: x}}}, "
        "data: {train: {input_size: [32, 32]}}, schedule: {optimizer: {name: SGD, lr: 1, weight_decay: 0}}, "
        "class_names: [x]}";
    const struct { const char *key; const cJSON *json; } parts[] = {
        { "schedule.optimizer", optimizer }, { "schedule.lr_schedule", schedule }, { "schedule.warmup", warmup } };
    struct strbuf text[4] = {0};
    const char *overrides[4];
    int count = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        char *json = parts[i].json ? cJSON_PrintUnformatted(parts[i].json) : NULL;
        if (json)
            strbuf_addf(&text[count++], "%s=%s", parts[i].key, json);
        cJSON_free(json);
    }
    strbuf_addf(&text[count++], "schedule.total_epochs=%d", epochs);
    bool ok = true;
    for (int i = 0; i < count; i++) {
        ok = ok && strbuf_check(&text[i], err);
        overrides[i] = text[i].s;
    }
    ok = ok && config_parse(config, least, strlen(least), "schedule", overrides, count, err);
    for (int i = 0; i < count; i++)
        strbuf_free(&text[i]);
    return ok;
}

/* The rate of every group in every iteration: [epoch][iteration][group]; free it. */
struct trace { double *rate; int epochs, iterations, groups; };

static bool run_schedule(struct trace *t, const struct schedule_config *c, const double *lr, struct error *err)
{
    struct rate rate[GROUPS];
    long step = 0;
    double *out = t->rate = t->epochs > 0 && t->iterations > 0 && t->epochs <= ITERATIONS / t->iterations
        ? new_array((size_t)t->epochs * (size_t)t->iterations, (size_t)t->groups * sizeof *t->rate, err) : NULL;
    if (!out)
        return fail(err, "%d epochs of %d iterations", t->epochs, t->iterations);
    for (int g = 0; g < t->groups; g++)
        rate[g] = (struct rate){ lr[g], lr[g] };
    for (int epoch = 0; epoch < t->epochs; epoch++) {
        for (int i = 0; i < t->iterations; i++, step++)
            for (int g = 0; g < t->groups; g++) {
                rate_at_step(c, step, &rate[g]);
                *out++ = rate[g].current;
            }
        for (int g = 0; g < t->groups; g++)
            rate_after_epoch(c, epoch + 1, &rate[g]);
    }
    return true;
}

/* Every `stride`th iteration from `first` on against a list of the case. */
static void compare_rates(struct parity *p, const char *path, const cJSON *trace, const char *key, const char *name,
                          const struct trace *t, int first, int stride)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(trace, key);
    const int count = cJSON_GetArraySize(list) * t->groups, length = t->epochs * t->iterations;
    double *want = new_array((size_t)count, sizeof *want, NULL), *got = new_array((size_t)count, sizeof *got, NULL);
    char what[200];
    int filled = 0;
    for (int i = first; want && got && i < length && filled < count; i += stride)
        for (int g = 0; g < t->groups; g++)
            got[filled++] = t->rate[(ptrdiff_t)i * t->groups + g];
    const bool fits = want && count > 0 && filled == count && fixture_json(trace, key, want, count) == count;
    snprintf(what, sizeof what, "%s %s", name, key);
    if (list)
        parity_compare(p, path, fits ? relative(got, want, count) : INFINITY, 1e-12, what);
    free(want);
    free(got);
}

static void compare_lr(struct parity *p, const char *path, const cJSON *trace)
{
    const cJSON *c = cJSON_GetObjectItemCaseSensitive(trace, "config");
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(c, "case");
    const char *what = cJSON_IsString(name) ? name->valuestring : "?";
    struct trace t = {0};
    struct config config = {0};
    struct error err = {0};
    double lr[GROUPS] = { 1 }, base = 0;
    t.groups = fixture_json(c, "mults", lr, GROUPS);
    t.groups = t.groups ? t.groups : 1;
    json_real(cJSON_GetObjectItemCaseSensitive(c, "lr"), &base);
    json_int(cJSON_GetObjectItemCaseSensitive(c, "epochs"), &t.epochs);
    json_int(cJSON_GetObjectItemCaseSensitive(c, "iters_per_epoch"), &t.iterations);
    for (int g = 0; g < t.groups; g++)
        lr[g] *= base;
    if (read_config(&config, NULL, cJSON_GetObjectItemCaseSensitive(c, "schedule"),
                    cJSON_GetObjectItemCaseSensitive(c, "warmup"), t.epochs, &err)
        && run_schedule(&t, &config.schedule, lr, &err)) {
        compare_rates(p, path, trace, "lr_per_iteration", what, &t, 0, 1);
        compare_rates(p, path, trace, "lr_first_of_epoch", what, &t, 0, t.iterations);
        compare_rates(p, path, trace, "lr_last_of_epoch", what, &t, t.iterations - 1, t.iterations);
    } else
        parity_fail(p, path, "%s: %s", what, err.text);
    free(t.rate);
    config_free(&config);
}

/* The numbers of a list, in a block that free() releases; *count of them. */
static double *numbers(const cJSON *object, const char *key, int *count)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(object, key);
    const int room = cJSON_GetArraySize(list) * (cJSON_IsArray(cJSON_GetArrayItem(list, 0)) ? 2 : 1);
    double *out = new_array((size_t)room, sizeof *out, NULL);
    *count = out ? fixture_json(object, key, out, room) : 0;
    return out;
}

/* An average over the values of consecutive iterations.  Those of integers are truncated; no model here has such. */
static void compare_average(struct parity *p, const char *path, const cJSON *simulated, double decay,
                            const char *values, const char *averages, bool whole)
{
    int count, iterations, wanted;
    double *value = numbers(simulated, values, &count), *at = numbers(simulated, "iterations", &iterations);
    double *want = numbers(simulated, averages, &wanted), worst = 0;
    double average = count ? value[0] : 0;
    for (int i = 0; i < count && count == iterations && count == wanted; i++) {
        const double share = ema_weight(decay, 2000, (long)at[i]);
        average = average * (1 - share) + value[i] * share;
        average = whole ? trunc(average) : average;
        worst = fixture_worse(worst, fabs(average - want[i]));
    }
    if (cJSON_HasObjectItem(simulated, averages))
        parity_compare(p, path, count && count == iterations && count == wanted ? worst : INFINITY, 1e-12, averages);
    free(value);
    free(at);
    free(want);
}

static void compare_ema(struct parity *p, const char *path, const cJSON *trace)
{
    const cJSON *simulated = cJSON_GetObjectItemCaseSensitive(trace, "simulated");
    double decay = NAN, worst = 0;
    int count;
    double *table = numbers(trace, "table", &count);
    json_real(cJSON_GetObjectItemCaseSensitive(trace, "decay"), &decay);
    for (int i = 0; i + 1 < count; i += 2)
        worst = fixture_worse(worst, fabs(ema_weight(decay, 2000, (long)table[i]) - table[i + 1]));
    parity_compare(p, path, count > 0 && count % 2 == 0 ? worst : INFINITY, 1e-12, "table");
    compare_average(p, path, simulated, decay, "values", "average", false);
    compare_average(p, path, simulated, decay, "integer_buffer", "integer_buffer_average", true);
    free(table);
}

void parity_schedule(struct parity *p, const char *path)
{
    struct error err = {0};
    cJSON *json = json_read(path, &err);
    const cJSON *trace;
    if (!cJSON_IsArray(json) || cJSON_GetArraySize(json) == 0)
        parity_fail(p, path, "no list of traces: %s", err.text);
    cJSON_ArrayForEach(trace, json) {
        if (cJSON_HasObjectItem(trace, "config"))
            compare_lr(p, path, trace);
        else
            compare_ema(p, path, trace);
    }
    cJSON_Delete(json);
}

/* lr.<name>: the settings of that name give the rate of the one group. */
static void compare_tensor(struct parity *p, const char *path, struct tensors *t, const char *name, const cJSON *trace,
                           double tolerance)
{
    const cJSON *optimizer = cJSON_GetObjectItemCaseSensitive(trace, "optimizer");
    struct trace got = { .epochs = fixture_extent(t, name, 0), .iterations = fixture_extent(t, name, 1), .groups = 1 };
    struct config config = {0};
    struct error err = {0};
    const double *want = fixture_doubles(t, name);
    if (!trace)
        parity_fail(p, path, "%s: no settings", name);
    else if (want && read_config(&config, optimizer, cJSON_GetObjectItemCaseSensitive(trace, "lr_schedule"),
                         cJSON_GetObjectItemCaseSensitive(trace, "warmup"), got.epochs, &err)
             && run_schedule(&got, &config.schedule, &config.schedule.optimizer.lr, &err))
        parity_compare(p, path, relative(got.rate, want, got.epochs * got.iterations), tolerance, name);
    else
        parity_fail(p, path, "%s: %s", name, err.text);
    free(got.rate);
    config_free(&config);
}

static void compare_shares(struct parity *p, const char *path, struct tensors *t, const char *name, double tolerance)
{
    const double *want = fixture_doubles(t, name), *at = fixture_doubles(t, "ema_iterations");
    const double decay = strtod(name + strlen("ema_decay."), NULL);
    const int count = fixture_extent(t, name, 0);
    double worst = count > 0 && count == fixture_extent(t, "ema_iterations", 0) ? 0 : INFINITY;
    for (int i = 0; isfinite(worst) && i < count; i++) {
        const double share = ema_weight(decay, 2000, (long)at[i]);
        worst = fixture_worse(worst, relative(&share, &want[i], 1));
    }
    parity_compare(p, path, worst, tolerance, name);
}

/* The optimizer's average of a vector that the test changes; the learning rate is 0. */
static bool average_vector(struct tensors *t, struct params *params, double *worst, struct error *err)
{
    const float *value = fixture_floats(t, "ema_vector.values");
    const double *at = fixture_doubles(t, "ema_vector.iterations"), *want = fixture_doubles(t, "ema_vector.ema");
    const int steps = fixture_extent(t, "ema_vector.ema", 0), width = fixture_extent(t, "ema_vector.values", 1);
    const struct config config = { .model = { .averager = AVERAGER_EMA, .decay = 0.9998, .tau = 2000 },
                                   .schedule = { .optimizer = { .name = OPTIMIZER_SGD }, .accumulate = 1 } };
    struct optimizer o = {0};
    if (!at || fixture_extent(t, "ema_vector.values", 0) != steps + 1
        || fixture_extent(t, "ema_vector.iterations", 0) != steps || fixture_extent(t, "ema_vector.ema", 1) != width)
        return fail(err, "ema_vector: the extents do not fit");
    bool ok = params_declare(params, "x", (struct shape){ 1, 1, 1, width, {0} }, 1, PARAM_BUFFER, (struct init){0},
                             err) == 0
           && params_layout(params, NULL, 0, err);
    if (ok)
        memcpy(params->value, value, (size_t)width * sizeof *value);
    ok = ok && optimizer_init(&o, &config, params, kernels_under_test(), err);
    for (int i = 0; ok && i < steps; i++) {
        memcpy(params->value, value + (ptrdiff_t)(i + 1) * width, (size_t)width * sizeof *value);
        o.step = (long)at[i] - 1;
        optimizer_step(&o, &(struct team){ 1 }, 0);
        for (int k = 0; k < width; k++) {
            const double got = o.average[k];
            *worst = fixture_worse(*worst, fixture_distance_of(&got, &want[i * width + k], 1, 1));
        }
    }
    optimizer_free(&o);
    return ok;
}

static void compare_vector(struct parity *p, const char *path, struct tensors *t)
{
    struct params params = {0};
    struct error err = {0};
    double worst = 0;
    if (average_vector(t, &params, &worst, &err))
        parity_compare(p, path, worst, 1e-5, "ema_vector");
    else
        parity_fail(p, path, "%s", err.text);
    params_free(&params);
}

/* The settings are in a file with the name of the tensors' file. */
static cJSON *read_settings(const char *path, struct error *err)
{
    struct strbuf json = {0};
    const char *dot = strrchr(path, '.');
    strbuf_addf(&json, "%.*s.json", dot ? (int)(dot - path) : 0, path);
    cJSON *settings = strbuf_check(&json, err) ? json_read(json.s, err) : NULL;
    strbuf_free(&json);
    return settings;
}

void parity_schedules(struct parity *p, const char *path)
{
    struct tensors t;
    struct error err = {0};
    cJSON *settings = read_settings(path, &err);
    const cJSON *traces = cJSON_GetObjectItemCaseSensitive(settings, "lr_traces");
    double tolerance = 1e-6;
    json_real(cJSON_GetObjectItemCaseSensitive(settings, "tolerance"), &tolerance);
    if (!settings)
        parity_fail(p, path, "%s", err.text);
    const bool open = fixture_open(&t, p, path);
    for (int i = 0; open && settings && i < t.count; i++) {
        const char *name = t.list[i].name;
        if (strncmp(name, "lr.", 3) == 0)
            compare_tensor(p, path, &t, name, cJSON_GetObjectItemCaseSensitive(traces, name + 3), tolerance);
        else if (strncmp(name, "ema_decay.", 10) == 0)
            compare_shares(p, path, &t, name, tolerance);
        else if (strcmp(name, "ema_vector.ema") == 0)
            compare_vector(p, path, &t);
    }
    tensors_free(&t);
    cJSON_Delete(settings);
}
