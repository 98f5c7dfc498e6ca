/* The room "detect": a case is a folder with results of a published detector for the photographs of coco_val.
 * NAME_input.png is the network's input, NAME.safetensors its output, expected.json the score of all detections.
 * Images and weights are in the folder of real data. */
#include "../policy.h"
#include "../there.h"
#include "base/path.h"
#include "base/string_list.h"
#include "fixture.h"

#include "../json_file.h"
#include "base/memory.h"
#include "base/table.h"
#include "detect/focal.h"
#include "figures.h"
#include "model/criterion.h"
#include "rooms.h"
#include "runtime/detector.h"
#include "train/evaluate.h"
#include "weights/load.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Images of unequal sizes in one batch get borders, which the original's did not have: the batch is 1 there. */
static const struct published { const char *name, *config, *weights, *resize, *batch; } published[] = {
    { "enhanced_nanodet_s", "configs/enhanced-nanodet-s_320.yml", "enhanced_nanodet_s.onnx",  "stretch",   "8" },
    { "nanodet_m",          "configs/nanodet-m.yml",              "nanodet_m.ckpt",           "letterbox", "8" },
    { "nanodet_m_keep",     "configs/nanodet-m.yml",              "nanodet_m.ckpt",           "keep",      "1" },
    { "nanodet_plus_m_320", "configs/nanodet-plus-m_320.yml",     "nanodet-plus-m_320.param", "stretch",   "8" },
    { "nanodet_plus_m_416", "configs/nanodet-plus-m_416.yml",     "nanodet-plus-m_416.param", "stretch",   "8" },
    {0} };

enum { EVERY = 64 };                            /* fixtures have every 64th element of inputs and outputs */
static const double output_tolerance = 2e-3, map_tolerance = 0.004, figure_tolerance = 0.01;

struct detect_case {
    struct parity *p;
    const char *path;                           /* of the case */
    const struct published *published;
    struct config config;
    struct model model;
    struct detector detector;
};

static char *data_file(const struct detect_case *c, const char *folder, const char *name, struct error *err)
{
    char *at = path_join(c->p->data, folder, err), *path = at ? path_join(at, name, err) : NULL;
    free(at);
    return path;
}

static bool read_case_config(struct detect_case *c, struct error *err)
{
    const struct { const char *key; char *value; } given[] = {
        { "data.val.img_path", data_file(c, "coco_val", "images", err) },
        { "data.val.ann_path", data_file(c, "coco_val", "instances_val.json", err) } };
    char text[4][1200];
    const char *overrides[4];
    snprintf(text[0], sizeof text[0], "%s=%s", given[0].key, given[0].value ? given[0].value : "");
    snprintf(text[1], sizeof text[1], "%s=%s", given[1].key, given[1].value ? given[1].value : "");
    snprintf(text[2], sizeof text[2], "data.val.resize=%s", c->published->resize);
    snprintf(text[3], sizeof text[3], "device.batchsize_per_gpu=%s", c->published->batch);
    for (int i = 0; i < 4; i++)
        overrides[i] = text[i];
    const bool ok = given[0].value && given[1].value
                 && config_read(&c->config, c->published->config, overrides, 4, err);
    free(given[0].value);
    free(given[1].value);
    return ok;
}

/* ---- one network input ---- */

/* A batch of one image without geometry; the batch owns its pixels then. */
static bool batch_of(struct batch *b, struct image *image, const struct pipeline_config *pipeline,
                     struct error *err)
{
    if (!batch_resize(b, 1, err))
        return false;
    b->samples[0] = (struct sample){ .input = { image->width, image->height }, .jitter = no_colour_jitter,
                                     .pixels = image->p };
    *image = (struct image){0};
    return batch_stack(b, pipeline, err);
}

static double input_off(struct tensors *t, const struct batch *b)
{
    const double *want = fixture_doubles(t, "input_every_64th");
    const int count = fixture_extent(t, "input_every_64th", 0), plane = b->h * b->w;
    double worst = want && count == (3 * plane + EVERY - 1) / EVERY ? 0 : INFINITY;
    for (int i = 0; worst < INFINITY && i < count; i++) {
        const int at = i * EVERY;                       /* of C, H, W; ours is H, W, C */
        worst = worse(worst, fabs((double)b->image[at % plane * 3 + at / plane] - want[i]));
    }
    return worst;
}

static double output_off(struct tensors *t, const struct detector *d, const struct prior_grid *grid, const float *rows)
{
    const double *want = fixture_doubles(t, "output_every_64th");
    const int channels = d->rules.classes + 4 * (d->rules.reg_max + 1), total = prior_count(grid) * channels;
    const int count = fixture_extent(t, "output_every_64th", 0);
    double worst = want && count == (total + EVERY - 1) / EVERY ? 0 : INFINITY;
    for (int i = 0; worst < INFINITY && i < count; i++) {
        const double x = (double)rows[i * EVERY];       /* one image: rows are in the order of the priors */
        worst = worse(worst, fabs((i * EVERY % channels < d->rules.classes ? sigmoid(x) : x) - want[i]));
    }
    return worst;
}

/* The distance in pixels of an expected box from the nearest box with its label and score. */
static double nearest(const struct detected *found, int count, const double want[5], int label)
{
    double distance = INFINITY;
    for (int i = 0; i < count; i++) {
        const bool same = found[i].label == label && fabs((double)found[i].score - want[4]) <= output_tolerance;
        double off = same ? 0 : INFINITY;
        for (int k = 0; k < 4; k++)
            off = worse(off, fabs((double)found[i].box[k] - want[k]));
        distance = fmin(distance, off);
    }
    return distance;
}

