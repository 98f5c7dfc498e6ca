#include "train/run_log.h"

#include "base/atomic_file.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/path.h"
#include "base/strbuf.h"
#include "eval/score_report.h"
#include "report/chart.h"
#include "report/csv.h"
#include "train/save_dir.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool run_log_open(struct run_log *r, const struct config *config, const struct run_output *out, struct error *err)
{
    *r = (struct run_log){ .config = config, .observer = out->observer };
    char *log = path_join(config->save_dir, "train.log", err);
    r->metrics = path_join(config->save_dir, "metrics.csv", err);
    r->eval = path_join(config->save_dir, "eval.csv", err);
    r->curves = path_join(config->save_dir, "curves.png", err);
    const bool ok = log && r->metrics && r->eval && r->curves
                 && log_open(&r->log, log, out->screen, out->terminal, err);
    if (ok && out->observer) {
        r->log.on_message = out->observer->on_message;
        r->log.context = out->observer->context;
    }
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

/* Columns with a tag are the rate and losses; those from DISTILL exist only if the run distils. */
enum { LR = 2, LOSS, AUX_LOSS = 7, NORM = 10, DISTILL = 12, COLUMNS = STEP_COLUMNS };
static const char *const columns[COLUMNS] = {
    "step", "epoch", "lr", "loss", "loss_qfl", "loss_bbox", "loss_dfl", "aux_loss_qfl", "aux_loss_bbox",
    "aux_loss_dfl", "grad_norm", "images_per_second", "distill_localization", "distill_classification" };
static const char *const tags[COLUMNS] = {
    [LR] = "Train_loss/lr", "Train_loss/loss", "Train_loss/loss_qfl", "Train_loss/loss_bbox", "Train_loss/loss_dfl",
    "Train_loss/aux_loss_qfl", "Train_loss/aux_loss_bbox", "Train_loss/aux_loss_dfl",
    [DISTILL] = "Train_loss/distill_localization", "Train_loss/distill_classification" };

bool run_log_step(struct run_log *r, long step, const struct step_report *s, struct error *err)
{
    const struct loss_values main = s->losses.head[LOSS_MAIN], aux = s->losses.head[LOSS_AUX];
    const double none = NAN, row[COLUMNS] = {
        (double)step, s->epoch, s->lr, losses_total(&s->losses), main.qfl, main.bbox, main.dfl,
        s->losses.aux ? aux.qfl : none, s->losses.aux ? aux.bbox : none, s->losses.aux ? aux.dfl : none,
        s->norm, s->images_per_second, s->losses.distill.localization, s->losses.distill.classification };
    const bool logged = step % r->config->log.interval == 0;
    const int column_count = config_distills(&r->config->model) ? COLUMNS : DISTILL;
    const char *names[COLUMNS], *event_tags[COLUMNS];
    double values[COLUMNS];
    int count = 0;                                      /* the rate and the losses that this run has */
    for (int i = LR; i < column_count; i++)
        if (tags[i] && (s->losses.aux || i < AUX_LOSS || i >= NORM)) {
            names[count] = columns[i];
            event_tags[count] = tags[i];
            values[count++] = row[i];
        }
    const struct progress progress = {
        .epoch = s->epoch, .epochs = r->config->schedule.total_epochs, .step = s->batch, .steps = s->batches,
        .lr = s->lr, .images_per_second = s->images_per_second, .seconds_left = s->seconds_left,
        .names = names + 1, .losses = values + 1, .count = count - 1,
        .figure = save_key_figure(r->config->save_key), .best = s->best };
    log_progress(&r->log, &progress, logged);
    if (r->observer)
        r->observer->on_step(r->observer->context, &(struct observed_step){
            columns, row, column_count, logged, s->batch, s->batches, s->seconds_left });
    if (logged)
        add_events(r, step, event_tags, values, count);
    return !logged || csv_append(r->metrics, columns, row, column_count, err);
}

/* ---- evaluations ---- */

void run_log_evaluating(struct run_log *r, int images, int all)
{
    log_counter(&r->log, "evaluating images", images, all);
    if (r->observer)
        r->observer->on_evaluating(r->observer->context, images, all);
}

/* A row of eval.csv: the epoch, COCO's figures, the AP of each class, and the figures of the VisDrone toolkit. */
struct score_row { const char **names; double *values; int count; };
enum { FIRST_CLASS = 1 + COCO_FIGURES };

static void add_score(struct score_row *row, const char *name, double figure)
{
    row->names[row->count] = name;
    row->values[row->count++] = figure;
}

static bool make_row(struct score_row *row, int epoch, const struct evaluation *e, struct error *err)
{
    const size_t room = FIRST_CLASS + (size_t)e->score.class_count + VISDRONE_FIGURES;
    *row = (struct score_row){ .names = new_array(room, sizeof *row->names, err),
                               .values = new_array(room, sizeof *row->values, err) };
    if (!row->names || !row->values)
        return false;
    add_score(row, "epoch", epoch);
    for (int i = 0; i < COCO_FIGURES; i++)
        add_score(row, coco_figure_name(i), e->score.figures[i]);
    for (int i = 0; i < e->score.class_count; i++)
        add_score(row, e->score.classes[i].name, e->score.classes[i].ap);
    for (int i = 0; e->has_visdrone && i < VISDRONE_FIGURES; i++)
        add_score(row, visdrone_figure_column(i), e->visdrone.figures[i]);
    return true;
}

static bool append_score(struct run_log *r, int epoch, const struct evaluation *e, struct error *err)
{
    struct score_row row;
    bool fits = true;
    bool ok = make_row(&row, epoch, e, err) && csv_fits(r->eval, row.names, row.count, &fits, err);
    if (ok && !fits) {
        log_line(&r->log, "eval.csv has other columns than this run: it is renamed to eval.csv.old");
        ok = rename_old(r->eval, err);
    }
    ok = ok && csv_append(r->eval, row.names, row.values, row.count, err);
    free(row.names);
    free(row.values);
    return ok;
}

/* Logs the figures of a protocol after a title, and writes their events. */
static bool log_figures(struct run_log *r, long steps, const char *title, const char *(*name)(int),
                        const char *(*tag)(int), const double *figures, int count, struct error *err)
{
    char full[COCO_FIGURES][40];
    const char *list[COCO_FIGURES];
    struct strbuf line = {0};
    for (int i = 0; i < count; i++) {
        snprintf(full[i], sizeof full[i], "Val_metrics/%s", tag(i));
        list[i] = full[i];
        strbuf_addf(&line, "  %s ", name(i));
        report_figure(&line, 0, 4, figures[i]);
    }
    const bool ok = strbuf_check(&line, err);
    if (ok)
        log_line(&r->log, "%s%s", title, line.s);
    strbuf_free(&line);
    add_events(r, steps, list, figures, count);
    return ok;
}

bool run_log_score(struct run_log *r, int epoch, long steps, const struct evaluation *e, struct error *err)
{
    char title[60];
    snprintf(title, sizeof title, "epoch %d evaluated:", epoch);
    return log_figures(r, steps, title, coco_figure_name, coco_figure_name, e->score.figures, COCO_FIGURES, err)
        && (!e->has_visdrone
            || log_figures(r, steps, "VisDrone toolkit; the leaderboard ranks by this AP:", visdrone_figure_name,
                           visdrone_figure_column, e->visdrone.figures, VISDRONE_FIGURES, err))
        && append_score(r, epoch, e, err);
}

void run_log_show_score(struct run_log *r, const struct observed_score *score)
{
    if (r->observer)
        r->observer->on_score(r->observer->context, score);
}

/* ---- the end ---- */

enum { NAME_SIZE = 40 };

/* The name of an epoch's weights in its report. */
static void name_epoch(const struct run_log *r, int epoch, char name[NAME_SIZE])
{
    snprintf(name, NAME_SIZE, "epoch %d of %d", epoch, r->config->schedule.total_epochs);
}

static double figure_of(const cJSON *class, const char *name)
{
    double figure = -1;
    json_real(cJSON_GetObjectItem(class, name), &figure);
    return figure;
}

static bool log_class(struct run_log *r, const cJSON *class, struct error *err)
{
    const cJSON *name = cJSON_GetObjectItem(class, "name");
    struct strbuf line = {0};
    report_figure(&line, 8, 3, figure_of(class, "AP"));
    report_figure(&line, 8, 3, figure_of(class, "AP50"));
    report_figure(&line, 9, 0, figure_of(class, "objects"));
    report_figure(&line, 8, 3, figure_of(class, "F1"));
    report_figure(&line, 8, 3, figure_of(class, "threshold"));
    const bool ok = strbuf_check(&line, err);
    if (ok && cJSON_IsString(name))
        log_line(&r->log, "%s  %s", line.s, name->valuestring);
    strbuf_free(&line);
    return ok;
}

/* Logs the table of classes from report.json, unless that is absent or describes another epoch. */
static bool log_classes(struct run_log *r, int epoch, struct error *err)
{
    char name[NAME_SIZE];
    struct bytes text = {0};
    cJSON *json = NULL;
    bool ok = true;
    char *path = path_join(r->config->save_dir, "report.json", err);
    const enum path_kind kind = path ? path_kind(path, err) : PATH_ERROR;
    if (kind == PATH_FILE)
        ok = file_read(&text, path, err) && (json = json_parse((const char *)text.p, text.size, path, err));
    const cJSON *model = cJSON_GetObjectItem(json, "model"), *class;
    name_epoch(r, epoch, name);
    if (ok && cJSON_IsString(model) && strcmp(model->valuestring, name) == 0) {
        log_line(&r->log, "      AP    AP50  objects      F1   score  class");
        cJSON_ArrayForEach(class, cJSON_GetObjectItem(json, "per_class"))
            ok = ok && log_class(r, class, err);
    }
    cJSON_Delete(json);
    bytes_free(&text);
    free(path);
    return ok && kind != PATH_ERROR;
}

static bool log_files(struct run_log *r, struct error *err)
{
    static const char *const files[] = { "model_best/model_best.safetensors", "model_last.safetensors", "report.html",
                                         "report.json", "eval.csv", "metrics.csv", "curves.png",
                                         "train_batch0.jpg", "train.log", "config.yml" };
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

void run_log_report(struct run_log *r, int epoch, const struct evaluator *evaluator, const struct evaluation *e)
{
    const struct best_point *best = &e->curves.best;
    char name[NAME_SIZE];
    struct error err = {0};
    if (best->threshold >= 0)
        log_line(&r->log, "the best mean F1 is %.4f, for detections with scores above %.3f", best->of[CURVE_F1],
                 best->threshold);
    name_epoch(r, epoch, name);
    const bool ok = evaluation_report(evaluator, e, name, r->config->save_dir, &err);
    if (!ok && !r->report_failed)
        log_line(&r->log, "report.html is not written: %s", err.text);
    r->report_failed = r->report_failed || !ok;
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
