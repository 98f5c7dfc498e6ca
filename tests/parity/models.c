/* tests/parity/models.c -- whole models: outputs, detections, losses, assignment, gradients, running statistics. */
#include "../json_file.h"
#include "../policy.h"
#include "../there.h"
#include "base/path.h"
#include "models.h"

#include "base/memory.h"
#include "interop/safetensors.h"
#include "kernel/kernels.h"
#include "model/criterion.h"
#include "model/parts.h"
#include "rooms.h"
#include "weights/weights.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void tally_add(struct model_case *c, const cJSON *rules, const char *name, const char *group, double off)
{
    const cJSON *overrides = cJSON_GetObjectItemCaseSensitive(rules, "tolerance_override");
    const cJSON *own = cJSON_GetObjectItemCaseSensitive(overrides, name);
    const cJSON *all = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(rules, "tolerance"), group);
    const cJSON *rule = cJSON_IsNumber(own) ? own : cJSON_GetObjectItemCaseSensitive(all, "tolerance");
    const double tolerance = cJSON_IsNumber(rule) ? rule->valuedouble : 0;
    const double ratio = off == 0 ? 0 : off / tolerance;
    c->tally.compared++;
    if (ratio <= c->tally.ratio || isnan(c->tally.ratio))
        return;
    c->tally.ratio = ratio;
    c->tally.worst = off;
    c->tally.tolerance = tolerance;
    snprintf(c->tally.name, sizeof c->tally.name, "%s", name);
}

bool listed(const cJSON *names, const char *name)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, names)
        if (cJSON_IsString(item) && strcmp(item->valuestring, name) == 0)
            return true;
    return false;
}

float *param_numbers(const struct param *p, const real *array)
{
    float *out = new_array((size_t)p->count, sizeof *out, NULL);
    if (out)
        param_to_file(p, array, out);
    return out;
}

static void tally_number(struct model_case *c, const cJSON *rules, struct tensors *t, const char *prefix,
                         const char *group, const char *what, double have, double scale)
{
    char name[300], rule[100];
    snprintf(name, sizeof name, "%s.%s", prefix, what);
    snprintf(rule, sizeof rule, "%s.%s", group, what);
    const double *want = fixture_doubles(t, name);
    if (want)
        tally_add(c, rules, name, rule, fabs(have - *want) / fmax(scale, 1e-300));
}

/* steps: 2-norms, as `delta` is compared; else the largest difference. */
static double samples_off(struct digest d, const double *want, size_t count)
{
    const size_t stride = (d.count + (size_t)d.samples - 1) / (size_t)d.samples;
    double off = 0, largest = d.min_norm;
    for (size_t i = 0; i < count; i++) {
        const double diff = fabs((double)d.x[i * stride] - want[i]);
        off = diff > off || isnan(diff) ? diff : off;
        largest = fmax(largest, fabs(want[i]));
    }
    return off == 0 ? 0 : off / largest;
}

void tally_digest(struct model_case *c, const cJSON *rules, struct tensors *t, const char *prefix, const char *group,
                  struct digest d)
{
    char name[300], rule[100];
    double squares = 0, sum = 0;
    for (size_t i = 0; i < d.count; i++) {
        squares += (double)d.x[i] * d.x[i];
        sum += d.x[i];
    }
    snprintf(name, sizeof name, "%s.norm", prefix);
    const double *norm = fixture_doubles(t, name);
    if (norm)
        tally_number(c, rules, t, prefix, group, "norm", sqrt(squares), fmax(*norm, d.min_norm));
    if (norm)
        tally_number(c, rules, t, prefix, group, "sum", sum, *norm * sqrt((double)d.count));
    snprintf(name, sizeof name, "%s.sample", prefix);
    snprintf(rule, sizeof rule, "%s.sample", group);
    const double *sample = fixture_doubles(t, name);
    const size_t count = (size_t)fixture_extent(t, name, 0);
    if (sample && (count - 1) * ((d.count + (size_t)d.samples - 1) / (size_t)d.samples) < d.count)
        tally_add(c, rules, name, rule, samples_off(d, sample, count));
    else if (sample)
        tally_add(c, rules, name, rule, NAN);
}

struct input_batch case_images(const struct model_case *c)
{
    return (struct input_batch){ c->pixel, c->n, c->h, c->w, c->truth };
}

