#include "train/evaluate.h"

#include "base/memory.h"
#include "base/min_max.h"
#include "base/path.h"
#include "base/strbuf.h"
#include "data/data_paths.h"
#include "data/dataset_read.h"
#include "data/loader.h"
#include "data/validate.h"
#include "eval/test_report.h"
#include "runtime/detect_set.h"
#include "train/processes.h"
#include <stdlib.h>

struct evaluator {
    struct model *model;
    const struct data_config *data;
    struct policy policy;
    struct dataset dataset;
    int *category;                      /* [classes] index into dataset.categories */
    struct image_cache *cache;
};

/* Finds the category of each class; fails if the set cannot be scored. */
static bool match_and_validate(struct evaluator *e, struct error *err)
{
    const struct strings *names = &e->model->config->class_names;
    e->category = new_array((size_t)names->count, sizeof *e->category, err);
    int *label = NULL;
    const bool ok = e->category && dataset_classes(&e->dataset, names->at, names->count, e->category, err)
                 && (label = new_array((size_t)e->dataset.category_count, sizeof *label, err));
    for (int i = 0; ok && i < e->dataset.category_count; i++)
        label[i] = -1;
    for (int i = 0; ok && i < names->count; i++)
        label[e->category[i]] = i;
    const struct validation validation = { .use = USE_SCORING, .path = e->data->ann_path, .label = label,
                                           .config = e->data, .threads = e->policy.threads };
    const bool valid = ok && dataset_validate(&e->dataset, &validation, err);
    free(label);
    return valid;
}

struct evaluator *evaluator_open(struct model *model, const struct policy *policy, struct error *err)
{
    const struct data_config *data = &model->config->val;
    const struct dataset_source source = dataset_source_of(data);
    struct evaluator *e = new_array(1, sizeof *e, err);
    if (!e)
        return NULL;
    *e = (struct evaluator){ .model = model, .data = data, .policy = *policy };
    const bool ok = data_paths_there(model->config, "data.val", err) && dataset_read(&e->dataset, &source, err)
                 && data_images_there(model->config, "data.val", &e->dataset, err)
                 && match_and_validate(e, err)
                 && (!data->cache_mb
                     || (e->cache = image_cache_open(e->dataset.image_count, (size_t)data->cache_mb << 20, err)));
    if (ok)
        return e;
    evaluator_close(e);
    return NULL;
}

void evaluator_close(struct evaluator *e)
{
    if (!e)
        return;
    image_cache_close(e->cache);
    dataset_free(&e->dataset);
    free(e->category);
    free(e);
}

const struct dataset *evaluator_dataset(const struct evaluator *e) { return &e->dataset; }

void evaluation_free(struct evaluation *result)
{
    detections_free(&result->detections);
    coco_score_free(&result->score);
    visdrone_score_free(&result->visdrone);
    outcomes_free(&result->outcomes);
    curves_free(&result->curves);
}

/* The words of save_key are in the order of the figures of each protocol. */
const char *save_key_figure(enum save_key key)
{
    return key < SAVE_VISDRONE_AP ? coco_figure_name((int)key) : visdrone_figure_column((int)key - SAVE_VISDRONE_AP);
}

double evaluation_figure(const struct evaluation *e, enum save_key key)
{
    return key < SAVE_VISDRONE_AP ? e->score.figures[key] : e->visdrone.figures[key - SAVE_VISDRONE_AP];
}

/* Whole batches, since the size of an image in a batch may depend on the others; with tiles there are none. */
static struct share share_of_images(const struct evaluator *e)
{
    const struct ranks *r = e->policy.ranks;
    const int batch = e->data->tiles.size.count ? 1 : e->model->config->batch_size, images = e->dataset.image_count;
    const struct share batches = share_of(r, rank_of(r), (images + batch - 1) / batch);
    const int first = batches.first * batch, end = min_int(images, (batches.first + batches.count) * batch);
    return (struct share){ first, end - first };
}

static bool report_progress(const struct evaluator *e, const struct progress_callback *progress, int images,
                            struct error *err)
{
    return !progress || progress->on_batch(progress->context, images, share_of_images(e).count)
        || fail(err, "the evaluation was ended after %d images", images);
}

