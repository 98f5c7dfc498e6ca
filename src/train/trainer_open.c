/* train/trainer_open.c -- opens and closes a training run. */
#include "train/trainer.h"

#include "base/clock.h"
#include "base/machine.h"
#include "base/memory.h"
#include "base/min_max.h"
#include "base/path.h"
#include "base/string_list.h"
#include "data/data_paths.h"
#include "data/dataset_read.h"
#include "data/image.h"
#include "data/repeat.h"
#include "data/validate.h"
#include "kernel/kernels.h"
#include "op/conv/conv.h"
#include "train/advice.h"
#include "train/processes.h"
#include "train/run_length.h"
#include "train/save_dir.h"
#include "weights/file_config.h"
#include "weights/load.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

/* Rank 0 reads the checkpoint. */
static bool read_checkpoint(struct trainer *t, struct error *err)
{
    struct optimizer *o = &t->train_step.optimizer;
    struct string_list notes = {0};
    const struct run_state current = t->state;
    const bool ok = checkpoint_read(t->last, o, &t->state, &notes, err);
    log_and_free(t, &notes);
    if (!ok || !check_config(t, t->state.data[0] != 0, err) || !check_data(t, &current, err))
        return false;
    log_line(&t->run_log.log, "resuming from epoch %d, batch %d of %d", o->epoch + 1, t->state.batch, t->batches);
    return true;
}

/* The other processes take the state of the run, and the epochs that schedule.hours has found, from rank 0. */
static bool resume_run(struct trainer *t, struct error *err)
{
    const struct ranks *ranks = t->options.policy.ranks;
    if (!processes_agree(ranks, !trainer_writes(t) || read_checkpoint(t, err), err))
        return false;
    struct config first = { .schedule = t->config->schedule };
    ranks_broadcast(ranks, &first.schedule.total_epochs, sizeof first.schedule.total_epochs);
    ranks_broadcast(ranks, &first.schedule.warmup.steps, sizeof first.schedule.warmup.steps);
    processes_share_state(ranks, &t->train_step.optimizer, &t->state);
    return trainer_writes(t)
        || ((t->config->schedule.hours == 0 || adopt_epochs(t->config, &first, err))
            && resolve_average(t->config, trainer_steps(t), err));
}

static bool initialise_weights(struct trainer *t, struct error *err)
{
    struct string_list notes = {0};
    const bool ok = model_initialise(&t->model, t->options.weights, &notes, err);
    log_and_free(t, &notes);
    return ok;
}

static bool start_run(struct trainer *t, struct error *err)
{
    processes_share_state(t->options.policy.ranks, &t->train_step.optimizer, &t->state);
    return (t->config->schedule.hours == 0 || choose_epochs(t, t->step_time, err))
        && resolve_average(t->config, trainer_steps(t), err)
        && (!trainer_writes(t) || (rename_old(t->last, err) && rename_old(t->best, err)));     /* measuring may fail */
}

/* Loader threads sleep while enough batches are ready. */
static int worker_count(int threads) { return threads < 4 ? 2 : threads / 2; }

