#include "report/chart.h"

#include "base/memory.h"
#include "base/path.h"
#include "base/sort.h"
#include "data/image.h"
#include "report/canvas.h"
#include "report/csv.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POINTS = 400, PAPER = 250 };             /* max points per curve; grey of the background */
static const uint32_t ink = 0x2b2f36ff, pale_ink = 0x6b7280ff, grid = 0xe3e6eaff, white = 0xffffffff;

static const struct curve { const char *column, *label; uint32_t colour; } loss_curves[] = {
    { "loss",          "total",    0x1f2937ff },
    { "loss_qfl",      "qfl",      0xe4572eff },
    { "loss_bbox",     "bbox",     0x2a78d6ff },
    { "loss_dfl",      "dfl",      0x2aa876ff },
    { "aux_loss_qfl",  "aux qfl",  0xf2a48cff },
    { "aux_loss_bbox", "aux bbox", 0x94c1f0ff },
    { "aux_loss_dfl",  "aux dfl",  0x94d8baff },
    {0} }, lr_curves[] = {
    { "lr",   "learning rate", 0x8e5bd0ff },
    {0} }, ap_curves[] = {
    { "AP",   "AP",   0x1f2937ff },
    { "AP50", "AP50", 0xe4572eff },
    { "AP75", "AP75", 0x2a78d6ff },
    { "APs",  "APs",  0xf0a830ff },
    { "APm",  "APm",  0x2aa876ff },
    { "APl",  "APl",  0x8e5bd0ff },
    {0} }, visdrone_curves[] = {
    { "AP",   "AP",   0x1f2937ff },
    { "AP50", "AP50", 0xe4572eff },
    { "APs",  "APs",  0xf0a830ff },
    { "APm",  "APm",  0x2aa876ff },
    { "APl",  "APl",  0x8e5bd0ff },
    { "visdrone_AP", "VisDrone AP", 0x2a78d6ff },
    {0} };

/* A table with the epoch of each row, and a panel of the chart. */
struct table { struct csv csv; double *epochs; };
struct panel { const char *title; double box[4]; const struct curve *curves; const struct table *table; };
struct axes { double x0, x1, y0, y1; };

static double value_at(const struct csv *t, int row, int column)
{
    return t->values[row * t->columns.count + column];
}

/* Rows are spaced evenly within their epoch.  The last epoch may be unfinished and counts as at least as long as the
 * one before.  With one row per epoch, the row is at its end. */
static bool place_rows(struct table *t, struct error *err)
{
    const int column = csv_column(&t->csv, "epoch");
    t->epochs = new_array((size_t)t->csv.rows, sizeof *t->epochs, err);
    if (!t->epochs)
        return false;
    int length = 1;
    for (int first = 0, end; first < t->csv.rows && column >= 0; first = end) {
        const double epoch = value_at(&t->csv, first, column);
        for (end = first + 1; end < t->csv.rows && value_at(&t->csv, end, column) == epoch; end++)
            ;
        if (end - first > length || end < t->csv.rows)
            length = end - first;
        for (int i = first; i < end; i++)
            t->epochs[i] = epoch - 1 + (double)(i + 1 - first) / length;
    }
    return true;
}

static bool table_read(struct table *t, const char *path, struct error *err)
{
    const enum path_kind kind = path_kind(path, err);
    return kind && (kind != PATH_FILE || (csv_read(&t->csv, path, err) && place_rows(t, err)));
}

static void table_free(struct table *t)
{
    csv_free(&t->csv);
    free(t->epochs);
}

/* The means of equal runs of rows, NaN left out; returns how many points there are. */
static int curve_points(const struct table *t, const struct curve *curve, double (*points)[2])
{
    const int column = csv_column(&t->csv, curve->column), run = (t->csv.rows + POINTS - 1) / POINTS;
    int count = 0;
    for (int first = 0; column >= 0 && first < t->csv.rows; first += run) {
        double sum[2] = {0};
        int n = 0;
        for (int i = first; i < first + run && i < t->csv.rows; i++) {
            const double v = value_at(&t->csv, i, column);
            if (!(fabs(v) < 1e30 && fabs(t->epochs[i]) < 1e9))
                continue;
            sum[0] += t->epochs[i];
            sum[1] += v;
            n++;
        }
        if (n) {
            points[count][0] = sum[0] / n;
            points[count++][1] = sum[1] / n;
        }
    }
    return count;
}

/* The largest of 1, 2, 5 times a power of ten that fits about `want` times into the range. */
static double nice_step(double range, int want)
{
    const double raw = range / want, power = pow(10, floor(log10(raw))), part = raw / power;
    return power * (part < 1.5 ? 1 : part < 3.5 ? 2 : part < 7.5 ? 5 : 10);
}

/* Axes for all curves.  High values at the start of a curve must not flatten the rest, so the top is at most three
 * times the 90th percentile. */
static struct axes fit_axes(const struct panel *p, double last_epoch, double (*points)[2])
{
    double high = 0, usual = 0, sorted[POINTS];
    for (const struct curve *c = p->curves; c->column; c++) {
        const int n = curve_points(p->table, c, points);
        for (int i = 0; i < n; i++) {
            sorted[i] = points[i][1];
            high = fmax(high, points[i][1]);
        }
        sort_doubles(sorted, n);
        if (n)
            usual = fmax(usual, sorted[n * 9 / 10]);
    }
    if (usual > 0)
        high = fmin(high, 3 * usual);
    if (!(high > 1e-30))
        high = 1;
    const double step = nice_step(high, 5);
    return (struct axes){ 0, last_epoch, 0, step * ceil(high / step) };
}

