/* api/nanodet.c -- the C API of the library (include/nanodet.h). */
#include "base/string_list.h"
#include "nanodet.h"

#include "base/memory.h"
#include "runtime/detector.h"
#include "train/trainer.h"
#include "weights/file_config.h"
#include "weights/load.h"
#include <stdlib.h>
#include <string.h>

const char *nanodet_version(void) { return NANODET_VERSION; }

/* Copies an error to the caller's struct; the result is never NANODET_DONE. */
static enum nanodet_result report(const struct error *from, struct nanodet_error *to)
{
    const enum nanodet_result result = from->exit == 2 ? NANODET_MISUSED : NANODET_FAILED;
    if (to) {
        to->result = result;
        memcpy(to->text, from->text, sizeof to->text);
    }
    return result;
}

static int override_count(const char *const *overrides)
{
    int count = 0;
    while (overrides && overrides[count])
        count++;
    return count;
}

static bool policy_of(int requested, struct policy *policy, struct error *err)
{
    const int threads = requested ? requested : default_threads();
    if (threads < 1 || threads > TEAM_MAX)
        return misuse(err, "threads must be from 0 to %d, not %d", TEAM_MAX, requested);
    return policy_choose(policy, getenv("NANODET_ISA"), getenv("NANODET_CONV"), threads, err);
}

/* ---- detecting ---- */

struct nanodet {
    struct config config;
    struct model model;
    struct detector detector;
    struct image image;                             /* the caller's pixels, B, G, R */
    struct nanodet_detection *detections;           /* [detector.rules.max_kept] */
};

static bool open_model(struct nanodet *n, const struct nanodet_options *o, struct error *err)
{
    const int count = override_count(o->overrides);
    if (!o->config)
        return file_config_open(&n->model, &n->config, o->weights, o->overrides, count, err);
    return config_read(&n->config, o->config, o->overrides, count, err) && model_open(&n->model, &n->config, err);
}

static bool open_detector(struct nanodet *n, const struct nanodet_options *options, struct error *err)
{
    struct string_list notes = {0};
    struct policy policy;
    const double score = options->score_thr;
    if (!(score >= 0 && score < 1))
        return misuse(err, "score_thr must be from 0 to 1, not %g", score);
    if (!options->weights)
        return misuse(err, "no weights are given");
    const bool ok = policy_of(options->threads, &policy, err) && open_model(n, options, err)
                 && model_load(&n->model, options->weights, LOAD_TO_RUN, n->model.params.value, &notes, err)
                 && detector_init(&n->detector, &n->model, n->model.params.value, &policy, err)
                 && (n->detections = new_array((size_t)n->detector.rules.max_kept, sizeof *n->detections, err));
    if (ok) {
        image_memory(n->config.decode_mb);
        n->detector.rules.score_thr = score > 0 ? score : n->config.shown_score;
    }
    string_list_free(&notes);
    return ok;
}

struct nanodet *nanodet_open(const struct nanodet_options *options, struct nanodet_error *error)
{
    struct error err = {0};
    struct nanodet *n = new_array(1, sizeof *n, &err);
    if (n && open_detector(n, options, &err))
        return n;
    report(&err, error);
    nanodet_close(n);
    return NULL;
}

void nanodet_close(struct nanodet *n)
{
    if (!n)
        return;
    detector_free(&n->detector);
    model_free(&n->model);
    config_free(&n->config);
    image_free(&n->image);
    free(n->detections);
    free(n);
}

int nanodet_class_count(const struct nanodet *n) { return n->config.class_names.count; }

const char *nanodet_class_name(const struct nanodet *n, int id)
{
    return id >= 0 && id < n->config.class_names.count ? n->config.class_names.at[id] : NULL;
}

