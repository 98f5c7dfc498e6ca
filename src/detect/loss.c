#include "detect/loss.h"

#include "detect/assigners.h"
#include "detect/box.h"
#include "detect/focal.h"
#include "detect/prediction.h"
#include "graph/parts.h"
#include "kernel/kernels.h"
#include "ranks/ranks.h"
#include <math.h>
#include <string.h>

const struct criterion criteria[LOSS_FAMILIES] = {
    [LOSS_PLUS] = { .assigner = &dsl_assigner, .guided = true, .prior_offset = 0, .weight_min = 1 },
    [LOSS_GFL]  = { .assigner = &atss_assigner, .prior_offset = 0.5, .in_strides = true, .image_positives_min = 1 } };

#define PRESET .classes = 80, .reg_max = 7, .beta = 2, .qfl_weight = 1, .bbox_weight = 2, .dfl_weight = 0.25, \
    .box_loss = BOX_GIoULoss, .dsl = { .topk = 13, .iou_factor = 3, .ignore_iof_thr = -1 }, \
    .atss = { .topk = 9, .anchor_scale = 5, .ignore_iof_thr = -1 }
const struct loss_config loss_presets[LOSS_FAMILIES] = {
    [LOSS_PLUS] = { .family = LOSS_PLUS, PRESET }, [LOSS_GFL] = { .family = LOSS_GFL, PRESET } };

struct image_sums { double positives, weight[LOSS_HEADS]; const char *failure; };

/* ---- Memory */

static const struct criterion *criterion_of(const struct loss_config *config) { return &criteria[config->family]; }

size_t loss_bytes(const struct loss_config *config, const struct prior_grid *grid, int threads)
{
    const size_t rows = (size_t)grid->images * (size_t)prior_count(grid);
    return arena_bytes(rows, sizeof(int)) + arena_bytes(rows, sizeof(float))
         + arena_bytes((size_t)grid->images, sizeof(struct image_sums))
         + arena_bytes((size_t)prior_line_count(grid), sizeof(struct loss_values))
         + arena_bytes((size_t)threads, sizeof(struct arena))
         + (size_t)threads * criterion_of(config)->assigner->bytes(config, grid);
}

static bool check(const struct loss_config *c, struct error *err)
{
    if (c->classes < 1 || c->reg_max < 1 || c->reg_max > REG_MAX_LIMIT || c->dsl.topk < 1 || c->atss.topk < 1)
        return misuse(err, "a loss must have at least 1 class (%d), reg_max (%d) from 1 to %d and topk (%d, %d) from 1",
                      c->classes, c->reg_max, REG_MAX_LIMIT, c->dsl.topk, c->atss.topk);
    if (!(c->beta >= 0 && c->qfl_weight >= 0 && c->bbox_weight >= 0 && c->dfl_weight >= 0))
        return misuse(err, "beta (%g) and the weights of qfl (%g), bbox (%g) and dfl (%g) must not be negative",
                      c->beta, c->qfl_weight, c->bbox_weight, c->dfl_weight);
    return true;
}

bool loss_init(struct loss *loss, const struct loss_config *config, const struct prior_grid *grid,
               const struct team *team, const struct kernels *kernels, struct error *err)
{
    const size_t rows = (size_t)grid->images * (size_t)prior_count(grid);
    *loss = (struct loss){ .config = *config, .grid = *grid, .team = *team, .kernels = kernels };
    if (!check(config, err) || !arena_init(&loss->memory, loss_bytes(config, grid, team->threads), err))
        return false;
    const size_t each = criterion_of(config)->assigner->bytes(config, grid);
    loss->match = arena_take(&loss->memory, rows, sizeof *loss->match);
    loss->score = arena_take(&loss->memory, rows, sizeof *loss->score);
    loss->image = arena_take(&loss->memory, (size_t)grid->images, sizeof *loss->image);
    loss->line = arena_take(&loss->memory, (size_t)prior_line_count(grid), sizeof *loss->line);
    loss->scratch = arena_take(&loss->memory, (size_t)team->threads, sizeof *loss->scratch);
    for (int i = 0; i < team->threads; i++)
        loss->scratch[i] = (struct arena){ arena_take(&loss->memory, each, 1), each, 0 };
    return true;
}

void loss_free(struct loss *loss)
{
    arena_free(&loss->memory);
    *loss = (struct loss){0};
}

/* ---- First phase: one chunk per image */

struct assign_job {
    struct loss *loss;
    const float *guide;
    const float *const *pred;           /* [LOSS_HEADS] */
    const struct ground_truth *truth;
};

