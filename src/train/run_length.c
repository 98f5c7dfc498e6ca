#include "train/run_length.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/min_max.h"
#include "data/tiles.h"
#include "train/pace.h"
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { EPOCHS_MAX = 1000000 };

static double area(struct image_size size) { return (double)size.width * size.height; }

double sum_input_areas(const struct config *c, int first, int end, int epochs)
{
    const double *scale = c->schedule.input_scale;
    const struct image_size full = { c->train.input_size[0], c->train.input_size[1] };
    const double last = area(epoch_size(full, scale, epochs - 1, epochs));
    double sum = 0;
    if (scale[0] == scale[1])
        return end - first;
    for (int epoch = first; epoch < end; epoch++)
        sum += area(epoch_size(full, scale, epoch, epochs)) / last;
    return sum;
}

double evaluation_area(const struct config *c, const struct dataset *val)
{
    const struct image_size input = { c->val.input_size[0], c->val.input_size[1] };
    const struct image_size full = { c->train.input_size[0], c->train.input_size[1] };
    double passes = 0;
    for (int i = 0; i < val->image_count; i++) {
        const struct image_size size = { val->images[i].width, val->images[i].height };
        const struct ints *tiles = &c->val_tiles.size;
        const struct image_size tile = tiles->count ? tile_size(tiles, c->val.input_size) : size;
        struct tile_grid grids[TILE_GRIDS] = { { .columns = 1, .rows = 1 } };
        const int count = tile_covers(tile, size) ? 1 : tile_grids(&c->val_tiles, tile, size, grids);
        for (int k = 0; k < count; k++)
            passes += grids[k].columns * grids[k].rows;
    }
    return passes * area(input) / area(epoch_size(full, c->schedule.input_scale, 1, 2));
}

double estimate_run_seconds(const struct config *c, const struct run_costs *costs, int epochs)
{
    const int evaluations = (epochs - 1) / c->schedule.val_intervals + 1;
    return costs->start + costs->training * sum_input_areas(c, 0, epochs, epochs) + costs->evaluation * evaluations
         + costs->end * epochs;
}

struct run_costs expected_costs(const struct config *c, int places, double val_area, double seconds)
{
    const int steps = loader_steps(places, c->batch_size, true);
    return (struct run_costs){ .training = seconds * steps * min_int(c->batch_size, places),
                               .evaluation = evaluation_seconds(seconds, val_area) };
}

int find_epochs_within(const struct config *c, const struct run_costs *costs, double seconds)
{
    int fit = 1, over = EPOCHS_MAX + 1;
    while (over - fit > 1) {
        const int middle = fit + (over - fit) / 2;
        *(estimate_run_seconds(c, costs, middle) <= seconds ? &fit : &over) = middle;
    }
    return fit;
}

/* ---- measuring ---- */

/* Fractions of schedule.hours: of the planned run, and of measuring its steps and its evaluation. */
static const double planned = 0.97, steps_limit = 0.01, evaluation_limit = 0.01;

/* Only the first epoch decodes images. */
static bool cached_whole(const struct trainer *t)
{
    double bytes = 0;
    for (int i = 0; i < t->dataset.image_count; i++)
        bytes += 3.0 * t->dataset.images[i].width * t->dataset.images[i].height;
    return bytes <= 0x1p20 * t->config->train.cache_mb;
}

/* Times steps after the first ones, which build graphs and fill the loader. */
static bool measure_steps(struct trainer *t, double limit, struct run_costs *costs, struct error *err)
{
    enum { WARM_UP = 2, STEPS = 5 };
    double start = 0, now = 0;
    int images = 0;
    for (int i = 0;; i++) {
        struct step_report report;
        bool more = i < WARM_UP + STEPS || now - start < limit;
        ranks_broadcast(t->options.policy.ranks, &more, sizeof more);
        if (!more)
            break;
        if (i == WARM_UP)
            start = clock_seconds();
        t->state.batch = 0;
        if (!trainer_learn(t, &report, err))
            return false;
        images += i < WARM_UP ? 0 : t->step_samples;
        now = clock_seconds();
    }
    costs->training = (now - start) / images * t->batches * min_int(t->config->batch_size, t->places);
    return true;
}

struct timed_evaluation { double end, time; int images, all; };

static bool before_end(void *evaluation, int images, int all)
{
    struct timed_evaluation *e = evaluation;
    *e = (struct timed_evaluation){ e->end, clock_seconds(), images, all };
    return e->time < e->end;
}