bool trainer_open_loader(struct trainer *t, int mosaic_epochs, struct error *err)
{
    const struct schedule_config *schedule = &t->config->schedule;
    const struct ranks *ranks = t->options.policy.ranks;
    const struct loader_config config = {
        .dataset = &t->dataset, .data = &t->config->train, .label = t->label, .cache = t->cache, .train = true,
        .mosaic_epochs = mosaic_epochs,
        .batch = t->config->batch_size, .workers = worker_count(t->options.policy.threads),
        .share = share_of(ranks, rank_of(ranks), min_int(t->config->batch_size, t->places)),
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
    int unlocked = 0;
    if (!name_files(t, err)
        || (trainer_writes(t)
            && (!save_dir_open(&t->lock, &unlocked, t->config, t->options.weights, t->model.pretrain, err)
                || !run_log_open(&t->run_log, t->config, &t->options.output, err))))
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

/* Every process computes the same number of images. */
static bool divides_batch(const struct trainer *t, struct error *err)
{
    const int images = min_int(t->config->batch_size, t->places), ranks = rank_count(t->options.policy.ranks);
    return images % ranks == 0
        || misuse(err, "%d processes cannot share a batch of %d images equally (device.batchsize_per_gpu)", ranks,
                  images);
}

static bool open_parts(struct trainer *t, struct error *err)
{
    const struct config *config = t->config;
    image_memory(config->decode_mb);
    if (!model_open(&t->model, t->config, err) || !describe(t, err) || !open_save_dir(t, err) || !open_data(t, err)
        || !divides_batch(t, err))
        return false;
    t->evaluator = evaluator_open(&t->model, &t->options.policy, err);
    if (!t->evaluator || (trainer_writes(t) && !log_notes(t, err))
        || !dataset_digest(&t->state.data[0], &t->dataset, config->train.img_path, err)
        || !dataset_digest(&t->state.data[1], evaluator_dataset(t->evaluator), config->val.img_path, err))
        return false;
    t->evaluation_area = evaluation_area(config, evaluator_dataset(t->evaluator));
    return true;
}

static bool same_run(struct trainer *t, struct error *err)
{
    const struct policy *policy = &t->options.policy;
    struct strbuf config = {0};
    char isa[80];
    if (!policy->ranks)
        return true;
    snprintf(isa, sizeof isa, "%s, %d terms of bfloat16, %s", policy->kernels->name, policy->bf16_terms,
             policy->conv ? policy->conv->name : policy->direct ? "direct" : "fastest");
    config_write(t->config, &config);
    const bool ok = processes_agree(policy->ranks, strbuf_check(&config, err), err)
                 && processes_match(policy->ranks, &(struct run_identity){ isa, config.s, &t->state }, err);
    strbuf_free(&config);
    return ok;
}

/* Rank 0 knows if there is a checkpoint, and reads it or the initial weights.  A step of each part is agreed upon, so
 * that no process waits for one that has failed. */
static bool open_run(struct trainer *t, struct error *err)
{
    const struct ranks *ranks = t->options.policy.ranks;
    const bool first = trainer_writes(t), wanted = t->options.resume || t->config->schedule.resume;
    const enum path_kind last = first ? path_kind(t->last, err) : PATH_ABSENT;
    bool resume = wanted && last != PATH_ABSENT;
    ranks_broadcast(ranks, &resume, sizeof resume);
    return processes_agree(ranks, last != PATH_ERROR && (!first || resume || initialise_weights(t, err)), err)
        && processes_agree(ranks, open_train_step(t, err), err) && same_run(t, err)
        && (resume ? resume_run : start_run)(t, err);
}

bool trainer_open(struct trainer *t, struct config *config, const struct training_options *options, struct error *err)
{
    *t = (struct trainer){ .config = config, .options = *options, .step_time = clock_seconds() };
    const struct optimizer *o = &t->train_step.optimizer;
    if (!processes_agree(options->policy.ranks, open_parts(t, err), err) || !open_run(t, err))
        return false;
    if (config->train.repeat_factor > 0)
        log_line(&t->run_log.log, "data.train.repeat_factor: %d samples per epoch", t->places);
    if (options->policy.ranks)
        log_line(&t->run_log.log, "%d processes share each batch of %d images", options->policy.ranks->count,
                 min_int(config->batch_size, t->places));
    log_line(&t->run_log.log, "%d images, %d batches per epoch, %d parameters trained", t->dataset.image_count,
             t->batches, (int)t->model.params.trained);
    t->rate_start = t->save_time = t->step_time = clock_seconds();
    const bool ok = describe(t, err)
                 && (!trainer_writes(t)
                     || (log_advice(t, err) && run_log_begin(&t->run_log, o->step, o->epoch, err)))
                 && trainer_open_loader(t, config->schedule.total_epochs - config->train.mosaic.stop_epochs, err);
    return processes_agree(options->policy.ranks, ok, err);
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
    free(t->padded);
    strbuf_free(&t->description);
    const bool ok = run_log_close(&t->run_log, err);
    if (t->lock)
        fclose(t->lock);
    *t = (struct trainer){0};
    return ok;
}
