#include "train/advice.h"

#include "base/clock.h"
#include "base/min_max.h"
#include "base/strbuf.h"
#include "base/string_list.h"
#include "data/loader.h"
#include "data/sample.h"
#include "train/random_batch.h"
#include <math.h>
#include <string.h>

struct run_plan {
    const struct config *config;
    int samples;                        /* of an epoch; 0: unknown */
    int batch;                          /* batch size of the configuration, or the advised one */
    long steps;                         /* of the optimiser, in the whole run with that batch size */
};

static long steps_with(const struct run_plan *run, int batch)
{
    const struct schedule_config *s = &run->config->schedule;
    return (long)steps_per_epoch(s, loader_steps(run->samples, batch, true)) * s->total_epochs;
}

/* A suffix for messages that contain the number of steps. */
static const char *batch_note(const struct run_plan *run)
{
    return run->batch == run->config->batch_size ? "" : " with the batch advised";
}

/* The number of steps that the average of the weights covers; 0: there is no average. */
static double average_steps(const struct config *config)
{
    return config->model.averager == AVERAGER_EMA ? 1 / (1 - config->model.decay) : 0;
}

static bool average_fits(const struct config *config, long steps)
{
    return config->model.span > 0                   /* train sets the decay for the steps of the run */
        || average_steps(config) <= 1.001 * (double)steps;
}

static bool add_warning(const struct config *config, const char *path, const struct strbuf *text,
                        struct string_list *warnings, struct error *err)
{
    struct strbuf line = {0};
    strbuf_addf(&line, "WARNING: %s %s", config_place(config, path).s, text->s);
    const bool ok = strbuf_check(&line, err) && string_list_add(warnings, line.s, err);
    strbuf_free(&line);
    return ok;
}

/* ---- rules: each appends a message if its key has a harmful value ---- */

static void check_warmup(const struct run_plan *run, struct strbuf *text)
{
    const int warmup = run->config->schedule.warmup.steps;
    if (run->samples && 2L * warmup > run->steps)
        strbuf_addf(text, "is %d, but the steps of the run are %ld%s; try %ld", warmup, run->steps, batch_note(run),
                    run->steps / 10);
}

static void check_cosine(const struct run_plan *run, struct strbuf *text)
{
    const struct schedule_config *s = &run->config->schedule;
    const int t_max = s->lr_schedule.t_max, epochs = s->total_epochs;
    if (s->lr_schedule.name == LR_COSINE && t_max != epochs)
        strbuf_addf(text, "is %d, but schedule.total_epochs is %d: the learning rate %s; try %d", t_max, epochs,
                    t_max > epochs ? "stays high until the end" : "rises again before the end", epochs);
}

static void check_evaluations(const struct run_plan *run, struct strbuf *text)
{
    const struct schedule_config *s = &run->config->schedule;
    if (s->val_intervals > s->total_epochs)
        strbuf_addf(text, "is %d, but schedule.total_epochs is %d: only the last epoch is evaluated; try %d",
                    s->val_intervals, s->total_epochs, max_int(s->total_epochs / 10, 1));
}

static void check_average(const struct run_plan *run, struct strbuf *text)
{
    const double steps = (double)run->steps;
    if (run->samples && !average_fits(run->config, run->steps))
        strbuf_addf(text, "is %.6g, an average over %.0f steps, but the steps of the run are %.0f%s; try %.4g",
                    run->config->model.decay, average_steps(run->config), steps, batch_note(run),
                    steps > 5 ? 1 - 5 / steps : 0);
}

static bool drops_many(int samples, int batch) { return batch > samples || 4L * (samples % batch) > samples; }

int batch_up_to(int samples, int max)
{
    while (drops_many(samples, max))
        max--;
    return max;
}

/* The largest batch size with at least eight steps per epoch that drops at most a quarter of the images.  A smaller
 * size, at least SMALL, is preferred if the run then has as many steps as the average covers. */
static int suitable_batch(const struct run_plan *run)
{
    enum { SMALL = 4 };
    const int batch = batch_up_to(run->samples, max_int(run->samples / 8, 1));
    for (int smaller = batch; smaller >= SMALL; smaller--)
        if (!drops_many(run->samples, smaller) && average_fits(run->config, steps_with(run, smaller)))
            return smaller;
    return batch;
}

