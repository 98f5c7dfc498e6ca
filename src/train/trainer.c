#include "train/trainer.h"

#include "base/clock.h"
#include "base/machine.h"
#include "base/memory.h"
#include "base/min_max.h"
#include "base/path.h"
#include "base/strbuf.h"
#include "base/string_list.h"
#include "data/data_paths.h"
#include "data/dataset_read.h"
#include "data/image.h"
#include "data/repeat.h"
#include "data/validate.h"
#include "train/advice.h"
#include "train/batch_picture.h"
#include "train/run_length.h"
#include "train/save_dir.h"
#include "weights/file_config.h"
#include "weights/load.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

long trainer_steps(const struct trainer *t) { return steps_per_epoch(&t->config->schedule, t->batches); }

static bool stopped(const struct trainer *t) { return t->options.stop && *t->options.stop; }

/* The evaluations since the best one follow from the epochs, so a checkpoint needs no counter. */
static bool patience_ended(const struct trainer *t)
{
    const struct schedule_config *s = &t->config->schedule;
    const int epoch = t->train_step.optimizer.epoch, best = t->state.best_epoch;
    return s->patience && best && epoch / s->val_intervals - best / s->val_intervals >= s->patience;
}

bool trainer_finished(const struct trainer *t)
{
    return t->train_step.optimizer.epoch >= t->config->schedule.total_epochs || patience_ended(t);
}

bool trainer_save(struct trainer *t, struct error *err)
{
    t->save_time = clock_seconds();
    return checkpoint_write(t->last, &t->train_step.optimizer, &t->state, t->description.s, err);
}

/* ---- a step ---- */

/* Adds the step and its images to the error, whose length is limited; logs all images in train.log. */
static bool fail_step(struct trainer *t, struct error *err)
{
    const struct error cause = *err;
    const struct optimizer *o = &t->train_step.optimizer;
    struct log file = { .file = t->run_log.log.file };
    struct strbuf images = {0};
    for (int i = 0; i < t->step_image_count; i++) {
        const char *name = t->dataset.images[t->step_images[i]].file;
        strbuf_addf(&images, "%s%s", i ? ", " : "", name);
        log_line(&file, "step %ld took %s", o->step, name);
    }
    fail(err, "epoch %d, step %ld: %s; its images: %s", o->epoch + 1, o->step, cause.text, images.s ? images.s : "?");
    strbuf_free(&images);
    return false;
}

static void add_losses(struct losses *sum, const struct losses *l, double weight)
{
    sum->aux = l->aux;
    for (int head = 0; head < LOSS_HEADS; head++) {
        sum->head[head].qfl += weight * l->head[head].qfl;
        sum->head[head].bbox += weight * l->head[head].bbox;
        sum->head[head].dfl += weight * l->head[head].dfl;
    }
    sum->distill.localization += weight * l->distill.localization;
    sum->distill.classification += weight * l->distill.classification;
}

static struct input_batch batch_input(struct trainer *t, const struct batch *batch)
{
    for (int i = 0; i < batch->n; i++) {
        const struct sample *s = &batch->samples[i];
        const struct objects *o = &s->objects;
        t->ground_truth[i] = (struct ground_truth){ o->count, o->ignored, o->box, o->label, o->ignore };
        for (int k = 0; k < s->part.count; k++)
            t->step_images[t->step_image_count++] = k ? s->partner[k - 1] : s->image;
    }
    t->step_samples += batch->n;
    return (struct input_batch){ batch->image, batch->n, batch->h, batch->w, t->ground_truth };
}

/* Runs batch `index` of the `count` batches of a step: adds its losses, divided by count, and sets or adds its
 * gradient. */
static bool run_batch(struct trainer *t, int index, int count, struct losses *sum, struct error *err)
{
    const struct batch *batch;
    struct losses losses;
    struct cached_graph *cached;
    if (!loader_next(t->loader, &batch, err))
        return false;
    if (batch->step == t->state.batch)                  /* not if steps are only measured */
        batch_picture_write(batch, t->config, &t->run_log.log);
    const struct input_batch images = batch_input(t, batch);
    const bool first = t->train_step.optimizer.step == 0 && t->train_step.batches == 0;
    if (first && t->config->schedule.unfold_norms && !train_step_unfold_norms(&t->train_step, &images, err))
        return false;
    if (!train_step_forward(&t->train_step, &images, t->train_step.optimizer.epoch, &losses, &cached, err))
        return fail_step(t, err);
    graph_backward(&cached->graph, index > 0);
    add_losses(sum, &losses, 1.0 / count);
    t->state.batch++;
    return true;
}