static bool detect_batches(const struct evaluator *e, struct detector *d, struct loader *loader,
                           const struct progress_callback *progress, struct detections *detections, struct error *err)
{
    const struct batch *batch;
    int images = 0;
    while (loader_next(loader, &batch, err)) {
        if (!batch)
            return true;
        bool ok = detector_run(d, batch, err);
        for (int i = 0; ok && i < batch->n; i++)
            ok = add_detections(detections, d, i, batch->samples[i].image, e->category, err);
        images += batch->n;
        if (!ok || !report_progress(e, progress, images, err))
            return false;
    }
    return false;
}

struct read_request { const struct evaluator *evaluator; int image; };

static bool read_whole(const void *request, struct image *image, struct error *err)
{
    const struct read_request *r = request;
    const struct evaluator *e = r->evaluator;
    char *path = path_join(e->data->img_path, e->dataset.images[r->image].file, err);
    const bool ok = path && image_read(image, path, err);
    free(path);
    return ok;
}

/* The same with tiles, image by image: the tiles of an image use all threads. */
static bool detect_all_tiled(const struct evaluator *e, struct detector *d, const struct progress_callback *progress,
                             struct detections *detections, struct error *err)
{
    const struct share own_images = share_of_images(e);
    bool ok = true;
    for (int i = own_images.first; ok && i < own_images.first + own_images.count; i++) {
        struct image own = {0};
        const struct read_request request = { e, i };
        const struct image_reader reader = { read_whole, &request };
        const struct image *image = image_cache_get(e->cache, i, &reader, &own, err);
        ok = image && detector_detect_image(d, image, err) && add_detections(detections, d, 0, i, e->category, err)
          && report_progress(e, progress, i + 1 - own_images.first, err);
        image_free(&own);
    }
    return ok;
}

static bool detect_all(const struct evaluator *e, struct detector *d, const struct progress_callback *progress,
                       struct detections *detections, struct error *err)
{
    if (d->tiles.size.count)
        return detect_all_tiled(e, d, progress, detections, err);
    const struct config *config = e->model->config;
    const struct share images = share_of_images(e);
    if (images.count == 0)
        return true;
    const struct loader_config options = { .dataset = &e->dataset, .data = e->data, .cache = e->cache,
                                           .batch = config->batch_size, .workers = e->policy.threads, .share = images,
                                           .seed = (uint64_t)config->seed };
    struct loader *loader = loader_open(&options, err);
    const bool ok = loader && detect_batches(e, d, loader, progress, detections, err);
    loader_close(loader);
    return ok;
}

static bool score_detections(const struct evaluator *e, struct evaluation *result, struct error *err)
{
    static const int max_dets[3] = { 1, 10, 100 };
    const struct team team = { e->policy.threads };
    result->has_visdrone = e->data->name == DATASET_VISDRONE;
    return coco_eval(&result->score, &e->dataset, &result->detections, max_dets, &team, err)
        && (!result->has_visdrone || visdrone_eval(&result->visdrone, &e->dataset, &result->detections, &team, err))
        && outcomes_find(&result->outcomes, &e->dataset, &result->detections, err)
        && curves_find(&result->curves, &e->dataset, &result->detections, &result->outcomes, err);
}

bool evaluator_run(struct evaluator *e, const real *values, const struct progress_callback *progress,
                   struct evaluation *result, struct error *err)
{
    struct detector detector = {0};
    *result = (struct evaluation){0};
    const struct ranks *ranks = e->policy.ranks;
    bool ok = detector_init(&detector, e->model, values, &e->policy, err)
           && detect_all(e, &detector, progress, &result->detections, err);
    ok = processes_agree(ranks, ok, err) && processes_gather(ranks, &result->detections, err)
      && (rank_of(ranks) != 0 || score_detections(e, result, err));
    detector_free(&detector);
    return ok;
}

bool evaluation_report(const struct evaluator *e, const struct evaluation *result, const char *model,
                       const char *folder, struct error *err)
{
    const struct test_report report = {
        .model = model, .data = e->data->ann_path, .input = e->data->input_size,
        .gt = &e->dataset, .images = e->data->img_path, .dets = &result->detections,
        .score = &result->score, .visdrone = result->has_visdrone ? &result->visdrone : NULL,
        .outcomes = &result->outcomes, .curves = &result->curves };
    return test_report_write(&report, folder, err);
}
