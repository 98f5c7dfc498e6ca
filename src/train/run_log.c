#include "train/run_log.h"

#include "base/atomic_file.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/path.h"
#include "base/strbuf.h"
#include "eval/score_report.h"
#include "report/chart.h"
#include "report/csv.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool run_log_open(struct run_log *r, const struct config *config, FILE *screen, struct error *err)
{
    *r = (struct run_log){ .config = config };
    char *log = path_join(config->save_dir, "train.log", err);
    r->metrics = path_join(config->save_dir, "metrics.csv", err);
    r->eval = path_join(config->save_dir, "eval.csv", err);
    r->curves = path_join(config->save_dir, "curves.png", err);
    const bool ok = log && r->metrics && r->eval && r->curves && log_open(&r->log, log, screen, err);
    free(log);
    return ok;
}

static bool write_config(const struct config *config, struct error *err)
{
    struct strbuf text = {0};
    char *path = path_join(config->save_dir, "config.yml", err);
    config_write(config, &text);
    const bool ok = path && strbuf_check(&text, err) && file_write(path, text.s, text.size, err);
    strbuf_free(&text);
    free(path);
    return ok;
}

/* Removes a table of an earlier run, which may have other columns.  Keeps a link to it. */
static bool remove_table(const char *path, struct error *err)
{
    char *target = atomic_target(path, err);
    const bool ok = target && (unlink(target) == 0 || errno == ENOENT || fail(err, "%s: %s", path, errno_text(errno)));
    free(target);
    return ok;
}

bool run_log_begin(struct run_log *r, long steps, int epochs, struct error *err)
{
    if (steps == 0 && (!remove_table(r->metrics, err) || !remove_table(r->eval, err)))
        return false;
    return csv_cut_after(r->metrics, "step", (double)steps - 1, err) && csv_cut_after(r->eval, "epoch", epochs, err)
        && write_config(r->config, err) && events_open(&r->events, r->config->save_dir, steps, err);
}

bool run_log_ok(const struct run_log *r, struct error *err)
{
    return log_whole(&r->log, err) && (!r->events_failed.exit || fail(err, "%s", r->events_failed.text));
}

static void add_events(struct run_log *r, long step, const char *const *names, const double *values, int count)
{
    struct error cause = {0};
    if (!events_scalars(&r->events, step, names, values, count, &cause) && !r->events_failed.exit)
        r->events_failed = cause;
}

/* ---- steps ---- */

enum { LR = 2, LOSS, AUX_LOSS = 7, NORM = 10, COLUMNS = 12 };   /* columns LOSS to NORM - 1 are losses */
static const char *const columns[COLUMNS] = {
    "step", "epoch", "lr", "loss", "loss_qfl", "loss_bbox", "loss_dfl", "aux_loss_qfl", "aux_loss_bbox",
    "aux_loss_dfl", "grad_norm", "images_per_second" };
static const char *const tags[NORM] = {
    [LR] = "Train_loss/lr", "Train_loss/loss", "Train_loss/loss_qfl", "Train_loss/loss_bbox", "Train_loss/loss_dfl",
    "Train_loss/aux_loss_qfl", "Train_loss/aux_loss_bbox", "Train_loss/aux_loss_dfl" };

bool run_log_step(struct run_log *r, long step, const struct step_report *s, struct error *err)
{
    const struct loss_values main = s->losses.head[LOSS_MAIN], aux = s->losses.head[LOSS_AUX];
    const double none = NAN, row[COLUMNS] = {
        (double)step, s->epoch, s->lr, losses_total(&s->losses), main.qfl, main.bbox, main.dfl,
        s->losses.aux ? aux.qfl : none, s->losses.aux ? aux.bbox : none, s->losses.aux ? aux.dfl : none,
        s->norm, s->images_per_second };
    const bool logged = step % r->config->log.interval == 0;
    const struct progress progress = {
        .epoch = s->epoch, .epochs = r->config->schedule.total_epochs, .step = s->batch, .steps = s->batches,
        .lr = s->lr, .images_per_second = s->images_per_second, .seconds_left = s->seconds_left,
        .names = columns + LOSS, .losses = row + LOSS, .count = (s->losses.aux ? NORM : AUX_LOSS) - LOSS };
    if (logged || r->log.terminal)
        log_progress(&r->log, &progress, logged);
    if (logged)
        add_events(r, step, tags + LR, row + LR, progress.count + LOSS - LR);
    return !logged || csv_append(r->metrics, columns, row, COLUMNS, err);
}

/* ---- evaluations ---- */