/* A detection may be missing if rounding can move its score below the threshold or below that of the last one kept. */
static double boxes_off(struct tensors *t, const struct detected *found, int count, int kept,
                        double threshold)
{
    const double *want = fixture_doubles(t, "nms_boxes");
    const int *label = fixture_ints(t, "nms_labels"), wanted = fixture_extent(t, "nms_boxes", 0);
    const double min_score = wanted == kept && want ? want[5 * (wanted - 1) + 4] : threshold;
    double worst = want && label && abs(wanted - count) <= 2 ? 0 : INFINITY;
    for (int i = 0; worst < INFINITY && i < wanted; i++)
        if (want[5 * i + 4] > min_score + output_tolerance)
            worst = worse(worst, nearest(found, count, want + 5 * i, label[i]));
    return worst;
}

static bool compare_image(struct detect_case *c, struct tensors *t, struct image *image, const char *place,
                            struct error *err)
{
    struct batch b = {0};
    struct prior_grid grid;
    struct arena tmp = {0};
    const int kept = c->detector.rules.max_kept;
    struct detected *found = new_array((size_t)kept, sizeof *found, err);
    const float *rows = NULL;
    int count;
    bool ok = found && batch_of(&b, image, &c->config.val.pipeline, err)
           && (rows = detector_forward(&c->detector, b.image, b.h, b.w, err))
           && criterion_grid(&c->model, 1, b.h, b.w, &grid, err)
           && arena_init(&tmp, postprocess_bytes(&c->detector.rules, &grid), err)
           && postprocess(&c->detector.rules, &grid, 0, rows, &tmp, found, &count, err);
    if (ok) {
        parity_compare(c->p, place, input_off(t, &b), 1e-6, "input");
        parity_compare(c->p, place, output_off(t, &c->detector, &grid, rows), output_tolerance, "output");
        parity_compare(c->p, place, boxes_off(t, found, count, kept, c->detector.rules.score_thr), 0.1,
                       "boxes, in pixels");
    }
    free(found);
    arena_free(&tmp);
    batch_free(&b);
    return ok;
}

static void compare_file(struct detect_case *c, const char *name)
{
    char *place = path_join(c->path, name, NULL), *file = NULL;
    const size_t stem = place ? strlen(place) - strlen(".safetensors") : 0;
    struct error err = {0};
    struct tensors t = {0};
    struct image image = {0};
    if (place && asprintf(&file, "%.*s_input.png", (int)stem, place) < 0)
        file = NULL;
    if (file && fixture_open(&t, c->p, place)
        && (!image_read(&image, file, &err) || !compare_image(c, &t, &image, place, &err)))
        parity_fail(c->p, place, "%s", err.text);
    image_free(&image);
    tensors_free(&t);
    free(file);
    free(place);
}

/* ---- all photographs ---- */

static void compare_score(struct detect_case *c, struct error *err)
{
    struct evaluator *e = evaluator_open(&c->model, policy_under_test(default_threads()), err);
    struct evaluation result = {0};
    char *expected = path_join(c->path, "expected.json", err);
    cJSON *want = expected ? json_read(expected, err) : NULL;
    if (e && want && evaluator_run(e, c->model.params.value, NULL, &result, err)) {
        const cJSON *stats = cJSON_GetObjectItemCaseSensitive(want, "stats");
        parity_compare(c->p, c->path, number_off(cJSON_GetArrayItem(stats, 0), result.score.figures[0]), map_tolerance,
                       "mAP");
        parity_compare(c->p, c->path, numbers_off(stats, result.score.figures, COCO_FIGURES), figure_tolerance,
                       "all figures");
    } else
        parity_fail(c->p, c->path, "%s", err->text);
    evaluation_free(&result);
    evaluator_close(e);
    cJSON_Delete(want);
    free(expected);
}

static void compare_all(struct detect_case *c)
{
    struct error err = {0};
    struct string_list files = {0};
    if (!detector_init(&c->detector, &c->model, c->model.params.value, policy_under_test(default_threads()), &err)
        || !folder_list(&files, c->path, &err))
        parity_fail(c->p, c->path, "%s", err.text);
    for (int i = 0; i < files.count; i++) {
        const char *end = strrchr(files.list[i], '.');
        if (end && strcmp(end, ".safetensors") == 0)
            compare_file(c, files.list[i]);
    }
    if (!err.exit)
        compare_score(c, &err);
    string_list_free(&files);
    detector_free(&c->detector);
}

void parity_detect(struct parity *p, const char *path)
{
    const char *name = path_name(path);
    struct detect_case c = { .p = p, .path = path, .published = find_row(name, published, sizeof *published) };
    struct error err = {0};
    struct string_list notes = {0};
    char *weights = c.published ? data_file(&c, "weights", c.published->weights, &err) : NULL;
    if (!weights)
        parity_skip(p, path, "no detector is known by this name");
    else if (!file_exists(weights))
        parity_skip(p, path, "no %s", weights);
    else if (!read_case_config(&c, &err) || !model_open(&c.model, &c.config, &err)
             || !model_load(&c.model, weights, LOAD_TO_RUN, c.model.params.value, &notes, &err))
        parity_fail(p, path, "%s", err.text);
    else
        compare_all(&c);
    string_list_free(&notes);
    model_free(&c.model);
    config_free(&c.config);
    free(weights);
}