static void check_batch(const struct run_plan *run, struct strbuf *text)
{
    const int batch = run->config->batch_size, samples = run->samples;
    const char *unit = run->config->train.repeat_factor > 0 ? "sample" : "image";
    if (run->batch == batch)
        return;
    if (batch > samples)
        strbuf_addf(text, "is %d, but there %s %d training %s%s; try %d", batch, samples == 1 ? "is" : "are", samples,
                    unit, samples == 1 ? "" : "s", run->batch);
    else
        strbuf_addf(text, "is %d: each epoch leaves out %d of the %d training %ss; try %d", batch, samples % batch,
                    samples, unit, run->batch);
}

static void check_resize(const struct run_plan *run, struct strbuf *text)
{
    const enum resize train = run->config->train.resize, val = run->config->val.resize;
    if (train != val)
        strbuf_addf(text, "is %s, but data.train.resize is %s: objects are scored in another shape than learned; "
                    "try %s",
                    resize_name(val), resize_name(train), resize_name(train));
}

static void check_normalize(const struct run_plan *run, struct strbuf *text)
{
    const struct pipeline_config *train = &run->config->train.pipeline, *val = &run->config->val.pipeline;
    if (!same_normalize(train, val))
        strbuf_addf(text, "differs from data.train.pipeline.normalize: the network sees other numbers than it learned "
                       "from; use the same");
}

static void check_mosaic(const struct run_plan *run, struct strbuf *text)
{
    const int stop = run->config->train.mosaic.stop_epochs, epochs = run->config->schedule.total_epochs;
    if (run->config->train.load_mosaic && stop >= epochs)
        strbuf_addf(text, "is %d, but schedule.total_epochs is %d: no epoch has mosaics; try %d", stop, epochs,
                    epochs / 5);
}

static void check_rotate90(const struct run_plan *run, struct strbuf *text)
{
    const struct data_config *train = &run->config->train;
    if (train->pipeline.rotate90 > 0 && !train->load_mosaic && train->resize == RESIZE_STRETCH
        && train->input_size[0] != train->input_size[1])
        strbuf_addf(text, "is %.4g, but data.train.input_size is %d x %d: rotations by 90 degrees crop the image "
                    "and leave black borders; try 0, or data.train.load_mosaic=true", train->pipeline.rotate90,
                    train->input_size[0], train->input_size[1]);
}

static void check_tiles(const struct run_plan *run, struct strbuf *text)
{
    const struct config *config = run->config;
    if (config->train.tiles.size.count && !config->val_tiles.size.count) {
        const struct image_size size = tile_size(&config->train.tiles.size, config->train.input_size);
        strbuf_addf(text, "is not set, but data.train.tiles.size is: objects are scored at a smaller size than "
                    "learned; try [%d, %d]", size.width, size.height);
    }
}

static const struct { const char *path; void (*check)(const struct run_plan *, struct strbuf *); } rules[] = {
    { "schedule.warmup.steps", check_warmup },             { "schedule.lr_schedule.T_max", check_cosine },
    { "schedule.val_intervals", check_evaluations },       { "model.weight_averager.decay", check_average },
    { "device.batchsize_per_gpu", check_batch },           { "data.val.resize", check_resize },
    { "data.val.pipeline.normalize", check_normalize },    { "data.train.mosaic.stop_epochs", check_mosaic },
    { "data.train.pipeline.rotate90", check_rotate90 },    { "data.val.tiles.size", check_tiles } };

bool config_advice(const struct config *config, int places, struct string_list *warnings, struct error *err)
{
    struct run_plan run = { config, places, config->batch_size, 0 };
    bool ok = true;
    if (places && drops_many(places, config->batch_size))
        run.batch = suitable_batch(&run);
    if (places)
        run.steps = steps_with(&run, run.batch);
    for (size_t i = 0; ok && i < sizeof rules / sizeof *rules; i++) {
        struct strbuf text = {0};
        rules[i].check(&run, &text);
        ok = strbuf_check(&text, err) && (!text.s || add_warning(config, rules[i].path, &text, warnings, err));
        strbuf_free(&text);
    }
    return ok;
}

