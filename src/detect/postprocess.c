#include "detect/postprocess.h"

#include "detect/box.h"
#include "detect/focal.h"
#include "detect/nms.h"
#include "detect/prediction.h"
#include <limits.h>
#include <math.h>
#include <string.h>

size_t postprocess_bytes(const struct postprocess_config *config, const struct prior_grid *grid)
{
    const size_t priors = (size_t)prior_count(grid);
    size_t scores, bytes;
    if (!checked_mul(priors, (size_t)config->classes, &scores) || scores > INT_MAX
        || !checked_add(arena_bytes(priors, 4 * sizeof(float)), arena_bytes(scores, sizeof(struct scored)), &bytes))
        return SIZE_MAX;
    return bytes;
}

/* Appends the classes whose score exceeds the threshold to the list of *count. */
static void score_row(const struct postprocess_config *config, const float *logit, int prior, struct scored *list,
                      int *count)
{
    const double threshold = config->score_thr, min_logit = log(threshold / (1 - threshold)) - 0.1;
    for (int c = 0; c < config->classes; c++) {
        const float score = logit[c] < min_logit ? 0 : (float)sigmoid(logit[c]);    /* skips most exponentials */
        if (score > (float)threshold)
            list[(*count)++] = (struct scored){ score, prior, c };
    }
}

static void clipped_box(const struct postprocess_config *config, const struct prior_grid *grid, int prior,
                        const float *sides, float out[4])
{
    double box[4];
    prediction_box(config->kernels, sides, config->reg_max, prior_at(grid, prior), box);
    box_clip(box, grid->width, grid->height);
    for (int i = 0; i < 4; i++)
        out[i] = (float)box[i];
}

bool postprocess(const struct postprocess_config *config, const struct prior_grid *grid, int image, const float *pred,
                 struct arena *tmp, struct detected *out, int *count, struct error *err)
{
    const int priors = prior_count(grid), channels = prediction_channels(config->classes, config->reg_max);
    const size_t mark = tmp->used;
    float (*box)[4] = arena_take(tmp, (size_t)priors, sizeof *box);
    struct scored *list = arena_take(tmp, (size_t)priors * (size_t)config->classes, sizeof *list);
    int scores = 0;
    tmp->used = mark;
    if (!box || !list)
        return fail(err, "image %d of the batch: out of memory for its detections", image);
    if (!prediction_finite(config->kernels, grid, image, pred, channels))
        return reject(err, "image %d of the batch: a prediction is not finite", image);
    for (int i = 0; i < priors; i++) {
        const float *row = pred + prior_row(grid, image, i) * channels;
        const int before = scores;
        score_row(config, row, i, list, &scores);
        if (scores > before)
            clipped_box(config, grid, i, row + config->classes, box[i]);
    }
    *count = nms(list, scores, (const float (*)[4])box, config->iou_thr, config->class_agnostic,
                 config->max_kept);
    for (int i = 0; i < *count; i++) {
        out[i] = (struct detected){ .score = list[i].score, .label = list[i].label };
        memcpy(out[i].box, box[list[i].box], sizeof out[i].box);
    }
    return true;
}

bool detected_to_source(struct detected *list, int count, const struct matrix *to_input, struct image_size source,
                        struct error *err)
{
    struct matrix back;
    if (!matrix_inverse(&back, to_input))
        return reject(err, "the matrix from the source image to the network's input has no inverse");
    for (int i = 0; i < count; i++)
        warp_boxes(&back, source, 1, (const float (*)[4])&list[i].box, &list[i].box);
    return true;
}
