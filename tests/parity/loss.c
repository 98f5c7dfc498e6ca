/* The room "loss": losses of rows in double, and whole heads in float. */
#include "../policy.h"
#include "fixture.h"

#include "base/memory.h"
#include "base/table.h"
#include "detect/box.h"
#include "detect/box_loss.h"
#include "detect/focal.h"
#include "detect/loss.h"
#include "detect/prediction.h"
#include "kernel/kernels.h"
#include "rooms.h"
#include <cjson/cJSON.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Rows: value and slope of each, then every way of weighting and reducing them in the file. */

struct rows {
    struct parity *p;
    const char *path;
    struct tensors t;
    int count, width;           /* of pred */
    double *value, *slope;      /* [count], [count][width] */
    double *parts;              /* [count] size of the terms that a row's slopes are sums of, 0 where none cancel */
};

static void quality_rows(struct rows *r)
{
    const double *pred = fixture_doubles(&r->t, "pred"), *score = fixture_doubles(&r->t, "score");
    const int *label = fixture_ints(&r->t, "label");
    const double beta = fixture_number(&r->t, "beta", 2);
    for (int i = 0; i < r->count * r->width; i++) {
        const int row = i / r->width, c = i % r->width;
        r->value[row] += quality_focal(pred[i], c == label[row] ? score[row] : 0, beta, &r->slope[i]);
    }
}

static void distribution_rows(struct rows *r)
{
    const double *pred = fixture_doubles(&r->t, "pred"), *label = fixture_doubles(&r->t, "label");
    double *p = tensors_block(&r->t, (size_t)r->count * (size_t)r->width, sizeof *p, NULL);
    kernels_under_test()->softmax_double(r->count, r->width, 1, pred, p);
    for (int i = 0; i < r->count; i++)
        r->value[i] = distribution_focal(pred + i * r->width, p + i * r->width, r->width, label[i],
                                         r->slope + i * r->width);
}

/* Slopes of an IoU are sums of terms of a side over the union.  Where a prediction is perfect they cancel, and the
 * original's numbers are its rounding. */
static double box_parts(const double p[4], const double t[4], double eps)
{
    const double w = fmax(p[2] - p[0], t[2] - t[0]), h = fmax(p[3] - p[1], t[3] - t[1]);
    const double areas = (p[2] - p[0]) * (p[3] - p[1]) + (t[2] - t[0]) * (t[3] - t[1]);
    return fmax(w, h) / fmax(areas / 2, eps);           /* the union is at least half of both areas */
}

static void box_rows(struct rows *r, const struct box_loss *loss)
{
    const double (*pred)[4] = (void *)fixture_doubles(&r->t, "pred");
    const double (*target)[4] = (void *)fixture_doubles(&r->t, "target");
    const double eps = fixture_number(&r->t, "eps", loss->eps);
    for (int i = 0; i < r->count; i++) {
        r->value[i] = loss->of(pred[i], target[i], eps, r->slope + 4 * i);
        r->parts[i] = box_parts(pred[i], target[i], eps);
    }
}

/* The difference of slopes relative to the largest; differences within ROUNDINGS of a row's terms count as 0. */
static double slope_distance(const struct rows *r, const double *got, const double *want, const double *parts)
{
    enum { ROUNDINGS = 4 };                     /* measured: less than 2 */
    double worst = 0, largest = 0;
    for (int i = 0; want && i < r->count * r->width; i++) {
        const double d = fabs(got[i] - want[i]), rest = d <= ROUNDINGS * DBL_EPSILON * parts[i / r->width] ? 0 : d;
        worst = fixture_worse(worst, rest);
        largest = fmax(largest, fabs(want[i]));
    }
    return !want ? INFINITY : largest > 0 ? worst / largest : worst;
}