static bool copy_pixels(struct image *to, const struct nanodet_image *image, struct error *err)
{
    const size_t row = image->stride ? image->stride : 3 * (size_t)image->width;
    const int red = image->order == NANODET_RGB ? 0 : 2;
    if (to->width != image->width || to->height != image->height) {
        image_free(to);
        if (!image_new(to, image->width, image->height, err))
            return false;
    }
    if (!image->pixels || row < 3 * (size_t)image->width)
        return misuse(err, "an image of %d x %d pixels needs pixels, and a stride of 3 x %d or more", image->width,
                      image->height, image->width);
    for (int y = 0; y < image->height; y++)
        for (int x = 0; x < image->width; x++) {
            const unsigned char *from = image->pixels + row * (size_t)y + 3 * (size_t)x;
            unsigned char *pixel = to->p + 3 * ((size_t)y * (size_t)image->width + (size_t)x);
            pixel[0] = from[2 - red];
            pixel[1] = from[1];
            pixel[2] = from[red];
        }
    return true;
}

static const struct nanodet_detection *detect(struct nanodet *n, int *count, struct nanodet_error *error)
{
    struct error err = {0};
    *count = 0;
    if (!detector_detect_image(&n->detector, &n->image, &err)) {
        report(&err, error);
        return NULL;
    }
    for (int i = 0; i < n->detector.count[0]; i++) {
        const struct detected *f = &n->detector.detections[i];
        n->detections[i] = (struct nanodet_detection){
            f->box[0], f->box[1], f->box[2] - f->box[0], f->box[3] - f->box[1], f->score, f->label,
            n->config.class_names.at[f->label] };
    }
    *count = n->detector.count[0];
    return n->detections;
}

const struct nanodet_detection *nanodet_detect(struct nanodet *n, const struct nanodet_image *image, int *count,
                                               struct nanodet_error *error)
{
    struct error err = {0};
    if (copy_pixels(&n->image, image, &err))
        return detect(n, count, error);
    *count = 0;
    report(&err, error);
    return NULL;
}

const struct nanodet_detection *nanodet_detect_file(struct nanodet *n, const char *path, int *count,
                                                    struct nanodet_error *error)
{
    struct error err = {0};
    const struct nanodet_detection *detections = NULL;
    image_free(&n->image);
    *count = 0;
    if (image_read(&n->image, path, &err))
        detections = detect(n, count, error);
    else
        report(&err, error);
    image_free(&n->image);                          /* another detector may wait for its memory */
    return detections;
}

/* ---- training ---- */

struct progress_relay { const struct nanodet_training *training; volatile sig_atomic_t stop; };

static void on_step(void *context, const struct trainer *t)
{
    struct progress_relay *relay = context;
    const struct optimizer *o = &t->train_step.optimizer;
    const struct nanodet_progress progress = { o->epoch, t->config->schedule.total_epochs, t->state.batch, t->batches,
                                               o->step, t->state.best_epoch ? t->state.best : -1 };
    if (relay->training->progress && relay->training->progress(relay->training->context, &progress))
        relay->stop = 1;
}

enum nanodet_result nanodet_train(const struct nanodet_training *training, struct nanodet_error *error)
{
    struct progress_relay relay = { training, 0 };
    struct training_options options = { .weights = training->weights, .resume = training->resume != 0,
                                        .stop = &relay.stop, .on_step = on_step, .context = &relay };
    struct error err = {0}, closing = {0};
    struct config config = {0};
    struct trainer trainer = {0};
    bool ok = policy_of(training->threads, &options.policy, &err)
           && (training->config || misuse(&err, "no configuration is given"))
           && config_read(&config, training->config, training->overrides, override_count(training->overrides), &err)
           && trainer_open(&trainer, &config, &options, &err) && trainer_run(&trainer, &err);
    const bool finished = ok && trainer_finished(&trainer);
    if (!trainer_close(&trainer, &closing) && ok)
        ok = fail(&err, "%s", closing.text);
    config_free(&config);
    return !ok ? report(&err, error) : finished ? NANODET_DONE : NANODET_STOPPED;
}