/* ---- memory ---- */

bool training_memory(struct model *model, const struct policy *policy, int batch, uint64_t *bytes, struct error *err)
{
    enum { COPIES = 5 };                /* values, gradient, two moments, average */
    const struct data_config *train = &model->config->train;
    const double *scale = model->config->schedule.input_scale;
    const double factor = train->multi_scale[1] * fmax(scale[0], scale[1]);
    const struct graph_options options = { .n = batch, .h = padded_side((int)(train->input_size[1] * factor)),
                                           .w = padded_side((int)(train->input_size[0] * factor)), .training = true,
                                           .policy = policy };
    struct graph g = {0};
    const bool ok = model_graph(model, &options, &g, err);
    const uint64_t caches = (uint64_t)train->cache_mb + (uint64_t)model->config->val.cache_mb;
    *bytes = g.block_size + COPIES * sizeof(real) * (uint64_t)model->params.total + (caches << 20);
    graph_free(&g);
    return ok;
}

static bool run_step(struct train_step *train_step, const struct input_batch *images, struct error *err)
{
    struct losses losses;
    struct cached_graph *cached;
    double norm;
    if (!train_step_forward(train_step, images, 0, &losses, &cached, err))
        return false;
    graph_backward(&cached->graph, false);
    return train_step_update(train_step, &norm, err);
}

bool training_seconds(struct model *model, const struct policy *policy, double *seconds, struct error *err)
{
    enum { IMAGES = 4 };
    const struct config *config = model->config;
    const int n = min_int(IMAGES, config->batch_size), *full = config->train.input_size;
    const double *scale = config->schedule.input_scale;
    const struct image_size last = epoch_size((struct image_size){ full[0], full[1] }, scale, 1, 2);
    struct random_batch batch = {0};
    struct train_step train_step = {0};
    double start = 0;
    model_start(model);
    const bool ok = random_batch_init(&batch, (int[]){ last.width, last.height }, n, model->shape.num_classes, err)
                 && train_step_init(&train_step, model, policy, err) && run_step(&train_step, &batch.images, err)
                 && (start = clock_seconds(), run_step(&train_step, &batch.images, err));
    *seconds = (clock_seconds() - start) / n;
    train_step_free(&train_step);
    random_batch_free(&batch);
    return ok;
}

/* *fits: the largest batch size that fits, 0 if none does.  Memory grows almost linearly with the batch size. */
static bool fitting_batch(struct model *model, const struct policy *policy, int batch, uint64_t memory, int *fits,
                          struct error *err)
{
    uint64_t one, all, bytes;
    *fits = 0;
    if (!training_memory(model, policy, 1, &one, err) || !training_memory(model, policy, batch, &all, err))
        return false;
    if (one > memory || batch == 1)
        return true;
    *fits = 2 + (int)((double)(memory - one) * (batch - 1) / (double)(all - one));
    do
        if (!training_memory(model, policy, --*fits, &bytes, err))
            return false;
    while (bytes > memory);             /* ends at 1, which fits */
    return true;
}

bool memory_advice(struct model *model, const struct policy *policy, uint64_t memory, struct string_list *warnings,
                   struct error *err)
{
    const int batch = model->config->batch_size;
    struct strbuf text = {0};
    uint64_t bytes;
    int fits;
    if (!training_memory(model, policy, batch, &bytes, err))
        return false;
    if (bytes <= memory)
        return true;
    if (!fitting_batch(model, policy, batch, memory, &fits, err))
        return false;
    strbuf_addf(&text, "is %d, which takes %.1f GB to train, but this machine has %.1f GB; ", batch,
                (double)bytes / 1e9, (double)memory / 1e9);
    if (fits)
        strbuf_addf(&text, "a batch of %d fits", fits);
    else
        strbuf_addf(&text, "not even a batch of 1 fits: try a smaller data.train.input_size");
    const bool ok = strbuf_check(&text, err)
                 && add_warning(model->config, "device.batchsize_per_gpu", &text, warnings, err);
    strbuf_free(&text);
    return ok;
}