/* Ends early on a large set.  Detections of a trained model take more time than those of an untrained one. */
static bool measure_evaluation(struct trainer *t, double limit, struct run_costs *costs, struct error *err)
{
    static const double trained = 1.25;
    const double start = clock_seconds();
    struct timed_evaluation timed = { .end = start + limit };
    const struct progress_callback progress = { before_end, &timed };
    struct evaluation e = {0};
    struct error cause = {0};
    const bool whole = evaluator_run(t->evaluator, t->model.params.value, &progress, &e, &cause);
    evaluation_free(&e);
    if (!whole && timed.time < timed.end && cause.text[0])        /* without text: another process has ended it */
        return fail_as(err, &cause, "%s", cause.text);
    costs->evaluation = trained * ((whole ? clock_seconds() : timed.time) - start) * timed.all / timed.images;
    return true;
}

/* The end of an epoch writes at most two checkpoints and the best weights. */
static bool measure_end(struct trainer *t, struct run_costs *costs, struct error *err)
{
    struct strbuf path = {0};
    const double start = clock_seconds();
    strbuf_addf(&path, "%s.trial", t->last);
    const bool ok = strbuf_check(&path, err)
                 && (!trainer_writes(t)
                     || (checkpoint_write(path.s, &t->train_step.optimizer, &t->state, t->description.s, err)
                         && (remove(path.s) == 0 || fail(err, "%s: %s", path.s, errno_text(errno)))));
    costs->end = 2.5 * (clock_seconds() - start);
    strbuf_free(&path);
    return ok;
}

/* The steps change parameters, optimizer and the batch of the epoch: all are set back. */
static bool measure(struct trainer *t, double seconds, struct run_costs *costs, struct error *err)
{
    struct params *params = &t->model.params;
    const size_t bytes = (size_t)params->total * sizeof *params->value;
    real *values = new_array((size_t)params->total, sizeof *values, err);
    if (!values)
        return false;
    memcpy(values, params->value, bytes);
    bool ok = true;
    for (int pass = cached_whole(t) ? 0 : 1; ok && pass < 2; pass++) {          /* the first one fills the cache */
        ok = trainer_open_loader(t, INT_MAX, err) && measure_steps(t, pass * steps_limit * seconds, costs, err);
        loader_close(t->loader);
        t->loader = NULL;
        t->state.batch = 0;
    }
    ok = ok && measure_evaluation(t, evaluation_limit * seconds, costs, err) && measure_end(t, costs, err);
    memcpy(params->value, values, bytes);
    free(values);
    train_step_free(&t->train_step);
    return ok && train_step_init(&t->train_step, &t->model, &t->options.policy, err);
}

/* ---- the configuration ---- */

static const char *const epochs_key = "schedule.total_epochs", *const period_key = "schedule.lr_schedule.T_max",
    *const warmup_key = "schedule.warmup.steps", *const hours_key = "schedule.hours";

static bool put_epochs(struct config *c, int epochs, int warmup, struct error *err)
{
    return config_set_number(c, epochs_key, epochs, err) && config_set_number(c, period_key, epochs, err)
        && config_set_number(c, warmup_key, warmup, err) && config_set_number(c, hours_key, 0, err);
}

bool set_epochs(struct config *c, int epochs, long steps_per_epoch, struct error *err)
{
    const long tenth = epochs * steps_per_epoch / 10;
    const int warmup = c->schedule.warmup.steps;
    return put_epochs(c, epochs, tenth < warmup ? (int)tenth : warmup, err);
}

bool adopt_epochs(struct config *c, const struct config *saved, struct error *err)
{
    return put_epochs(c, saved->schedule.total_epochs, saved->schedule.warmup.steps, err);
}

bool choose_epochs(struct trainer *t, double start, struct error *err)
{
    struct config *c = t->config;
    const double hours = c->schedule.hours, seconds = 3600 * hours;
    struct run_costs costs = {0};
    log_line(&t->run_log.log, "measuring how many epochs fit into %g hours", hours);
    if (!measure(t, seconds, &costs, err))
        return false;
    costs.start = clock_seconds() - start;
    ranks_broadcast(t->options.policy.ranks, &costs, sizeof costs);
    const int epochs = find_epochs_within(c, &costs, planned * seconds);
    const double needed = estimate_run_seconds(c, &costs, epochs);
    log_line(&t->run_log.log, "schedule.hours %g: total_epochs %d, in about %.1f minutes (an epoch takes %.1f s, an "
             "evaluation %.1f s, the start took %.1f s)", hours, epochs, needed / 60, costs.training, costs.evaluation,
             costs.start);
    if (needed > seconds)
        log_line(&t->run_log.log, "WARNING: %s: not even one epoch fits", config_place(c, hours_key).s);
    return set_epochs(c, epochs, trainer_steps(t), err);
}

bool resolve_average(struct config *c, long steps_per_epoch, struct error *err)
{
    const double steps = fmax(1, c->model.span * (double)steps_per_epoch * c->schedule.total_epochs);
    return c->model.span == 0
        || (config_set_number(c, "model.weight_averager.decay", 1 - 1 / steps, err)
            && config_set_number(c, "model.weight_averager.tau", fmin(2000, steps), err));
}