/* One reduction: loss.<now|w>.<none|mean|sum>[.avgA] and its gradient. */
static void compare_reduction(struct rows *r, const char *name)
{
    char which[8], how[8], grad[80];
    double average = r->count;
    const int found = sscanf(name, "loss.%7[a-z].%7[a-z].avg%lf", which, how, &average);
    if (found < 2)
        return;
    const bool none = strcmp(how, "none") == 0;
    const double *weight = strcmp(which, "w") == 0 ? fixture_doubles(&r->t, "weight") : NULL;
    const double scale = fixture_number(&r->t, "loss_weight", 1) / (strcmp(how, "mean") == 0 ? average : 1);
    const size_t count = (size_t)r->count, width = (size_t)r->width;
    double *value = tensors_block(&r->t, count + 1, sizeof *value, NULL);
    double *slope = tensors_block(&r->t, count * width, sizeof *slope, NULL);
    double *parts = tensors_block(&r->t, count, sizeof *parts, NULL);
    for (size_t i = 0; i < count; i++) {
        const double factor = scale * (weight ? weight[i] : 1);
        value[none ? i : 0] += factor * r->value[i];
        parts[i] = factor * r->parts[i];
        for (size_t j = 0; j < width; j++)
            slope[i * width + j] = factor * r->slope[i * width + j];
    }
    snprintf(grad, sizeof grad, "grad%s", name + 4);
    parity_compare(r->p, r->path, fixture_distance(value, fixture_doubles(&r->t, name), none ? count : 1), 1e-10, name);
    parity_compare(r->p, r->path, slope_distance(r, slope, fixture_doubles(&r->t, grad), parts), 1e-10, grad);
}

static const struct box_loss *box_loss_of(const struct tensors *t)
{
    cJSON *name = cJSON_Parse(tensors_metadata(t, "loss"));
    const struct box_loss *loss = cJSON_IsString(name) ? find_row(name->valuestring, box_losses, sizeof *loss) : NULL;
    cJSON_Delete(name);
    return loss;
}

static void rows(struct rows *r)
{
    r->count = fixture_extent(&r->t, "pred", 0);
    r->width = fixture_extent(&r->t, "pred", 1);
    r->value = tensors_block(&r->t, (size_t)r->count, sizeof *r->value, NULL);
    r->slope = tensors_block(&r->t, (size_t)r->count * (size_t)r->width, sizeof *r->slope, NULL);
    r->parts = tensors_block(&r->t, (size_t)r->count, sizeof *r->parts, NULL);
    if (tensors_find(&r->t, "score"))
        quality_rows(r);
    else if (tensors_find(&r->t, "label"))
        distribution_rows(r);
    else if (box_loss_of(&r->t))
        box_rows(r, box_loss_of(&r->t));
    else
        parity_fail(r->p, r->path, "no such loss");
    const int tensors = r->t.count;
    for (int i = 0; i < tensors; i++)
        if (strncmp(r->t.list[i].name, "loss.", 5) == 0)
            compare_reduction(r, r->t.list[i].name);
}

/* ---- Whole heads */

enum { IMAGES_MAX = 64 };

struct head {
    struct parity *p;
    const char *path;
    struct tensors t;
    struct loss loss;
    struct ground_truth truth[IMAGES_MAX];
    int channels;
};

/* The strides, in order: those of the priors, or a fifth of the side of the anchors. */
static bool head_grid(struct head *k, bool plus, struct prior_grid *grid)
{
    const double (*point)[4] = (void *)fixture_doubles(&k->t, plus ? "priors" : "anchors");
    const int count = fixture_extent(&k->t, plus ? "priors" : "anchors", 0);
    int stride[LEVELS_MAX + 1], levels = 0, size[2] = {0};
    for (int i = 0; point && i < count && levels <= LEVELS_MAX; i++) {
        const double anchor_side = point[i][2] - point[i][0];
        const int s = (int)(plus ? point[i][2] : anchor_side / loss_presets[LOSS_GFL].atss.anchor_scale);
        if (levels == 0 || stride[levels - 1] != s)
            stride[levels++] = s;
    }
    struct error err = {0};
    fixture_list(&k->t, "input", size, 2);
    const int images = fixture_extent(&k->t, "pred", 0);
    if (images <= IMAGES_MAX && prior_grid_init(grid, stride, levels, plus ? 0 : 0.5, images, size[0], size[1], &err)
        && prior_count(grid) == count && fixture_extent(&k->t, "pred", 1) == count)
        return true;
    parity_fail(k->p, k->path, "priors do not fit the input: %s", err.text);
    return false;
}

