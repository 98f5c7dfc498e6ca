#include "eval/test_report.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/path.h"
#include "eval/report_images.h"
#include "report/html.h"
#include "report/html_chart.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { NAMED_LINES = 8, LINES = 100, STEP = 10, POINTS = CURVE_POINTS / STEP };        /* STEP: of thresholds drawn */

/* ---- the score ---- */

enum { FIGURE_SIZE = 24 };

/* A dash where it is undefined, below 0. */
static const char *figure_text(char out[FIGURE_SIZE], int decimals, double figure)
{
    snprintf(out, FIGURE_SIZE, "%.*f", decimals, figure);
    return figure < 0 ? "–" : out;
}

static void add_overview(struct strbuf *page, const struct test_report *r, const struct analysis *a)
{
    const struct best_point *best = &r->curves->best;
    const struct { const char *name; int decimals; double value; } rows[] = {
        { "AP", 3, r->score->figures[COCO_AP] },   { "AP50", 3, r->score->figures[COCO_AP50] },
        { "AP75", 3, r->score->figures[COCO_AP75] }, { "best mean F1", 3, best->of[CURVE_F1] },
        { "at scores above", 3, best->threshold },  { "images", 0, r->gt->image_count },
        { "objects", 0, a->objects } };
    enum { ROWS = sizeof rows / sizeof *rows };
    char texts[ROWS][FIGURE_SIZE];
    struct html_figure figures[ROWS];
    for (int i = 0; i < ROWS; i++)
        figures[i] = (struct html_figure){ rows[i].name, figure_text(texts[i], rows[i].decimals, rows[i].value) };
    html_paragraph(page, "Model: %s. Data: %s. Input: %d x %d.", r->model, r->data, r->input[0], r->input[1]);
    html_figures(page, figures, ROWS);
    if (best->threshold >= 0)
        html_paragraph(page, "AP is the mean average precision at IoU thresholds from 0.50 to 0.95, by the rules of "
                       "COCO. F1 balances precision and recall; its mean over the classes is largest if detections "
                       "with scores above %.3f are shown (predict --score %.3f).", best->threshold, best->threshold);
    else
        html_paragraph(page, "No detection finds an object, so no score threshold is best.");
}

static void add_absent(struct strbuf *page, const struct test_report *r, int absent)
{
    enum { NAMES = 40 };
    struct strbuf names = {0};
    int n = 0;
    for (int i = 0; i < r->score->class_count && n < NAMES; i++)
        if (r->curves->classes[i].objects == 0)
            strbuf_addf(&names, "%s%s", n++ ? ", " : "", r->score->classes[i].name);
    html_paragraph(page, "The data has no objects of %d class%s: %s%s.", absent, absent == 1 ? "" : "es",
                   names.s ? names.s : "", n < absent ? " ..." : "");
    page->failed = page->failed || names.failed;
    strbuf_free(&names);
}

static void add_classes(struct strbuf *page, const struct test_report *r)
{
    static const struct html_column columns[] = {
        { "class", true }, { "objects", false }, { "AP", false }, { "AP50", false }, { "AP small", false },
        { "AP medium", false }, { "AP large", false }, { "best F1", false }, { "at scores above", false },
        { "precision", false }, { "recall", false } };
    int absent = 0;
    html_heading(page, "Classes");
    html_table(page, "Scores per class; precision and recall are those of the best F1. A dash: undefined.", columns,
               sizeof columns / sizeof *columns);
    for (int i = 0; i < r->score->class_count; i++) {
        const struct coco_class *c = &r->score->classes[i];
        const struct class_curve *curve = &r->curves->classes[i];
        if (curve->objects == 0) {
            absent++;
            continue;
        }
        html_row(page, c->name);
        html_cell(page, "%d", curve->objects);
        html_shaded_cell(page, 0.75 * c->ap, "%.3f", c->ap);
        html_shaded_cell(page, 0.75 * c->ap50, "%.3f", c->ap50);
        for (int size = 0; size < OBJECT_SIZES; size++)
            html_figure_cell(page, 3, c->figures[COCO_APS + size]);
        html_figure_cell(page, 3, curve->best.of[CURVE_F1]);
        html_figure_cell(page, 3, curve->best.threshold);
        html_figure_cell(page, 3, curve->best.of[CURVE_PRECISION]);
        html_figure_cell(page, 3, curve->best.of[CURVE_RECALL]);
        html_row_end(page);
    }
    html_table_end(page);
    if (absent)
        add_absent(page, r, absent);
}