/* The rows [level][image][y][x] of an output against a tensor [image][prior][channel]. */
static void tally_rows(struct model_case *c, const char *name, const float *rows, const struct prior_grid *grid)
{
    const double *want = fixture_doubles(&c->expected, name);
    const int priors = fixture_extent(&c->expected, name, 1), channels = fixture_extent(&c->expected, name, 2);
    double off = 0, largest = 0;
    if (!want)
        return;
    if (priors != prior_count(grid) || channels != c->model.shape.num_classes + 4 * (c->model.shape.reg_max + 1)) {
        tally_add(c, c->meta, name, name, INFINITY);
        return;
    }
    for (int i = 0; i < c->n; i++)
        for (int p = 0; p < priors; p++)
            for (int k = 0; k < channels; k++) {
                const double y = *want++, diff = fabs((double)rows[prior_row(grid, i, p) * channels + k] - y);
                off = diff > off || isnan(diff) ? diff : off;
                largest = fmax(largest, fabs(y));
            }
    tally_add(c, c->meta, name, name, off / largest);
}

/* Same count and labels, boxes relative to the largest coordinate, scores within 1e-3; of neighbours whose scores are
 * within 1e-4 of each other the order is free. */
static double detections_off(const struct detected *have, int count, const double *want, int wanted)
{
    double off = 0, largest = 0;
    if (count != wanted)
        return INFINITY;
    for (int i = 0; i < count; i++)
        for (int k = 0; k < 4; k++)
            largest = fmax(largest, fabs(want[i * 6 + k]));
    for (int i = 0; i < count; i++) {
        double best = INFINITY;
        for (int j = i > 0 ? i - 1 : 0; j <= i + 1 && j < count; j++) {
            const double *w = want + j * 6;
            double diff = have[i].label != (int)w[5] || !(fabs((double)have[i].score - w[4]) <= 1e-3) ? INFINITY : 0;
            if (j != i && !(fabs(w[4] - want[i * 6 + 4]) < 1e-4))
                continue;
            for (int k = 0; k < 4; k++)
                diff = fixture_worse(diff, fabs((double)have[i].box[k] - w[k]) / largest);
            best = fmin(best, diff);
        }
        off = fmax(off, best);
    }
    return off;
}

static bool compare_detections(struct model_case *c, const float *rows, const struct prior_grid *grid,
                               struct error *err)
{
    const struct postprocess_config config = { c->model.shape.num_classes, c->model.shape.reg_max, 0.05, 0.6, 100,
                                               kernels_under_test(), false };
    struct detected found[100];
    struct arena tmp = {0};
    bool ok = arena_init(&tmp, postprocess_bytes(&config, grid), err);
    for (int i = 0; ok && i < c->n; i++) {
        char name[32];
        int count = 0;
        snprintf(name, sizeof name, "detections.%d", i);
        const double *want = fixture_doubles(&c->expected, name);
        ok = postprocess(&config, grid, i, rows, &tmp, found, &count, err);
        if (ok && want)
            tally_add(c, c->meta, name, "detections.*",
                      detections_off(found, count, want, fixture_extent(&c->expected, name, 0)));
    }
    arena_free(&tmp);
    return ok;
}

static bool compare_evaluation(struct model_case *c, struct train_step *l, struct error *err)
{
    const struct graph_options options = { .n = c->n, .h = c->h, .w = c->w, .policy = &l->policy };
    const struct binding to = { .params = &c->model.params, .values = c->model.params.value, .team = &l->team,
                                .kernels = l->policy.kernels };
    struct graph g = {0};
    struct prior_grid grid;
    bool ok = model_graph(&c->model, &options, &g, err) && graph_bind(&g, &to, err)
           && criterion_grid(&c->model, c->n, c->h, c->w, &grid, err);
    if (ok) {
        const size_t bytes = (size_t)c->n * (size_t)c->h * (size_t)c->w * 3 * sizeof(float);
        memcpy(graph_view(&g, MODEL_INPUT).p, c->pixel, bytes);
        graph_forward(&g, 0);
        const float *rows = graph_view(&g, graph_output_named(&g, "main")).p;
        tally_rows(c, "eval_out", rows, &grid);
        ok = compare_detections(c, rows, &grid, err);
    }
    graph_free(&g);
    return ok;
}

static void compare_losses(struct model_case *c, const struct losses *l)
{
    const struct { const char *name; double value; } list[] = {
        { "loss.qfl", l->head[LOSS_MAIN].qfl },   { "loss.aux_qfl", l->head[LOSS_AUX].qfl },
        { "loss.bbox", l->head[LOSS_MAIN].bbox }, { "loss.aux_bbox", l->head[LOSS_AUX].bbox },
        { "loss.dfl", l->head[LOSS_MAIN].dfl },   { "loss.aux_dfl", l->head[LOSS_AUX].dfl },
        { "loss.total", losses_total(l) } };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        const double *want = fixture_doubles(&c->expected, list[i].name);
        if (want)
            tally_add(c, c->meta, list[i].name, "loss.*", fabs(list[i].value - *want) / fmax(fabs(*want), 1e-300));
    }
}