static const char *find_failure(const struct assign_job *k, int image)
{
    const struct loss_config *config = &k->loss->config;
    const struct kernels *kernels = k->loss->kernels;
    const struct ground_truth *t = &k->truth[image];
    const int channels = prediction_channels(config->classes, config->reg_max);
    for (int i = 0; i < t->objects; i++)
        if (!kernels->finite(4, t->box[i]) || t->label[i] < 0 || t->label[i] >= config->classes)
            return "a box is not finite or its label out of range";
    for (int i = 0; i < t->ignored; i++)
        if (!kernels->finite(4, t->ignore[i]))
            return "an ignore region is not finite";
    for (int head = 0; head < LOSS_HEADS; head++)
        if (k->pred[head] && !prediction_finite(kernels, &k->loss->grid, image, k->pred[head], channels))
            return "a prediction is not finite";
    const bool is_head = k->guide == k->pred[LOSS_MAIN] || k->guide == k->pred[LOSS_AUX];
    if (!is_head && !prediction_finite(kernels, &k->loss->grid, image, k->guide, channels))
        return "a prediction of the guide is not finite";
    return NULL;
}

double top_probability(const struct loss *loss, const float *logit)
{
    return sigmoid(loss->kernels->largest(loss->config.classes, logit));
}

static void assign_image(const void *job, int image)
{
    const struct assign_job *k = job;
    struct loss *loss = k->loss;
    struct image_sums sums = { .failure = find_failure(k, image) };
    const struct loss_config *config = &loss->config;
    if (!sums.failure) {
        criterion_of(config)->assigner->assign(loss, image, k->guide, &k->truth[image], &loss->scratch[team_thread()]);
        for (int i = 0; i < prior_count(&loss->grid); i++) {
            const ptrdiff_t at = prior_row(&loss->grid, image, i);
            const ptrdiff_t start = at * prediction_channels(config->classes, config->reg_max);
            sums.positives += loss->match[at] >= 0;
            for (int head = 0; head < LOSS_HEADS && loss->match[at] >= 0; head++)
                if (k->pred[head])
                    sums.weight[head] += top_probability(loss, k->pred[head] + start);
        }
    }
    loss->image[image] = sums;
}

bool loss_assign(struct loss *loss, const float *guide, const float *const pred[LOSS_HEADS],
                 const struct ground_truth *truth, struct loss_sums *sums, struct error *err)
{
    const double positives_min = criterion_of(&loss->config)->image_positives_min;
    double part[1 + LOSS_HEADS][PARTS] = {{0}}, total[2 + LOSS_HEADS] = {0};
    const int parts = parts_of_share(loss->ranks);
    const char *failure = NULL;
    int failed = 0;
    team_for(&loss->team, loss->grid.images, assign_image, &(struct assign_job){ loss, guide, pred, truth });
    for (int i = 0; i < loss->grid.images; i++) {
        const struct image_sums *s = &loss->image[i];
        const int p = part_with(loss->grid.images, parts, i);
        if (s->failure && !failure) {
            failure = s->failure;
            failed = i;
        }
        part[0][p] += fmax(s->positives, positives_min);
        for (int head = 0; head < LOSS_HEADS; head++)
            part[1 + head][p] += s->weight[head];
    }
    for (int i = 0; i <= LOSS_HEADS; i++)
        total[i] = sum_of_parts(part[i], parts);
    total[1 + LOSS_HEADS] = failure != NULL;
    ranks_add(loss->ranks, total, 2 + LOSS_HEADS);
    *sums = (struct loss_sums){ .positives = total[0] };
    memcpy(sums->weight, total + 1, sizeof sums->weight);
    if (failure)
        return fail(err, "image %d of the batch: %s", failed + rank_of(loss->ranks) * loss->grid.images, failure);
    return total[1 + LOSS_HEADS] == 0 || fail(err, "%s", "");           /* another process has failed and says why */
}

/* ---- Second phase: one chunk per row of cells */

struct gradient_job {
    const struct loss *loss;
    const float *pred;
    const struct ground_truth *truth;
    struct loss_values scale;           /* the factor of each loss's sum */
    float *dpred;
};

/* The box losses of a positive: adds to the sums and sets dsides [4][reg_max + 1].  One stride of distance moves
 * coordinate i of the box by one stride, to the left or up for the first two. */