static double across(const struct panel *p, const struct axes *a, double x)
{
    return p->box[0] + p->box[2] * (x - a->x0) / (a->x1 - a->x0);
}

static double down(const struct panel *p, const struct axes *a, double y)
{
    return p->box[1] + p->box[3] * (1 - (fmax(a->y0, fmin(a->y1, y)) - a->y0) / (a->y1 - a->y0));
}

static void draw_axes(struct canvas *c, const struct panel *p, const struct axes *a)
{
    char text[40];
    const double left = p->box[0], top = p->box[1], right = left + p->box[2], bottom = top + p->box[3];
    const double step_y = nice_step(a->y1 - a->y0, 5), step_x = fmax(1, nice_step(a->x1 - a->x0, 8));
    canvas_fill(c, p->box, white);
    for (int i = 0; i * step_y < a->y1 * 1.0001; i++) {
        const double y = round(down(p, a, i * step_y));
        canvas_fill(c, (double[]){ left, y, p->box[2], 1 }, i ? grid : ink);
        snprintf(text, sizeof text, "%.4g", i * step_y);
        canvas_text(c, left - 8 - canvas_text_width(c, 13, text), y + 5, 13, pale_ink, text);
    }
    for (int i = 0; i * step_x < a->x1 * 1.0001; i++) {
        const double x = round(across(p, a, i * step_x));
        canvas_fill(c, (double[]){ x, top, 1, p->box[3] }, i ? grid : ink);
        snprintf(text, sizeof text, "%.4g", i * step_x);
        canvas_text(c, x - canvas_text_width(c, 13, text) / 2, bottom + 18, 13, pale_ink, text);
    }
    canvas_text(c, left, top - 12, 17, ink, p->title);
    canvas_text(c, right - canvas_text_width(c, 13, "epoch"), bottom + 34, 13, pale_ink, "epoch");
}

static void draw_curve(struct canvas *c, const struct panel *p, const struct axes *a, const struct curve *curve,
                       double (*points)[2], int count)
{
    for (int i = 0; i < count; i++) {
        points[i][0] = across(p, a, points[i][0]);
        points[i][1] = down(p, a, points[i][1]);
    }
    canvas_line(c, (const double (*)[2])points, count, curve == p->curves ? 2.4 : 1.6, curve->colour);
    for (int i = 0; i < count && count <= 40; i++)
        canvas_fill(c, (double[]){ points[i][0] - 2.5, points[i][1] - 2.5, 5, 5 }, curve->colour);
}

/* The legend is right-aligned in the line of the title. */
static void draw_panel(struct canvas *c, const struct panel *p, double last_epoch, double (*points)[2])
{
    const struct axes a = fit_axes(p, last_epoch, points);
    const struct curve *curve = p->curves;
    double x = p->box[0] + p->box[2];
    draw_axes(c, p, &a);
    while (curve->column)
        curve++;
    while (curve-- > p->curves) {                               /* the first, and most important, on top */
        const int count = curve_points(p->table, curve, points);
        bool any = false;
        for (int i = 0; i < count; i++)
            any = any || points[i][1] > 0;                      /* APs is -1 where there are no small objects */
        if (!any)
            continue;
        draw_curve(c, p, &a, curve, points, count);
        x -= canvas_text_width(c, 13, curve->label);
        canvas_text(c, x, p->box[1] - 12, 13, ink, curve->label);
        x -= 20;
        canvas_fill(c, (double[]){ x, p->box[1] - 18, 14, 4 }, curve->colour);
        x -= 16;
    }
}

static bool draw_chart(const char *path, const struct table *metrics, const struct table *eval, struct error *err)
{
    const bool visdrone = csv_column(&eval->csv, "visdrone_AP") >= 0;
    const struct panel panels[] = {
        { "Loss",              { 70,  60, 720, 690 }, loss_curves, metrics },
        { "Score",             { 880,  60, 480, 380 }, visdrone ? visdrone_curves : ap_curves, eval },
        { "Learning rate",     { 880, 540, 480, 210 }, lr_curves, metrics } };
    double points[POINTS][2], last_epoch = 1;
    const struct table *const tables[] = { metrics, eval };
    for (int t = 0; t < 2; t++)
        for (int i = 0; i < tables[t]->csv.rows; i++)
            if (tables[t]->epochs[i] < 1e9)                     /* so written, NaN is left out */
                last_epoch = fmax(last_epoch, ceil(tables[t]->epochs[i]));
    struct image paper = {0};
    struct canvas c = {0};
    bool ok = image_new(&paper, CHART_WIDTH, CHART_HEIGHT, err);
    if (ok) {
        memset(paper.p, PAPER, (size_t)CHART_WIDTH * CHART_HEIGHT * 3);
        ok = canvas_open(&c, paper.p, CHART_WIDTH, CHART_HEIGHT, NULL, err);
    }
    for (int i = 0; ok && i < 3; i++)
        draw_panel(&c, &panels[i], last_epoch, points);
    ok = ok && image_write_png(&paper, path, err);
    canvas_close(&c);
    image_free(&paper);
    return ok;
}

bool chart_write(const char *path, const char *metrics, const char *eval, struct error *err)
{
    struct table tables[2] = {0};
    const bool ok = table_read(&tables[0], metrics, err) && table_read(&tables[1], eval, err)
                 && draw_chart(path, &tables[0], &tables[1], err);
    table_free(&tables[0]);
    table_free(&tables[1]);
    return ok;
}