/* Between [image][prior] of the fixtures and the rows of the network. */
static float *to_rows(struct head *k, const char *name)
{
    const struct prior_grid *grid = &k->loss.grid;
    const int priors = prior_count(grid), rows = grid->images * priors;
    const float *from = fixture_floats(&k->t, name);
    float *to = tensors_block(&k->t, (size_t)rows * (size_t)k->channels, sizeof *to, NULL);
    for (int i = 0; from && i < rows; i++)
        memcpy(to + prior_row(grid, i / priors, i % priors) * k->channels, from + (ptrdiff_t)i * k->channels,
               (size_t)k->channels * sizeof *to);
    return from ? to : NULL;
}

static void compare_values(struct head *k, const char *prefix, struct loss_values v)
{
    const struct { const char *name; double value; } parts[] = {
        { "loss_qfl", v.qfl }, { "loss_bbox", v.bbox }, { "loss_dfl", v.dfl } };
    for (int i = 0; i < 3; i++) {
        char name[80];
        snprintf(name, sizeof name, "%s%s", prefix, parts[i].name);
        parity_compare(k->p, k->path, fixture_distance(&parts[i].value, fixture_doubles(&k->t, name), 1), 1e-5, name);
    }
}

static void compare_total(struct head *k, const char *name, struct loss_values a, struct loss_values b)
{
    const double total = a.qfl + a.bbox + a.dfl + b.qfl + b.bbox + b.dfl;
    parity_compare(k->p, k->path, fixture_distance(&total, fixture_doubles(&k->t, name), 1), 1e-5, name);
}

static void compare_gradient(struct head *k, const char *name, const float *got)
{
    const size_t count = (size_t)k->loss.grid.images * (size_t)prior_count(&k->loss.grid) * (size_t)k->channels;
    const float *rows = to_rows(k, name);
    double *a = tensors_block(&k->t, count, sizeof *a, NULL), *b = tensors_block(&k->t, count, sizeof *b, NULL);
    for (size_t i = 0; i < count; i++) {
        a[i] = got[i];
        b[i] = rows ? rows[i] : 0;              /* no tensor: no gradient */
    }
    parity_compare(k->p, k->path, fixture_distance(a, b, count), 1e-5, name);
}

/* The targets of prior i of an image, in the order of target_names; decoded from the head's own predictions. */
enum { TARGETS = 6 };
static const char *const target_names[TARGETS] = {
    "labels", "label_weights", "label_scores", "box_targets", "dist_targets", "decoded" };

static void targets_of(const struct head *k, int image, int i, const float *pred, double out[TARGETS][4])
{
    const struct loss_config *config = &k->loss.config;
    const ptrdiff_t row = prior_row(&k->loss.grid, image, i);
    const struct prior prior = prior_at(&k->loss.grid, i);
    const int m = k->loss.match[row];
    memset(out, 0, TARGETS * sizeof *out);
    out[0][0] = m < 0 ? config->classes : k->truth[image].label[m];
    out[1][0] = m != MATCH_IGNORED;
    out[2][0] = k->loss.score[row];
    if (m >= 0) {
        box_to_double(k->truth[image].box[m], out[3]);
        box_to_target(prior.x, prior.y, out[3], prior.stride, config->reg_max, out[4]);
    }
    prediction_box(k->loss.kernels, pred + row * k->channels + config->classes, config->reg_max, prior, out[5]);
}