static void report_skipped(struct trainer *t)
{
    struct error line;
    while (loader_complaint(t->loader, &line))
        log_line(&t->run_log.log, "skipped an image that cannot be read, %d so far: %s", ++t->skipped_images,
                 line.text);
}

static double seconds_left(const struct trainer *t)
{
    const struct config *c = t->config;
    const int all = c->schedule.total_epochs, done = t->train_step.optimizer.epoch, every = c->schedule.val_intervals;
    const double batches = t->batches * sum_input_areas(c, done, all, all)
                         - t->state.batch * sum_input_areas(c, done, done + 1, all);
    const struct remaining_work left = {
        .images = min_int(c->batch_size, t->places) * batches, .evaluation_area = t->evaluation_area,
        .ends = all - done, .evaluations = all / every - done / every + (all % every != 0) };
    return pace_seconds_left(&t->pace, &left);
}

bool trainer_learn(struct trainer *t, struct step_report *report, struct error *err)
{
    const int accumulate = t->config->schedule.accumulate, left = t->batches - t->state.batch;
    const int count = left < accumulate ? left : accumulate;
    struct optimizer *o = &t->train_step.optimizer;
    *report = (struct step_report){ .lr = optimizer_rate(o), .epoch = o->epoch + 1, .batches = t->batches };
    t->step_image_count = t->step_samples = 0;
    for (int i = 0; i < count; i++)
        if (!run_batch(t, i, count, &report->losses, err))
            return false;
    o->scale = 1.0 / count;
    if (!isfinite(losses_total(&report->losses)) && !fail(err, "the loss is not finite"))
        return fail_step(t, err);
    if (!train_step_update(&t->train_step, &report->norm, err))
        return fail_step(t, err);
    report->batch = t->state.batch;
    return true;
}

static bool run_step(struct trainer *t, struct error *err)
{
    const struct optimizer *o = &t->train_step.optimizer;
    struct step_report report;
    if (!trainer_learn(t, &report, err))
        return false;
    report_skipped(t);
    t->rate_images += t->step_samples;
    const double now = clock_seconds();
    const double scale = sum_input_areas(t->config, o->epoch, o->epoch + 1, t->config->schedule.total_epochs);
    pace_step(&t->pace, t->step_samples * scale, now - t->step_time);
    t->step_time = now;
    report.images_per_second = (double)t->rate_images / (now - t->rate_start);
    report.seconds_left = seconds_left(t);
    report.best = t->state.best_epoch ? t->state.best : -1;
    const long step = o->step - 1;
    if (step % t->config->log.interval == 0) {
        t->rate_start = now;
        t->rate_images = 0;
    }
    return run_log_step(&t->run_log, step, &report, err);
}

/* ---- the end of an epoch ---- */

static bool evaluation_due(const struct trainer *t)
{
    const int epoch = t->train_step.optimizer.epoch + 1;
    return epoch % t->config->schedule.val_intervals == 0 || epoch == t->config->schedule.total_epochs;
}

static bool update_best(struct trainer *t, const struct evaluation *e, struct error *err)
{
    const struct optimizer *o = &t->train_step.optimizer;
    const double score = evaluation_figure(e, t->config->save_key);
    struct run_state best = t->state;
    if (best.best_epoch && !(score > best.best))
        return true;
    best.best = score;
    best.best_epoch = o->epoch + 1;
    if (!checkpoint_write_best(t->best, o, &best, t->description.s, e->curves.best.threshold, err))
        return false;
    log_line(&t->run_log.log, "epoch %d is the best so far", best.best_epoch);
    run_log_report(&t->run_log, best.best_epoch, t->evaluator, e);
    t->state = best;
    return true;
}

static bool on_evaluated_batch(void *trainer, int images, int all)
{
    struct trainer *t = trainer;
    run_log_evaluating(&t->run_log, images, all);
    return !stopped(t);
}