static bool append_score(struct run_log *r, int epoch, const struct coco_score *score, struct error *err)
{
    const int count = 1 + COCO_FIGURES + score->class_count;
    const char **names = new_array((size_t)count, sizeof *names, err);
    double *row = new_array((size_t)count, sizeof *row, err);
    const bool allocated = names && row;
    if (allocated) {
        names[0] = "epoch";
        row[0] = epoch;
    }
    for (int i = 0; allocated && i < COCO_FIGURES; i++) {
        names[1 + i] = coco_figure_name(i);
        row[1 + i] = score->figures[i];
    }
    for (int i = 0; allocated && i < score->class_count; i++) {
        names[1 + COCO_FIGURES + i] = score->classes[i].name;
        row[1 + COCO_FIGURES + i] = score->classes[i].ap;
    }
    const bool ok = allocated && csv_append(r->eval, names, row, count, err);
    free(names);
    free(row);
    return ok;
}

bool run_log_score(struct run_log *r, int epoch, long steps, const struct coco_score *score, struct error *err)
{
    char names[COCO_FIGURES][32];
    const char *list[COCO_FIGURES];
    struct strbuf line = {0};
    for (int i = 0; i < COCO_FIGURES; i++) {
        snprintf(names[i], sizeof names[i], "Val_metrics/%s", coco_figure_name(i));
        list[i] = names[i];
        strbuf_addf(&line, "  %s ", coco_figure_name(i));
        report_figure(&line, 0, 4, score->figures[i]);
    }
    const bool ok = strbuf_check(&line, err);
    if (ok)
        log_line(&r->log, "epoch %d evaluated:%s", epoch, line.s);
    strbuf_free(&line);
    add_events(r, steps, list, score->figures, COCO_FIGURES);
    return ok && append_score(r, epoch, score, err);
}

/* ---- the end ---- */

/* Logs the AP of each class, from the columns of eval.csv after the figures.  Skips a missing table or row. */
static bool log_classes(struct run_log *r, int epoch, struct error *err)
{
    struct csv t;
    const enum path_kind kind = path_kind(r->eval, err);
    if (kind != PATH_FILE)
        return kind != PATH_ERROR;
    bool ok = csv_read(&t, r->eval, err);
    const double *row = t.values, *end = row + (ptrdiff_t)t.rows * t.columns.count;
    while (ok && row < end && row[0] != epoch)
        row += t.columns.count;
    if (ok && row < end)
        log_line(&r->log, "      AP  class");
    for (int i = 1 + COCO_FIGURES; ok && row < end && i < t.columns.count; i++) {
        struct strbuf line = {0};
        report_figure(&line, 8, 3, row[i]);
        ok = strbuf_check(&line, err);
        if (ok)
            log_line(&r->log, "%s  %s", line.s, t.columns.list[i]);
        strbuf_free(&line);
    }
    csv_free(&t);
    return ok;
}

static bool log_files(struct run_log *r, struct error *err)
{
    static const char *const files[] = { "model_best/model_best.safetensors", "model_last.safetensors", "eval.csv",
                                         "metrics.csv", "curves.png", "train.log", "config.yml" };
    struct strbuf list = {0};
    bool ok = true;
    for (size_t i = 0; ok && i < sizeof files / sizeof *files; i++) {
        char *path = path_join(r->config->save_dir, files[i], err);
        const enum path_kind kind = path ? path_kind(path, err) : PATH_ERROR;
        if (kind == PATH_FILE)
            strbuf_addf(&list, "%s%s", list.size ? ", " : "", files[i]);
        ok = kind != PATH_ERROR;
        free(path);
    }
    ok = ok && strbuf_check(&list, err);
    if (ok && list.size)
        log_line(&r->log, "files in %s: %s", r->config->save_dir, list.s);
    strbuf_free(&list);
    return ok;
}

bool run_log_end(struct run_log *r, int best_epoch, const char *figure, double best, struct error *err)
{
    struct strbuf score = {0};
    report_figure(&score, 0, 4, best);
    const bool ok = strbuf_check(&score, err);
    if (ok)
        log_line(&r->log, "the best epoch is %d of %d: %s %s", best_epoch, r->config->schedule.total_epochs, figure,
                 score.s);
    strbuf_free(&score);
    return ok && log_classes(r, best_epoch, err) && log_files(r, err);
}

void run_log_draw_curves(struct run_log *r)
{
    struct error err = {0};
    if (r->curves_failed || chart_write(r->curves, r->metrics, r->eval, &err))
        return;
    r->curves_failed = true;
    log_line(&r->log, "curves.png is not drawn: %s", err.text);
}

bool run_log_close(struct run_log *r, struct error *err)
{
    const bool events = events_close(&r->events, err), log = log_close(&r->log, err);
    free(r->metrics);
    free(r->eval);
    free(r->curves);
    *r = (struct run_log){0};
    return events && log;
}