static void add_visdrone(struct strbuf *page, const struct visdrone_score *score)
{
    const struct html_column columns[] = { { "score", true }, { "mean over images", false },
                                           { "mean over classes", false } };
    html_heading(page, "Score of the VisDrone toolkit");
    html_table(page, "500 detections per image; the leaderboard ranks by the AP over images.", columns, 3);
    for (int i = 0; i < VISDRONE_FIGURES; i++) {
        html_row(page, visdrone_figure_name(i));
        html_figure_cell(page, 3, score->figures[i]);
        html_figure_cell(page, 3, score->class_mean[i]);
        html_row_end(page);
    }
    html_table_end(page);
}

/* ---- errors ---- */

static void add_errors(struct strbuf *page, const struct tide *t)
{
    static const struct html_column columns[] = {
        { "error", true }, { "what happens", true }, { "count", false }, { "costs AP50", false } };
    char texts[TIDE_ERRORS][FIGURE_SIZE];
    struct html_bar bars[TIDE_ERRORS];
    html_heading(page, "Errors");
    html_paragraph(page, "Each cost says how much AP50 (%.3f here) would grow if the errors of that kind were "
                   "corrected and all others stayed (TIDE, Bolya et al. 2020). An object is found at an IoU of 0.5; "
                   "the first 100 detections of an image count, with any score. Without any false positive AP50 would "
                   "grow by %.3f, without any missed object by %.3f.", t->ap50, t->false_positives, t->false_negatives);
    html_columns(page);
    html_table(page, "Kinds of errors", columns, sizeof columns / sizeof *columns);
    for (int e = 0; e < TIDE_ERRORS; e++) {
        const char *name = tide_error_name((enum tide_error)e);
        bars[e] = (struct html_bar){ name, t->errors[e].cost, figure_text(texts[e], 3, t->errors[e].cost) };
        html_row(page, name);
        html_text_cell(page, tide_error_meaning((enum tide_error)e));
        html_cell(page, "%d", t->errors[e].count);
        html_figure_cell(page, 3, t->errors[e].cost);
        html_row_end(page);
    }
    html_table_end(page);
    html_bar_chart(page, "AP50 lost to each kind of error", bars, TIDE_ERRORS);
    html_columns_end(page);
}

/* ---- curves ---- */

/* A line per class with objects, named if they are few, and one for the mean. */
struct lines { struct html_line *list; double *y; int count; };

static bool lines_open(struct lines *l, int classes, int points, struct error *err)
{
    *l = (struct lines){ .list = new_array((size_t)classes + 1, sizeof *l->list, err) };
    l->y = l->list ? new_array((size_t)(classes + 1) * (size_t)points, sizeof *l->y, err) : NULL;
    return l->y != NULL;
}

static void lines_free(struct lines *l)
{
    free(l->list);
    free(l->y);
}

static void lines_add(struct lines *l, const char *name, bool strong, const double *x, const double *y, int points,
                      int step)
{
    double *copy = l->y + (ptrdiff_t)l->count * points;
    for (int i = 0; i < points; i++)
        copy[i] = y[(ptrdiff_t)i * step];
    l->list[l->count++] = (struct html_line){ name, x, copy, points, strong };
}