static void compare_assignment(struct model_case *c, const struct cached_graph *cached)
{
    for (int i = 0; i < c->n; i++) {
        char name[32];
        int wrong = 0;
        snprintf(name, sizeof name, "assigned_gt.%d", i);
        const int *want = fixture_ints(&c->expected, name);
        for (int p = 0; want && p < prior_count(&cached->loss.grid); p++) {
            const int match = cached->loss.match[prior_row(&cached->loss.grid, i, p)];
            wrong += want[p] != (match == MATCH_BACKGROUND ? 0 : match == MATCH_IGNORED ? -1 : match + 1);
        }
        tally_add(c, c->meta, name, "assigned_gt.*", want ? (double)wrong : INFINITY);
    }
}

static void find_largest_gradient(struct model_case *c)
{
    for (int i = 0; i < c->expected.count; i++) {
        const char *name = c->expected.list[i].name, *dot = strrchr(name, '.');
        if (strncmp(name, "grad.", 5) != 0 || strcmp(dot, ".sample") != 0)
            continue;
        const double *x = fixture_doubles(&c->expected, name);
        for (int k = 0; x && k < fixture_extent(&c->expected, name, 0); k++)
            c->largest_gradient = fmax(c->largest_gradient, fabs(x[k]));
    }
}

static double largest_of(const float *x, ptrdiff_t count)
{
    double largest = 0;
    for (ptrdiff_t i = 0; i < count; i++)
        largest = fabs((double)x[i]) > largest || isnan(x[i]) ? fabs((double)x[i]) : largest;
    return largest;
}

/* The gradient of a parameter listed as without gradient is only noise.  The list comes from samples, which can all be
 * 0 if other elements are not: such a gradient must equal its digests instead. */
static void compare_gradients(struct model_case *c, const struct optimizer *o)
{
    const cJSON *zero = cJSON_GetObjectItemCaseSensitive(c->meta, "zero_grad_params");
    const cJSON *samples = cJSON_GetObjectItemCaseSensitive(c->meta, "digest_samples");
    find_largest_gradient(c);
    for (int i = 0; i < c->model.params.count; i++) {
        const struct param *p = &c->model.params.list[i];
        char name[300];
        float *g = p->kind == PARAM_TRAINED ? param_numbers(p, o->gradient) : NULL;
        snprintf(name, sizeof name, "grad.%s", p->name);
        if (g && !(listed(zero, p->name) && largest_of(g, p->count) < 1e-5 * c->largest_gradient))
            tally_digest(c, c->meta, &c->expected, name, "grad.*",
                         (struct digest){ g, (size_t)p->count, samples ? samples->valueint : 1,
                                          1e-6 * c->largest_gradient });
        free(g);
    }
}

static void compare_statistics(struct model_case *c)
{
    static const char *const kinds[][2] = { { ".running_mean", "mean" }, { ".running_var", "var" } };
    for (int i = 0; i < c->model.params.count; i++)
        for (int k = 0; k < 2; k++) {
            const struct param *p = &c->model.params.list[i];
            const char *end = strstr(p->name, kinds[k][0]);
            char name[300], rule[32];
            if (!end)
                continue;
            snprintf(name, sizeof name, "running.%.*s.%s", (int)(end - p->name), p->name, kinds[k][1]);
            snprintf(rule, sizeof rule, "running.*.%s", kinds[k][1]);
            const double *want = fixture_doubles(&c->expected, name);
            double off = 0, largest = 0;
            for (ptrdiff_t j = 0; want && j < p->count; j++) {
                const double diff = fabs(c->model.params.value[p->offset + j] - want[j]);
                off = diff > off || isnan(diff) ? diff : off;
                largest = fmax(largest, fabs(want[j]));
            }
            if (want)
                tally_add(c, c->meta, name, rule, off / largest);
        }
}

bool open_train_step(struct model_case *c, struct train_step *l, struct error *err)
{
    struct weights_report report = {0};
    bool ok = train_step_init(l, &c->model, policy_under_test(2), err)
           && weights_from_tensors(&c->model.params, &c->weights, "", c->model.params.value, &report, err);
    if (ok && (report.missing.count || report.misfit.count || report.unknown.count))
        ok = fail(err, "weights: %d missing, %d of another shape, %d unknown: %s", report.missing.count,
                  report.misfit.count, report.unknown.count,
                  report.missing.count ? report.missing.list[0] : report.misfit.count ? report.misfit.list[0]
                                       : report.unknown.list[0]);
    if (ok)
        optimizer_restart_average(&l->optimizer);
    weights_report_free(&report);
    return ok;
}

