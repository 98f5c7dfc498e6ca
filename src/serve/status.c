#include "serve/status.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text_file.h"
#include "eval/coco_eval.h"
#include "nanodet.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void status_free(struct run_status *s)
{
    for (int i = 0; i < PICTURES; i++)
        picture_free(&s->pictures[i]);
    strbuf_free(&s->score_json);
    strbuf_free(&s->score_metrics);
    free(s->class_ap);
    *s = (struct run_status){0};
}

/* ---- numbers, which both documents have ---- */

struct number { const char *name, *help; double value; };       /* not finite: unknown */
enum { NUMBERS = STEP_COLUMNS + 16, DIGITS = 10 };

static double known(bool is_known, double v) { return is_known ? v : NAN; }

/* Returns how many. */
static int list_numbers(const struct run_status *s, struct number list[NUMBERS])
{
    const double left = s->step.seconds_left;
    const struct number rest[] = {
        { "epochs", "Epochs of the run", s->config->schedule.total_epochs },
        { "batch", "Batches done in the epoch", known(s->step.count, s->step.batch) },
        { "batches", "Batches per epoch", known(s->step.count, s->step.batches) },
        { "seconds_running", "Seconds since the start of the program", clock_seconds() - s->start },
        { "seconds_left", "Estimate of the seconds until the end of the run",
          known(s->step.count && left >= 0 && left < 1e8, left) },
        { "evaluated_images", "Images done in the last evaluation", known(s->to_evaluate, s->evaluated) },
        { "evaluation_images", "Images per evaluation", known(s->to_evaluate, s->to_evaluate) },
        { "evaluated_epoch", "Epoch of the last evaluation", known(s->score_epoch, s->score_epoch) },
        { "best_epoch", "Epoch with the best score", known(s->best_epoch, s->best_epoch) },
        { "best_score", "Best score", known(s->best_epoch && s->best >= 0, s->best) },
        { "shown_score", "Detections are drawn if their score exceeds it", s->config->shown_score },
        { "updated", "Time of this state, in seconds since 1970", (double)time(NULL) } };
    int count = 0;
    for (int i = 0; i < s->step.count; i++)
        list[count++] = (struct number){ s->step.columns[i], "As in metrics.csv", s->row[i] };
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++)
        list[count++] = rest[i];
    return count;
}

/* ---- JSON ---- */

static void add_class(struct strbuf *out, const struct coco_class *c, double change)
{
    strbuf_addf(out, "{\"name\":");
    json_add_string(out, c->name);
    strbuf_addf(out, ",\"AP\":%.6g,\"AP50\":%.6g,\"change\":", c->ap, c->ap50);
    json_add_number(out, change, 6);
    strbuf_addf(out, "}");
}

/* class_ap: that of each class in the evaluation before; NULL: there was none. */
static void make_score_json(struct strbuf *out, const struct observed_score *o, const double *class_ap)
{
    const struct evaluation *e = o->evaluation;
    strbuf_addf(out, "{\"figures\":{");
    for (int i = 0; i < COCO_FIGURES; i++)
        strbuf_addf(out, "%s\"%s\":%.6g", i ? "," : "", coco_figure_name(i), e->score.figures[i]);
    for (int i = 0; e->has_visdrone && i < VISDRONE_FIGURES; i++)
        strbuf_addf(out, ",\"%s\":%.6g", visdrone_figure_column(i), e->visdrone.figures[i]);
    strbuf_addf(out, "},\n\"per_class\":[");
    for (int i = 0; i < e->score.class_count; i++) {
        const struct coco_class *c = &e->score.classes[i];
        strbuf_addf(out, i ? ",\n" : "");
        add_class(out, c, class_ap && c->ap >= 0 && class_ap[i] >= 0 ? c->ap - class_ap[i] : NAN);
    }
    strbuf_addf(out, "]}");
}