/* Classes whose lines are drawn: those with objects, none if they are too many. */
static int drawn_classes(const struct test_report *r)
{
    int n = 0;
    for (int i = 0; i < r->curves->class_count; i++)
        n += r->curves->classes[i].objects > 0;
    return n <= LINES ? n : 0;
}

static bool add_threshold_chart(struct strbuf *page, const struct test_report *r, enum curve_kind kind,
                                struct error *err)
{
    const int drawn = drawn_classes(r);
    static const char *const titles[CURVE_KINDS] = { "Precision by score threshold", "Recall by score threshold",
                                                     "F1 by score threshold" };
    const struct html_axes axes = { titles[kind], "score above which detections count", curve_name(kind), 1, 1,
                                    fmax(r->curves->best.threshold, 0) };
    double x[POINTS];
    struct lines l;
    const bool ok = lines_open(&l, drawn, POINTS, err);
    for (int i = 0; i < POINTS; i++)
        x[i] = curve_threshold(i * STEP);
    for (int i = 0; ok && drawn && i < r->curves->class_count; i++)
        if (r->curves->classes[i].objects)
            lines_add(&l, drawn <= NAMED_LINES ? r->score->classes[i].name : NULL, false, x,
                      r->curves->classes[i].curve.of[kind], POINTS, STEP);
    if (ok) {
        lines_add(&l, "mean over the classes", true, x, r->curves->mean.of[kind], POINTS, STEP);
        html_line_chart(page, &axes, l.list, l.count);
    }
    lines_free(&l);
    return ok;
}

static bool add_recall_chart(struct strbuf *page, const struct test_report *r, struct error *err)
{
    const struct html_axes axes = { "Precision by recall", "recall", "precision", 1, 1, 0 };
    const int drawn = drawn_classes(r);
    double x[COCO_RECALLS], mean[COCO_RECALLS] = {0};
    int objects = 0;
    struct lines l;
    const bool ok = lines_open(&l, drawn, COCO_RECALLS, err);
    for (int i = 0; i < COCO_RECALLS; i++)
        x[i] = (double)i / (COCO_RECALLS - 1);
    for (int i = 0; ok && i < r->score->class_count; i++) {
        const struct coco_class *c = &r->score->classes[i];
        if (!r->curves->classes[i].objects)
            continue;
        objects++;
        for (int k = 0; k < COCO_RECALLS; k++)
            mean[k] += c->precision[0][k];
        if (drawn)
            lines_add(&l, drawn <= NAMED_LINES ? c->name : NULL, false, x, c->precision[0], COCO_RECALLS, 1);
    }
    for (int k = 0; k < COCO_RECALLS; k++)
        mean[k] = objects ? mean[k] / objects : -1;
    if (ok) {
        lines_add(&l, "mean over the classes", true, x, mean, COCO_RECALLS, 1);
        html_line_chart(page, &axes, l.list, l.count);
    }
    lines_free(&l);
    return ok;
}

static bool add_curves(struct strbuf *page, const struct test_report *r, struct error *err)
{
    html_heading(page, "Precision, recall and F1");
    html_paragraph(page, "At an IoU of 0.5. A higher threshold shows fewer wrong detections (precision) and finds "
                   "fewer objects (recall). The dashed line is the threshold of the best mean F1.");
    html_columns(page);
    bool ok = true;
    for (int kind = CURVE_KINDS - 1; ok && kind >= 0; kind--)
        ok = add_threshold_chart(page, r, (enum curve_kind)kind, err);
    ok = ok && add_recall_chart(page, r, err);
    html_columns_end(page);
    return ok;
}

/* ---- sizes and calibration ---- */