static bool score_epoch(struct trainer *t, struct error *err)
{
    const struct optimizer *o = &t->train_step.optimizer;
    const struct progress_callback progress = { on_evaluated_batch, t };
    struct evaluation e = {0};
    log_line(&t->run_log.log, "epoch %d is trained, evaluating", o->epoch + 1);
    const bool ok = trainer_save(t, err)
                 && evaluator_run(t->evaluator, o->average ? o->average : o->params->value, &progress, &e, err)
                 && run_log_score(&t->run_log, o->epoch + 1, o->step, &e, err)
                 && update_best(t, &e, err);
    if (ok)
        run_log_show_score(&t->run_log, &(struct observed_score){ o->epoch + 1, t->state.best_epoch, t->state.best, &e,
                                                                  evaluator_dataset(t->evaluator) });
    evaluation_free(&e);
    return ok;
}

/* A stopped evaluation is discarded; a resumed run starts with it. */
static bool end_epoch(struct trainer *t, struct error *err)
{
    const bool due = evaluation_due(t);
    const double start = clock_seconds();
    if (due && !score_epoch(t, err))
        return stopped(t);
    optimizer_end_epoch(&t->train_step.optimizer);
    t->state.batch = 0;
    run_log_draw_curves(&t->run_log);                   /* before saving: a resumed run does not draw them again */
    if (!trainer_save(t, err))
        return false;
    t->rate_start = t->step_time = clock_seconds();
    t->rate_images = 0;
    pace_end(&t->pace, due, t->step_time - start);
    return true;
}

/* ---- the run ---- */

bool trainer_advance(struct trainer *t, struct error *err)
{
    return t->state.batch < t->batches ? run_step(t, err) : end_epoch(t, err);
}

bool trainer_run(struct trainer *t, struct error *err)
{
    const double pause = 60 * t->config->log.checkpoint_minutes;
    struct error cause;
    bool ok = true;
    while (ok && !trainer_finished(t) && !stopped(t) && run_log_ok(&t->run_log, NULL)) {
        ok = trainer_advance(t, err) && (clock_seconds() - t->save_time < pause || trainer_save(t, err));
        if (ok && t->options.on_step)
            t->options.on_step(t->options.context, t);
    }
    ok = ok && (trainer_finished(t) || trainer_save(t, err));
    if (ok && !run_log_ok(&t->run_log, &cause))
        ok = fail(err, "%s: the run ends after step %ld; --resume continues from %s", cause.text,
                  t->train_step.optimizer.step, t->last);
    if (ok && patience_ended(t))
        log_line(&t->run_log.log, "ended early: %d evaluations without a better %s since epoch %d",
                 t->config->schedule.patience, save_key_figure(t->config->save_key), t->state.best_epoch);
    if (ok && trainer_finished(t))
        ok = run_log_end(&t->run_log, t->state.best_epoch, save_key_figure(t->config->save_key), t->state.best, err);
    log_line(&(struct log){ .file = t->run_log.log.file }, "%s",
             !ok ? err->text : !trainer_finished(t) ? "stopped"
             : patience_ended(t) ? "ended by schedule.patience" : "all epochs are done");
    return ok;
}

/* ---- opening and closing ---- */

static void log_and_free(struct trainer *t, struct string_list *notes)
{
    for (int i = 0; i < notes->count; i++)
        log_line(&t->run_log.log, "%s", notes->list[i]);
    string_list_free(notes);
}

static bool log_notes(struct trainer *t, struct error *err)
{
    const struct dataset *val = evaluator_dataset(t->evaluator);
    struct string_list notes = {0};
    const bool ok = dataset_note_shared(&t->dataset, t->config->train.img_path, val, t->config->val.img_path, err)
                 && dataset_notes(&t->dataset, "data.train", &notes, err)
                 && dataset_notes(val, "data.val", &notes, err);
    log_and_free(t, &notes);
    return ok;
}

static bool open_data(struct trainer *t, struct error *err)
{
    const struct config *c = t->config;
    const struct dataset_source source = dataset_source_of(&c->train);
    struct dataset *d = &t->dataset;
    if (!data_paths_there(c, "data.train", err) || !dataset_read(d, &source, err)
        || !data_images_there(c, "data.train", d, err))
        return false;
    t->label = new_array((size_t)d->category_count, sizeof *t->label, err);
    const struct validation validation = { .use = USE_TRAINING, .path = c->train.ann_path, .label = t->label,
                                           .config = &c->train, .threads = t->options.policy.threads };
    if (!t->label || !dataset_labels(d, c->class_names.at, c->class_names.count, t->label, err)
        || !dataset_validate(d, &validation, err))
        return false;
    t->state.images = d->image_count;
    t->places = count_epoch_places(d, t->label, c->train.repeat_factor, NULL, err);
    if (t->places < 0)
        return false;
    t->batches = loader_steps(t->places, c->batch_size, true);
    t->ground_truth = new_array((size_t)c->batch_size, sizeof *t->ground_truth, err);
    t->step_images = new_array((size_t)c->batch_size * (size_t)c->schedule.accumulate, QUARTERS * sizeof(int), err);
    t->cache = image_cache_open(d->image_count, (size_t)c->train.cache_mb << 20, err);
    return t->ground_truth && t->step_images && t->cache;
}