static void box_gradient(const struct gradient_job *k, struct prior prior, const float object[4], double weight,
                         const float *sides, float *dsides, struct loss_values *sum)
{
    const int reg_max = k->loss->config.reg_max, bins = reg_max + 1;
    const double unit = loss_unit(&k->loss->config, prior);
    const struct box_loss *box_loss = &box_losses[k->loss->config.box_loss];
    double x[4 * (REG_MAX_LIMIT + 1)], p[4 * (REG_MAX_LIMIT + 1)], focal[REG_MAX_LIMIT + 1];
    double mean[4], distance[4], box[4], wanted[4], target[4], slope[4];
    prediction_sides(k->loss->kernels, sides, reg_max, x, p, mean);
    for (int i = 0; i < 4; i++)
        distance[i] = prior.stride * mean[i];
    box_from_distance(prior.x, prior.y, distance, box);
    box_to_double(object, wanted);
    box_to_target(prior.x, prior.y, wanted, prior.stride, reg_max, target);
    box_divide(box, unit);
    box_divide(wanted, unit);
    sum->bbox += weight * box_loss->of(box, wanted, box_loss->eps, slope);
    for (int i = 0; i < 4; i++) {
        const double moved = k->scale.bbox * weight * slope[i] * (i < 2 ? -1 : 1) * prior.stride / unit;
        sum->dfl += weight * distribution_focal(x + i * bins, p + i * bins, bins, target[i], focal);
        for (int j = 0; j < bins; j++)
            dsides[i * bins + j] = (float)(moved * p[i * bins + j] * (j - mean[i])
                                           + k->scale.dfl * weight * focal[j]);
    }
}

/* The sum of QFL over the classes; only `label` has a target above 0.  Sets dx [classes]. */
static double class_gradient(const struct gradient_job *k, const float *x, int label, double score, float *dx)
{
    const int classes = k->loss->config.classes;
    const bool fast = k->loss->config.beta == 2;
    double sum = fast ? k->loss->kernels->focal(classes, x, (float)k->scale.qfl, dx) : 0, slope;
    if (fast && label >= 0)
        sum -= quality_focal(x[label], 0, 2, NULL);
    for (int c = fast && label >= 0 ? label : 0; c < (fast ? label + 1 : classes); c++) {
        sum += quality_focal(x[c], c == label ? score : 0, k->loss->config.beta, &slope);
        dx[c] = (float)(k->scale.qfl * slope);
    }
    return sum;
}

static void gradient_row(const struct gradient_job *k, int image, struct prior prior, ptrdiff_t row,
                         struct loss_values *sum)
{
    const struct loss_config *config = &k->loss->config;
    const struct ground_truth *truth = &k->truth[image];
    const int classes = config->classes, channels = prediction_channels(classes, config->reg_max);
    const int match = k->loss->match[row], label = match >= 0 ? truth->label[match] : -1;
    const float *x = k->pred + row * channels;
    float *dx = k->dpred + row * channels;
    if (match != MATCH_IGNORED)
        sum->qfl += class_gradient(k, x, label, k->loss->score[row], dx);
    else
        memset(dx, 0, (size_t)classes * sizeof *dx);
    if (match < 0)
        memset(dx + classes, 0, (size_t)(channels - classes) * sizeof *dx);
    else
        box_gradient(k, prior, truth->box[match], top_probability(k->loss, x), x + classes, dx + classes, sum);
}

static void gradient_line(const void *job, int index)
{
    const struct gradient_job *k = job;
    const struct prior_grid *grid = &k->loss->grid;
    const struct prior_line line = prior_line_at(grid, index);
    struct loss_values sum = {0};
    for (int prior = line.first; prior < line.end; prior++)
        gradient_row(k, line.image, prior_at(grid, prior), prior_row(grid, line.image, prior), &sum);
    k->loss->line[index] = sum;
}

struct loss_values loss_total(const struct loss *loss)
{
    const struct prior_grid *grid = &loss->grid;
    const int parts = parts_of_share(loss->ranks);
    double part[3][PARTS] = {{0}}, total[3];
    for (int i = 0; i < prior_line_count(grid); i++) {
        const int p = part_with(grid->images, parts, prior_line_at(grid, i).image);
        part[0][p] += loss->line[i].qfl;
        part[1][p] += loss->line[i].bbox;
        part[2][p] += loss->line[i].dfl;
    }
    for (int i = 0; i < 3; i++)
        total[i] = sum_of_parts(part[i], parts);
    ranks_add(loss->ranks, total, 3);
    return (struct loss_values){ .qfl = total[0], .bbox = total[1], .dfl = total[2] };
}

struct loss_values loss_gradient(struct loss *loss, enum loss_head head, const float *pred,
                                 const struct ground_truth *truth, const struct loss_sums *sums, float *dpred)
{
    const struct loss_config *config = &loss->config;
    const double positives = fmax(sums->positives, 1);
    const double weight = fmax(sums->weight[head], criterion_of(config)->weight_min);
    struct loss_values scale = {0};
    if (weight > 0)
        scale = (struct loss_values){ config->qfl_weight / positives, config->bbox_weight / weight,
                                      config->dfl_weight / (4 * weight) };
    team_for(&loss->team, prior_line_count(&loss->grid), gradient_line,
             &(struct gradient_job){ loss, pred, truth, scale, dpred });
    const struct loss_values total = loss_total(loss);
    return (struct loss_values){ total.qfl * scale.qfl, total.bbox * scale.bbox, total.dfl * scale.dfl };
}