void status_json(const struct run_status *s, struct strbuf *out)
{
    static const char *const phases[] = { "starting", "training", "evaluating", "ended" };
    struct number list[NUMBERS];
    const int count = list_numbers(s, list);
    strbuf_addf(out, "{\"version\":\"%s\",\"state\":\"%s\",\"save_dir\":", NANODET_VERSION, phases[s->phase]);
    json_add_string(out, s->config->save_dir);
    strbuf_addf(out, ",\"best_figure\":\"%s\"", save_key_figure(s->config->save_key));
    for (int i = 0; i < count; i++) {
        strbuf_addf(out, ",\n\"%s\":", list[i].name);
        json_add_number(out, list[i].value, DIGITS);
    }
    strbuf_addf(out, ",\n\"score\":%s,\n\"images\":[", s->score_json.s ? s->score_json.s : "null");
    for (int i = 0; i < s->picture_count; i++) {
        const char *picture = s->pictures[i].json.s;
        strbuf_addf(out, "%s%s", i ? ",\n" : "", picture ? picture : "null");
    }
    strbuf_addf(out, "]}\n");
    out->failed = out->failed || s->score_json.failed;
}

/* ---- metrics ---- */

static void add_family(struct strbuf *out, const char *name, const char *help)
{
    strbuf_addf(out, "# HELP nanodet_%s %s.\n# TYPE nanodet_%s gauge\n", name, help, name);
}

/* A value of Prometheus' text format: UTF-8, with these characters escaped. */
static void add_label(struct strbuf *out, const char *text)
{
    struct strbuf utf8 = {0};
    strbuf_add_utf8(&utf8, text, strlen(text));
    out->failed = out->failed || utf8.failed;
    for (const char *c = utf8.s; c && *c; c++)
        if (*c == '\n')
            strbuf_addf(out, "\\n");
        else
            strbuf_addf(out, *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
    strbuf_free(&utf8);
}

static void add_class_ap(struct strbuf *out, const struct coco_score *score, bool at_50)
{
    const char *name = at_50 ? "class_ap50" : "class_ap";
    add_family(out, name, at_50 ? "AP50 of a class" : "AP of a class");
    for (int i = 0; i < score->class_count; i++) {
        const double ap = at_50 ? score->classes[i].ap50 : score->classes[i].ap;
        if (ap < 0)
            continue;
        strbuf_addf(out, "nanodet_%s{class=\"", name);
        add_label(out, score->classes[i].name);
        strbuf_addf(out, "\"} %.6g\n", ap);
    }
}

static void add_figures(struct strbuf *out, const char *(*name)(int), const double *figures, int count)
{
    for (int i = 0; i < count; i++)
        if (figures[i] >= 0)
            strbuf_addf(out, "nanodet_score{figure=\"%s\"} %.6g\n", name(i), figures[i]);
}

static void make_score_metrics(struct strbuf *out, const struct evaluation *e)
{
    add_family(out, "score", "Figures of the last evaluation, 0 to 1");
    add_figures(out, coco_figure_name, e->score.figures, COCO_FIGURES);
    if (e->has_visdrone)
        add_figures(out, visdrone_figure_column, e->visdrone.figures, VISDRONE_FIGURES);
    add_class_ap(out, &e->score, false);
    add_class_ap(out, &e->score, true);
}

void status_metrics(const struct run_status *s, struct strbuf *out)
{
    struct number list[NUMBERS];
    const int count = list_numbers(s, list);
    for (int i = 0; i < count; i++)
        if (isfinite(list[i].value)) {
            add_family(out, list[i].name, list[i].help);
            strbuf_addf(out, "nanodet_%s %.*g\n", list[i].name, DIGITS, list[i].value);
        }
    if (s->score_metrics.s)
        strbuf_addf(out, "%s", s->score_metrics.s);
    out->failed = out->failed || s->score_metrics.failed;
}

/* ---- an evaluation ---- */

void status_set_score(struct run_status *s, const struct observed_score *o)
{
    const struct coco_score *score = &o->evaluation->score;
    double *class_ap = new_array((size_t)score->class_count, sizeof *class_ap, NULL);
    for (int i = 0; class_ap && i < score->class_count; i++)
        class_ap[i] = score->classes[i].ap;
    strbuf_free(&s->score_json);
    strbuf_free(&s->score_metrics);
    make_score_json(&s->score_json, o, s->class_ap);
    make_score_metrics(&s->score_metrics, o->evaluation);
    free(s->class_ap);
    s->class_ap = class_ap;
    s->score_epoch = o->epoch;
    s->best_epoch = o->best_epoch;
    s->best = o->best;
}