/* Keys that name files may differ if the checkpoint has digests: check_data compares data and teacher. */
static bool check_config(struct trainer *t, bool digests, struct error *err)
{
    struct config saved = {0};
    struct string_list keys = {0};
    struct strbuf list = {0};
    char *path = path_join(t->config->save_dir, "config.yml", err);
    bool ok = path && config_read(&saved, path, NULL, 0, err)
           && (t->config->schedule.hours == 0 || adopt_epochs(t->config, &saved, err))
           && resolve_average(t->config, trainer_steps(t), err) && config_difference(t->config, &saved, &keys, err);
    for (int i = 0; ok && i < keys.count; i++)
        if (!digests || !config_names_files(keys.list[i]))
            strbuf_addf(&list, "%s%s", list.s ? ", " : "", keys.list[i]);
        else
            log_line(&t->run_log.log, "%s has changed since the checkpoint", keys.list[i]);
    if (ok && list.s)
        ok = strbuf_check(&list, err) && misuse(err, "cannot resume from %s: its configuration has other values of %s",
                                             t->last, list.s);
    strbuf_free(&list);
    string_list_free(&keys);
    config_free(&saved);
    free(path);
    return ok;
}

/* Training set and teacher must be those of the checkpoint.  With another validation set the best score is reset. */
static bool check_data(struct trainer *t, const struct run_state *current, struct error *err)
{
    if (t->state.images != current->images || t->state.batch > t->batches)
        return fail(err, "%s is of %d training images, %s has %d now", t->last, t->state.images,
                    t->config->train.ann_path, current->images);
    if (t->state.data[0] && t->state.data[0] != current->data[0])
        return fail(err, "%s is of other training images or annotations than %s has now: start again without --resume",
                    t->last, t->config->train.ann_path);
    if (t->state.data[1] && t->state.data[1] != current->data[1]) {
        log_line(&t->run_log.log, "data.val is another set than before: the best score is reset");
        t->state.best_epoch = 0;
    }
    if (t->state.teacher != current->teacher)
        return fail(err, "%s was trained with another teacher than %s: start again without --resume", t->last,
                    t->config->model.teacher.weights);
    memcpy(t->state.data, current->data, sizeof t->state.data);
    return true;
}

static bool open_train_step(struct trainer *t, struct error *err)
{
    const bool ok = train_step_init(&t->train_step, &t->model, &t->options.policy, err);
    log_and_free(t, &t->train_step.notes);
    t->state.teacher = t->train_step.teacher.digest;
    return ok;
}

static bool resume_run(struct trainer *t, struct error *err)
{
    struct optimizer *o = &t->train_step.optimizer;
    struct string_list notes = {0};
    if (!open_train_step(t, err))
        return false;
    const struct run_state current = t->state;
    const bool ok = checkpoint_read(t->last, o, &t->state, &notes, err);
    log_and_free(t, &notes);
    if (!ok || !check_config(t, t->state.data[0] != 0, err) || !check_data(t, &current, err))
        return false;
    log_line(&t->run_log.log, "resuming from epoch %d, batch %d of %d", o->epoch + 1, t->state.batch, t->batches);
    return true;
}

static bool start_run(struct trainer *t, struct error *err)
{
    struct string_list notes = {0};
    const bool ok = model_initialise(&t->model, t->options.weights, &notes, err);
    log_and_free(t, &notes);
    return ok && open_train_step(t, err)
        && (t->config->schedule.hours == 0 || choose_epochs(t, t->step_time, err))
        && resolve_average(t->config, trainer_steps(t), err)
        && rename_old(t->last, err) && rename_old(t->best, err);        /* last, since measuring may fail */
}

/* Loader threads sleep while enough batches are ready. */
static int worker_count(int threads) { return threads < 4 ? 2 : threads / 2; }

