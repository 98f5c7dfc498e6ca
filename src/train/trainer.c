#include "train/trainer.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/min_max.h"
#include "base/strbuf.h"
#include "base/string_list.h"
#include "train/batch_picture.h"
#include "train/processes.h"
#include "train/run_length.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

long trainer_steps(const struct trainer *t) { return steps_per_epoch(&t->config->schedule, t->batches); }

static const struct ranks *ranks_of(const struct trainer *t) { return t->options.policy.ranks; }

bool trainer_writes(const struct trainer *t) { return rank_of(ranks_of(t)) == 0; }

/* Is the run to end now?  All processes find the same. */
static bool is_ending(struct trainer *t)
{
    double reason[2] = { t->options.stop ? *t->options.stop : 0, !run_log_ok(&t->run_log, NULL) };
    ranks_largest(ranks_of(t), reason, 2);
    t->stop = (int)reason[0];
    return t->stop || reason[1] > 0;
}

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
    return !trainer_writes(t) || checkpoint_write(t->last, &t->train_step.optimizer, &t->state, t->description.s, err);
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

/* Pads the images of a batch as if those of the other processes were in it. */
static bool pad_input(struct trainer *t, struct input_batch *in, struct error *err)
{
    double size[2] = { in->h, in->w };
    ranks_largest(ranks_of(t), size, 2);
    const int h = (int)size[0], w = (int)size[1];
    const size_t row = 3 * (size_t)in->w, to_row = 3 * (size_t)w, count = (size_t)in->n * (size_t)h * to_row;
    if (h == in->h && w == in->w)
        return true;
    if (count > t->padded_size) {
        free(t->padded);
        t->padded_size = 0;
        t->padded = new_array(count, sizeof *t->padded, err);
        if (!t->padded)
            return false;
        t->padded_size = count;
    }
    memset(t->padded, 0, count * sizeof *t->padded);
    for (int i = 0; i < in->n * in->h; i++)
        memcpy(t->padded + ((size_t)(i / in->h * h + i % in->h)) * to_row, in->pixel + (size_t)i * row,
               row * sizeof *t->padded);
    *in = (struct input_batch){ t->padded, in->n, h, w, in->ground_truth };
    return true;
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
    t->step_samples += batch->n * rank_count(ranks_of(t));
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
    if (batch->step == t->state.batch && trainer_writes(t))             /* not if steps are only measured */
        batch_picture_write(batch, t->config, &t->run_log.log);
    struct input_batch images = batch_input(t, batch);
    if (!pad_input(t, &images, err))
        return false;
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
    struct log screen = { .screen = t->options.output.screen };
    struct error line;
    while (loader_complaint(t->loader, &line))
        log_line(trainer_writes(t) ? &t->run_log.log : &screen, "skipped an image that cannot be read, %d so far: %s",
                 ++t->skipped_images, line.text);
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
    if (!trainer_writes(t))
        return true;
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
    return !t->options.stop || !*t->options.stop;
}

static bool score_epoch(struct trainer *t, struct error *err)
{
    const struct optimizer *o = &t->train_step.optimizer;
    const struct progress_callback progress = { on_evaluated_batch, t };
    struct evaluation e = {0};
    log_line(&t->run_log.log, "epoch %d is trained, evaluating", o->epoch + 1);
    if (!t->config->model.sync_norm)                    /* every process has running statistics of its own */
        processes_share_state(ranks_of(t), &t->train_step.optimizer, &t->state);
    const bool ok = trainer_save(t, err)
                 && evaluator_run(t->evaluator, o->average ? o->average : o->params->value, &progress, &e, err)
                 && (!trainer_writes(t)
                     || (run_log_score(&t->run_log, o->epoch + 1, o->step, &e, err) && update_best(t, &e, err)));
    if (ok && trainer_writes(t))
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
    if (due && !processes_agree(ranks_of(t), score_epoch(t, err), err))
        return is_ending(t) && t->stop;
    ranks_broadcast(ranks_of(t), &t->state, sizeof t->state);           /* the best score */
    optimizer_end_epoch(&t->train_step.optimizer);
    t->state.batch = 0;
    if (trainer_writes(t))
        run_log_draw_curves(&t->run_log);                   /* before saving: a resumed run does not draw them again */
    if (!trainer_save(t, err))
        return false;
    t->rate_start = t->step_time = clock_seconds();
    t->rate_images = 0;
    pace_end(&t->pace, due, t->step_time - start);
    return true;
}

/* ---- the run ---- */

/* Logs the traffic of rank 0 since the first step of this call. */
static void log_traffic(struct trainer *t)
{
    const struct ranks *r = ranks_of(t);
    const long steps = t->train_step.optimizer.step - t->first_step;
    if (r && r->traffic && steps)
        log_line(&t->run_log.log, "%d processes: %.2f MB sent and %.1f ms waited per step", r->count,
                 (r->traffic->bytes - t->traffic.bytes) / 1e6 / (double)steps,
                 1e3 * (r->traffic->waiting - t->traffic.waiting) / (double)steps);
}

bool trainer_advance(struct trainer *t, struct error *err)
{
    return t->state.batch < t->batches ? run_step(t, err) : end_epoch(t, err);
}

bool trainer_run(struct trainer *t, struct error *err)
{
    const double pause = 60 * t->config->log.checkpoint_minutes;
    struct error cause;
    bool ok = true;
    t->first_step = t->train_step.optimizer.step;
    if (ranks_of(t) && ranks_of(t)->traffic)
        t->traffic = *ranks_of(t)->traffic;
    while (ok && !trainer_finished(t) && !is_ending(t)) {
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
    if (ok && trainer_finished(t) && trainer_writes(t))
        ok = run_log_end(&t->run_log, t->state.best_epoch, save_key_figure(t->config->save_key), t->state.best, err);
    log_traffic(t);
    log_line(&(struct log){ .file = t->run_log.log.file }, "%s",
             !ok ? err->text : !trainer_finished(t) ? "stopped"
             : patience_ended(t) ? "ended by schedule.patience" : "all epochs are done");
    return ok;
}