static void add_sizes(struct strbuf *page, const struct test_report *r, const struct analysis *a)
{
    static const struct html_column columns[] = {
        { "objects", true }, { "area", true }, { "count", false }, { "AP", false }, { "recall (AR)", false } };
    char texts[OBJECT_SIZES][FIGURE_SIZE];
    struct html_bar bars[OBJECT_SIZES];
    html_heading(page, "Sizes of objects");
    html_columns(page);
    html_table(page, "Scores by the size of objects in the image", columns, sizeof columns / sizeof *columns);
    for (int i = 0; i < OBJECT_SIZES; i++) {
        const double ap = r->score->figures[COCO_APS + i];
        bars[i] = (struct html_bar){ object_size_name(i), ap, figure_text(texts[i], 3, ap) };
        html_row(page, object_size_name(i));
        html_text_cell(page, object_size_range(i));
        html_cell(page, "%d", a->objects_of[i]);
        html_figure_cell(page, 3, ap);
        html_figure_cell(page, 3, r->score->figures[COCO_ARS + i]);
        html_row_end(page);
    }
    html_table_end(page);
    html_bar_chart(page, "AP by size", bars, OBJECT_SIZES);
    html_columns_end(page);
}

static void add_calibration(struct strbuf *page, const struct calibration *c)
{
    static const struct html_column columns[] = {
        { "scores", true }, { "detections", false }, { "mean score", false }, { "fraction right", false } };
    static const double diagonal[] = { 0, 1 };
    const struct html_axes axes = { "Calibration", "mean score", "fraction right", 1, 1, 0 };
    double score[CALIBRATION_BINS], right[CALIBRATION_BINS];
    char range[40];
    html_heading(page, "Calibration");
    if (c->error < 0) {
        html_paragraph(page, "There are no detections.");
        return;
    }
    html_paragraph(page, "If scores were probabilities, 70 %% of the detections with a score of 0.7 would be right, "
                   "and the curve would be the diagonal. The expected calibration error, the mean distance from it "
                   "over the detections, is %.3f.", c->error);
    html_columns(page);
    html_table(page, "Detections by score", columns, sizeof columns / sizeof *columns);
    for (int i = 0; i < CALIBRATION_BINS; i++) {
        const struct calibration_bin *b = &c->bins[i];
        score[i] = b->count ? b->score : 0;
        right[i] = b->right;
        snprintf(range, sizeof range, "%.1f to %.1f", (double)i / CALIBRATION_BINS, (i + 1.0) / CALIBRATION_BINS);
        html_row(page, range);
        html_cell(page, "%d", b->count);
        html_figure_cell(page, 3, b->score);
        html_figure_cell(page, 3, b->right);
        html_row_end(page);
    }
    html_table_end(page);
    const struct html_line lines[] = { { NULL, diagonal, diagonal, 2, false },
                                       { "detections", score, right, CALIBRATION_BINS, true } };
    html_line_chart(page, &axes, lines, 2);
    html_columns_end(page);
}

/* ---- the whole ---- */

bool test_report_page(const struct test_report *r, const struct analysis *a, struct strbuf *page, struct error *err)
{
    html_begin(page, "Test report");
    add_overview(page, r, a);
    add_classes(page, r);
    if (r->visdrone)
        add_visdrone(page, r->visdrone);
    add_errors(page, &a->tide);
    const bool ok = add_curves(page, r, err) && report_confusion(page, r, a, err);
    add_sizes(page, r, a);
    add_calibration(page, &a->calibration);
    if (!ok || !report_images(page, r, a, err))
        return false;
    html_end(page);
    return strbuf_check(page, err);
}

bool test_report_write(const struct test_report *r, const char *folder, struct error *err)
{
    struct analysis a = {0};
    struct strbuf page = {0}, json = {0};
    const bool ok = analysis_find(&a, r->gt, r->dets, r->outcomes, r->curves, err)
                 && test_report_json(r, &a, &json, err) && test_report_page(r, &a, &page, err)
                 && make_folders(folder, err) && file_write_in(folder, "report.json", json.s, json.size, err)
                 && file_write_in(folder, "report.html", page.s, page.size, err);
    strbuf_free(&page);
    strbuf_free(&json);
    analysis_free(&a);
    return ok;
}