bool trainer_open_loader(struct trainer *t, int mosaic_epochs, struct error *err)
{
    const struct schedule_config *schedule = &t->config->schedule;
    const struct loader_config config = {
        .dataset = &t->dataset, .data = &t->config->train, .label = t->label, .cache = t->cache, .train = true,
        .mosaic_epochs = mosaic_epochs,
        .batch = t->config->batch_size, .workers = worker_count(t->options.policy.threads),
        .seed = (uint64_t)t->config->seed,
        .epoch = t->train_step.optimizer.epoch, .step = t->state.batch, .epochs = schedule->total_epochs,
        .input_scale = { schedule->input_scale[0], schedule->input_scale[1] } };
    t->loader = loader_open(&config, err);
    return t->loader != NULL;
}

static bool name_files(struct trainer *t, struct error *err)
{
    t->last = path_join(t->config->save_dir, "model_last.safetensors", err);
    t->best = path_join(t->config->save_dir, "model_best/model_best.safetensors", err);
    return t->last && t->best;
}

static bool log_advice(struct trainer *t, struct error *err)
{
    struct string_list warnings = {0};
    const bool ok = config_advice(t->config, t->places, &warnings, err)
                 && memory_advice(&t->model, &t->options.policy, machine_memory(), &warnings, err);
    log_and_free(t, &warnings);
    return ok;
}

static bool open_save_dir(struct trainer *t, struct error *err)
{
    int unlocked;
    if (!save_dir_open(&t->lock, &unlocked, t->config, t->options.weights, t->model.pretrain, err)
        || !run_log_open(&t->run_log, t->config, &t->options.output, err) || !name_files(t, err))
        return false;
    if (unlocked)
        log_line(&t->run_log.log, "%s cannot be locked (%s): see that no other training uses it", t->config->save_dir,
                 errno_text(unlocked));
    return true;
}

/* Again after a span has set the decay of the average. */
static bool describe(struct trainer *t, struct error *err)
{
    t->description.size = 0;
    return file_config_write(t->config, &t->description, err);
}

bool trainer_open(struct trainer *t, struct config *config, const struct training_options *options, struct error *err)
{
    *t = (struct trainer){ .config = config, .options = *options, .step_time = clock_seconds() };
    image_memory(config->decode_mb);
    if (!model_open(&t->model, config, err) || !describe(t, err) || !open_save_dir(t, err) || !open_data(t, err))
        return false;
    t->evaluator = evaluator_open(&t->model, &options->policy, err);
    if (!t->evaluator || !log_notes(t, err)
        || !dataset_digest(&t->state.data[0], &t->dataset, config->train.img_path, err)
        || !dataset_digest(&t->state.data[1], evaluator_dataset(t->evaluator), config->val.img_path, err))
        return false;
    t->evaluation_area = evaluation_area(config, evaluator_dataset(t->evaluator));
    const bool resume = options->resume || config->schedule.resume;
    const enum path_kind last = path_kind(t->last, err);
    if (!last || !(resume && last != PATH_ABSENT ? resume_run : start_run)(t, err))
        return false;
    const struct optimizer *o = &t->train_step.optimizer;
    if (config->train.repeat_factor > 0)
        log_line(&t->run_log.log, "data.train.repeat_factor: %d samples per epoch", t->places);
    log_line(&t->run_log.log, "%d images, %d batches per epoch, %d parameters trained", t->dataset.image_count,
             t->batches, (int)t->model.params.trained);
    t->rate_start = t->save_time = t->step_time = clock_seconds();
    return describe(t, err) && log_advice(t, err) && run_log_begin(&t->run_log, o->step, o->epoch, err)
        && trainer_open_loader(t, config->schedule.total_epochs - config->train.mosaic.stop_epochs, err);
}

bool trainer_close(struct trainer *t, struct error *err)
{
    loader_close(t->loader);
    image_cache_close(t->cache);
    evaluator_close(t->evaluator);
    train_step_free(&t->train_step);
    model_free(&t->model);
    dataset_free(&t->dataset);
    free(t->label);
    free(t->ground_truth);
    free(t->step_images);
    free(t->last);
    free(t->best);
    strbuf_free(&t->description);
    const bool ok = run_log_close(&t->run_log, err);
    if (t->lock)
        fclose(t->lock);
    *t = (struct trainer){0};
    return ok;
}