static void compare_targets(struct head *k, int image, const float *pred)
{
    const size_t count = (size_t)prior_count(&k->loss.grid);
    double *got[TARGETS], target[TARGETS][4];
    for (int n = 0; n < TARGETS; n++)
        got[n] = tensors_block(&k->t, 4 * count, sizeof **got, NULL);
    for (size_t i = 0; i < count; i++) {
        targets_of(k, image, (int)i, pred, target);
        for (int n = 0; n < TARGETS; n++)
            memcpy(got[n] + (n < 3 ? i : 4 * i), target[n], (n < 3 ? 1 : 4) * sizeof **got);
    }
    for (int n = 0; n < TARGETS; n++) {
        char name[80];
        snprintf(name, sizeof name, "self.%s%d", target_names[n], image);
        const double *want = fixture_doubles(&k->t, name);
        if (want)
            parity_compare(k->p, k->path, fixture_distance(got[n], want, (n < 3 ? 1 : 4) * count), n < 2 ? 0 : 1e-5,
                           name);
    }
}

static void head(struct head *k)
{
    const float *const main = to_rows(k, "pred"), *const aux = to_rows(k, "aux.aux_pred");
    const size_t count = (size_t)k->loss.grid.images * (size_t)prior_count(&k->loss.grid) * (size_t)k->channels;
    float *grad = tensors_block(&k->t, count, sizeof *grad, NULL);
    struct loss_sums sums;
    struct error err = {0};
    if (!loss_assign(&k->loss, main, (const float *[]){ main, NULL }, k->truth, &sums, &err)) {
        parity_fail(k->p, k->path, "%s", err.text);
        return;
    }
    for (int i = 0; i < k->loss.grid.images; i++)
        compare_targets(k, i, main);
    const struct loss_values alone = loss_gradient(&k->loss, LOSS_MAIN, main, k->truth, &sums, grad);
    compare_values(k, "self.", alone);
    compare_total(k, "self.loss", alone, (struct loss_values){0});
    compare_gradient(k, "self.grad", grad);
    if (!aux || !loss_assign(&k->loss, aux, (const float *[]){ main, aux }, k->truth, &sums, &err))
        return;
    const struct loss_values first = loss_gradient(&k->loss, LOSS_MAIN, main, k->truth, &sums, grad);
    compare_values(k, "aux.", first);
    compare_gradient(k, "aux.grad", grad);
    const struct loss_values second = loss_gradient(&k->loss, LOSS_AUX, aux, k->truth, &sums, grad);
    compare_values(k, "aux.aux_", second);
    compare_gradient(k, "aux.aux_grad", grad);
    compare_total(k, "aux.loss", first, second);
}

static void whole_head(struct head *k)
{
    const bool plus = tensors_find(&k->t, "priors") != NULL;
    const struct team team = { 2 };
    struct loss_config config = loss_presets[plus ? LOSS_PLUS : LOSS_GFL];
    struct prior_grid grid;
    struct error err = {0};
    if (!head_grid(k, plus, &grid))
        return;
    k->channels = fixture_extent(&k->t, "pred", 2);
    config.classes = (int)fixture_number(&k->t, "num_classes", 0);
    config.reg_max = (int)fixture_number(&k->t, "reg_max", 7);
    for (int i = 0; i < grid.images; i++) {
        char box[24], label[24];
        snprintf(box, sizeof box, "gt_boxes%d", i);
        snprintf(label, sizeof label, "gt_labels%d", i);
        k->truth[i] = (struct ground_truth){ .objects = fixture_extent(&k->t, box, 0),
                                      .box = (void *)fixture_floats(&k->t, box), .label = fixture_ints(&k->t, label) };
    }
    if (k->channels == prediction_channels(config.classes, config.reg_max)
        && loss_init(&k->loss, &config, &grid, &team, kernels_under_test(), &err))
        head(k);
    else
        parity_fail(k->p, k->path, "pred has %d channels: %s", k->channels, err.text);
    loss_free(&k->loss);
}

void parity_loss(struct parity *p, const char *path)
{
    struct tensors t;
    if (fixture_open(&t, p, path)) {
        if (tensors_find(&t, "gt_boxes0")) {
            struct head k = { .p = p, .path = path, .t = t };
            whole_head(&k);
            t = k.t;
        } else {
            struct rows r = { .p = p, .path = path, .t = t };
            rows(&r);
            t = r.t;
        }
    }
    tensors_free(&t);
}