static bool compare_training(struct model_case *c, struct error *err)
{
    struct train_step l = {0};
    struct losses losses;
    struct cached_graph *cached;
    const struct input_batch images = case_images(c);
    bool ok = open_train_step(c, &l, err) && compare_evaluation(c, &l, err) && compare_deploy(c, err)
           && train_step_forward(&l, &images, c->epoch, &losses, &cached, err);
    if (ok) {
        tally_rows(c, "train_out", graph_view(&cached->graph, graph_output_named(&cached->graph, "main")).p,
                   &cached->loss.grid);
        if (losses.aux)
            tally_rows(c, "aux_out", graph_view(&cached->graph, graph_output_named(&cached->graph, "aux")).p,
                       &cached->loss.grid);
        compare_losses(c, &losses);
        compare_assignment(c, cached);
        graph_backward(&cached->graph, false);
        compare_gradients(c, &l.optimizer);
        compare_statistics(c);
    }
    train_step_free(&l);
    return ok;
}

static bool read_input(struct model_case *c, struct error *err)
{
    const float *x = fixture_floats(&c->input, "input");
    c->n = fixture_extent(&c->input, "input", 0);
    c->h = fixture_extent(&c->input, "input", 2);
    c->w = fixture_extent(&c->input, "input", 3);
    c->pixel = tensors_block(&c->input, (size_t)c->n * (size_t)c->h * (size_t)c->w * 3, sizeof(float), err);
    c->truth = tensors_block(&c->input, (size_t)c->n, sizeof *c->truth, err);
    if (!x || !c->pixel || !c->truth)
        return fail(err, "no input");
    for (int i = 0; i < c->n; i++) {
        for (int k = 0; k < 3 * c->h * c->w; k++)
            c->pixel[((ptrdiff_t)i * c->h * c->w + k % (c->h * c->w)) * 3 + k / (c->h * c->w)] = *x++;
        char box[32], label[32], ignore[32];
        snprintf(box, sizeof box, "gt_boxes.%d", i);
        snprintf(label, sizeof label, "gt_labels.%d", i);
        snprintf(ignore, sizeof ignore, "gt_ignore.%d", i);
        c->truth[i] = (struct ground_truth){
            fixture_extent(&c->input, box, 0), fixture_extent(&c->input, ignore, 0),
            (const float (*)[4])(void *)fixture_floats(&c->input, box), fixture_ints(&c->input, label),
            (const float (*)[4])(void *)fixture_floats(&c->input, ignore) };
    }
    return true;
}

/* A file of the case, which may be absent. */
static char *file_of(const struct model_case *c, const char *name)
{
    return path_join(c->path, name, NULL);
}

static bool open_tensors(const struct model_case *c, struct tensors *t, const char *name, struct error *err)
{
    char *path = file_of(c, name);
    const bool ok = path && safetensors_read(t, path, err);
    free(path);
    return ok;
}

/* The fixtures were made without random layers. */
static void switch_drawing_off(struct model *model)
{
    if (strcmp(model->backbone->name, "EfficientNetLite") == 0)
        ((struct efficientnet_lite *)model->backbone_config)->drop_connect_rate = 0;
}

static bool open_case(struct model_case *c, struct error *err)
{
    char *config = file_of(c, "config.yml"), *meta = file_of(c, "meta.json");
    const bool ok = config && meta && config_read(&c->config, config, NULL, 0, err)
                 && (c->meta = json_read(meta, err)) && model_open(&c->model, &c->config, err)
                 && open_tensors(c, &c->weights, "weights.safetensors", err)
                 && open_tensors(c, &c->input, "case.safetensors", err)
                 && open_tensors(c, &c->expected, "expected.safetensors", err) && read_input(c, err);
    const cJSON *epoch = cJSON_GetObjectItemCaseSensitive(c->meta, "epoch");
    if (ok)
        switch_drawing_off(&c->model);
    c->epoch = cJSON_IsNumber(epoch) ? epoch->valueint : 0;
    free(config);
    free(meta);
    return ok;
}

static bool compare_steps_if_there(struct model_case *c, const char *file, const char *rules, struct error *err)
{
    char *path = file_of(c, file);
    const bool ok = !path || !file_exists(path) || compare_steps(c, path, rules, err);
    free(path);
    return ok;
}

void parity_models(struct parity *p, const char *path)
{
    struct model_case c = { .path = path };
    struct error err = {0};
    char what[300];
    const bool ok = open_case(&c, &err) && compare_training(&c, &err)
                 && compare_steps_if_there(&c, "steps.safetensors", "steps", &err)
                 && compare_steps_if_there(&c, "steps_late.safetensors", "steps_late", &err);
    snprintf(what, sizeof what, "%d tensors, %s", c.tally.compared, c.tally.name);
    if (ok)
        parity_compare(p, path, c.tally.worst, c.tally.tolerance, what);
    else
        parity_fail(p, path, "%s", err.text);
    model_free(&c.model);
    config_free(&c.config);
    tensors_free(&c.weights);
    tensors_free(&c.input);
    tensors_free(&c.expected);
    cJSON_Delete(c.meta);
}
