#include "detect/assigners.h"

#include "detect/box.h"
#include "detect/prediction.h"
#include "kernel/kernels.h"

double loss_unit(const struct loss_config *config, struct prior prior)
{
    return criteria[config->family].in_strides ? prior.stride : 1;
}

static size_t assign_dsl_bytes(const struct loss_config *config, const struct prior_grid *grid)
{
    const size_t priors = (size_t)prior_count(grid);
    return arena_bytes(priors, sizeof(bool)) + 2 * arena_bytes(priors, sizeof(int))
         + 3 * arena_bytes(priors, sizeof(double)) + arena_bytes(priors, sizeof(double[4]))
         + arena_bytes(priors, sizeof(float *)) + dsl_bytes(&config->dsl, prior_count(grid));
}

static void assign_dsl(struct loss *loss, int image, const float *pred, const struct ground_truth *truth,
                        struct arena *tmp)
{
    const struct loss_config *config = &loss->config;
    const size_t priors = (size_t)prior_count(&loss->grid), mark = tmp->used;
    bool *inside = arena_take(tmp, priors, sizeof *inside);
    int *row = arena_take(tmp, priors, sizeof *row), *match = arena_take(tmp, priors, sizeof *match), count = 0;
    double *iou = arena_take(tmp, priors, sizeof *iou), *stride = arena_take(tmp, priors, sizeof *stride);
    double (*box)[4] = arena_take(tmp, priors, sizeof *box), *background = arena_take(tmp, priors, sizeof *background);
    const float **logit = arena_take(tmp, priors, sizeof *logit);

    priors_inside(&loss->grid, truth->objects, truth->box, inside);
    for (int i = 0; i < (int)priors; i++) {
        const ptrdiff_t at = prior_row(&loss->grid, image, i);
        loss->match[at] = MATCH_BACKGROUND;
        loss->score[at] = 0;
        if (!inside[i])
            continue;
        row[count] = (int)at;
        logit[count] = pred + at * prediction_channels(config->classes, config->reg_max);
        stride[count] = prior_at(&loss->grid, i).stride;
        prediction_box(loss->kernels, logit[count] + config->classes, config->reg_max, prior_at(&loss->grid, i),
                       box[count]);
        background[count] = loss->kernels->focal(config->classes, logit[count], 1, NULL);
        count++;
    }
    const struct dsl_candidates candidates = { count, config->classes, (const double (*)[4])box, logit, stride,
                                               background, loss->kernels };
    dsl_assign(&config->dsl, &candidates, truth, tmp, match, iou);
    for (int v = 0; v < count; v++) {
        loss->match[row[v]] = match[v];
        loss->score[row[v]] = (float)iou[v];
    }
    tmp->used = mark;
}

static size_t assign_atss_bytes(const struct loss_config *config, const struct prior_grid *grid)
{
    const size_t priors = (size_t)prior_count(grid);
    return arena_bytes(priors, sizeof(int)) + arena_bytes(priors, sizeof(double)) + atss_bytes(&config->atss, grid);
}

/* The target is the IoU of the predicted box. */
static void assign_atss(struct loss *loss, int image, const float *pred, const struct ground_truth *truth,
                       struct arena *tmp)
{
    const struct loss_config *config = &loss->config;
    const size_t priors = (size_t)prior_count(&loss->grid), mark = tmp->used;
    int *match = arena_take(tmp, priors, sizeof *match);
    double *iou = arena_take(tmp, priors, sizeof *iou), box[4], object[4];

    atss_assign(&config->atss, &loss->grid, truth, tmp, match, iou);
    for (int i = 0; i < (int)priors; i++) {
        const ptrdiff_t at = prior_row(&loss->grid, image, i);
        const float *logit = pred + at * prediction_channels(config->classes, config->reg_max);
        const struct prior prior = prior_at(&loss->grid, i);
        loss->match[at] = match[i];
        loss->score[at] = 0;
        if (match[i] < 0)
            continue;
        prediction_box(loss->kernels, logit + config->classes, config->reg_max, prior, box);
        box_to_double(truth->box[match[i]], object);
        box_divide(box, loss_unit(config, prior));
        box_divide(object, loss_unit(config, prior));
        loss->score[at] = (float)box_iou(box, object);
    }
    tmp->used = mark;
}

const struct assigner dsl_assigner = { assign_dsl, assign_dsl_bytes };
const struct assigner atss_assigner = { assign_atss, assign_atss_bytes };
