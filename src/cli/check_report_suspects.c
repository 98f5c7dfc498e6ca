/* cli/check_report_suspects.c -- the part of check's page about labels that a model disputes, and suspects.json. */
#include "base/file.h"
#include "base/json.h"
#include "base/min_max.h"
#include "base/path.h"
#include "cli/check_report.h"
#include "cli/session.h"
#include "report/html.h"
#include "runtime/detect_set.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN = 8, LISTED = 100, SIDE = 280 };

static const char *class_name(const struct data_report *r, int class)
{
    return class < 0 ? "nothing" : r->config->class_names.at[class];
}

static int class_of_label(const struct report_set *s, const struct suspect *x)
{
    return x->annotation < 0 ? -1 : s->label[s->data->annotations[x->annotation].category];
}

/* "RBC at another place", for people. */
static void describe(const struct data_report *r, const struct report_set *s, const struct suspect *x, char *out,
                     size_t size)
{
    const char *label = class_name(r, class_of_label(s, x)), *seen = class_name(r, x->class);
    if (x->kind == SUSPECT_MISSING)
        snprintf(out, size, "%s without a label", seen);
    else if (x->kind == SUSPECT_DOUBLED)
        snprintf(out, size, "%s on top of %s", label, seen);
    else if (x->kind == SUSPECT_CLASS)
        snprintf(out, size, "%s, looks like %s", label, seen);
    else
        snprintf(out, size, x->class < 0 ? "%s, nothing is seen there" : "%s, seen elsewhere", label);
}

/* ---- images ---- */

/* The part of an image around both boxes, and where it begins. */
static bool cut_out(struct image *out, const struct image *image, const double a[4], const double b[4], int at[2],
                    struct error *err)
{
    const double left = fmin(a[0], b[0]), right = fmax(a[0] + a[2], b[0] + b[2]);
    const double top = fmin(a[1], b[1]), bottom = fmax(a[1] + a[3], b[1] + b[3]);
    const double side = fmax(fmax(right - left, bottom - top) * 2, 64);
    const int width = min_int((int)fmin(side, IMAGE_SIDE), image->width);
    const int height = min_int((int)fmin(side, IMAGE_SIDE), image->height);
    at[0] = (int)fmin(fmax((left + right - width) / 2, 0), image->width - width);
    at[1] = (int)fmin(fmax((top + bottom - height) / 2, 0), image->height - height);
    if (!image_new(out, width, height, err))
        return false;
    for (int y = 0; y < height; y++)
        memcpy(out->p + 3 * (ptrdiff_t)y * width,
               image->p + 3 * ((ptrdiff_t)(at[1] + y) * image->width + at[0]), 3 * (size_t)width);
    return true;
}

static struct html_box box_at(const double box[4], const int at[2], enum html_box_kind kind)
{
    return (struct html_box){ { box[0] - at[0], box[1] - at[1], box[2], box[3] }, kind, NULL };
}

static bool show_suspect(const struct data_report *r, const struct report_set *s, const struct suspect *x, int rank,
                         struct strbuf *page, struct error *err)
{
    struct image image = {0}, part = {0};
    struct error why = {0};
    struct html_box boxes[2];
    char caption[700], what[400];
    int at[2], count = 0;
    const double *label = x->annotation < 0 ? NULL : s->data->annotations[x->annotation].box;
    const double *seen = x->class < 0 ? NULL : x->box;
    if (!read_report_image(&image, s, x->image, &why))
        return !why.exit || fail(err, "%s", why.text);
    bool ok = cut_out(&part, &image, label ? label : seen, seen ? seen : label, at, err);
    describe(r, s, x, what, sizeof what);
    snprintf(caption, sizeof caption, "%d. %s (%s)", rank, what, s->data->images[x->image].file);
    if (ok && seen)
        boxes[count++] = box_at(seen, at, x->kind == SUSPECT_MISSING ? BOX_MISSED : BOX_RIGHT);
    if (ok && label)
        boxes[count++] = box_at(label, at, BOX_WRONG);
    const struct html_view view = { caption, what, boxes, count };
    ok = ok && html_image(page, &part, SIDE, &view, 1, err);
    image_free(&part);
    image_free(&image);
    return ok;
}

/* The first suspects of a kind. */
static bool show_kind(const struct data_report *r, const struct report_set *s, const struct suspects *found,
                      enum suspect_kind kind, struct strbuf *page, struct error *err)
{
    static const char *const titles[SUSPECT_KINDS] = {
        [SUSPECT_DOUBLED] = "Labels on top of others", [SUSPECT_CLASS] = "Labels of another class than seen",
        [SUSPECT_BOX] = "Labels at places where the model sees no such object",
        [SUSPECT_MISSING] = "Objects without a label" };
    bool ok = true;
    int shown = 0;
    for (int i = 0; ok && shown < SHOWN && i < found->count && found->list[i].suspicion > 0; i++) {
        if (found->list[i].kind != kind)
            continue;
        if (shown++ == 0) {
            html_paragraph(page, "%s, %s, with their ranks:", titles[kind], s->section);
            html_gallery(page);
        }
        ok = show_suspect(r, s, &found->list[i], i + 1, page, err);
    }
    if (shown)
        html_columns_end(page);
    return ok;
}

static void table_suspects(const struct data_report *r, const struct report_set *s, const struct suspects *found,
                           struct strbuf *page)
{
    static const struct html_column columns[] = { { "image", true }, { "suspicion", false }, { "kind", true },
                                                  { "label", true }, { "box", false } };
    char caption[120];
    snprintf(caption, sizeof caption, "%s: the first %d of %d", s->section, min_int(found->count, LISTED),
             found->count);
    html_table(page, caption, columns, 5);
    for (int i = 0; i < found->count && i < LISTED; i++) {
        const struct suspect *x = &found->list[i];
        const double *box = x->annotation < 0 ? x->box : s->data->annotations[x->annotation].box;
        char what[400];
        describe(r, s, x, what, sizeof what);
        html_row(page, s->data->images[x->image].file);
        html_shaded_cell(page, x->suspicion, "%.2f", x->suspicion);
        html_text_cell(page, suspect_names[x->kind]);
        html_text_cell(page, what);
        html_cell(page, "%.0f, %.0f, %.0f x %.0f", box[0], box[1], box[2], box[3]);
        html_row_end(page);
    }
    html_table_end(page);
}

/* ---- suspects.json ---- */

static void add_text(struct strbuf *out, const char *name, const char *text)
{
    strbuf_addf(out, ", \"%s\": ", name);
    json_add_string(out, text);
}

static void add_box(struct strbuf *out, const char *name, const double b[4])
{
    strbuf_addf(out, ", \"%s\": [%.17g, %.17g, %.17g, %.17g]", name, b[0], b[1], b[2], b[3]);
}

static void add_record(const struct data_report *r, const struct report_set *s, const struct suspect *x,
                       struct strbuf *out)
{
    const struct annotation *a = x->annotation < 0 ? NULL : &s->data->annotations[x->annotation];
    strbuf_addf(out, "%s{\"set\": \"%s\", \"kind\": \"%s\", \"suspicion\": %.17g", out->size ? ",\n" : "", s->section,
                suspect_names[x->kind], x->suspicion);
    add_text(out, "file", s->data->images[x->image].file);
    if (a) {
        strbuf_addf(out, ", \"annotation\": %" PRId64, a->id);
        if (a->line)
            strbuf_addf(out, ", \"line\": %d", a->line);
        add_box(out, "bbox", a->box);
        add_text(out, "category_name", class_name(r, class_of_label(s, x)));
    }
    if (x->class >= 0) {
        add_box(out, "seen_bbox", x->box);
        add_text(out, "seen_category_name", class_name(r, x->class));
        strbuf_addf(out, ", \"score\": %.17g", x->score);
    }
    strbuf_addf(out, "}");
}

static bool write_records(const struct data_report *r, const struct strbuf *records, struct error *err)
{
    struct strbuf text = {0};
    strbuf_addf(&text, "[");
    strbuf_add(&text, records->s, records->size);
    strbuf_addf(&text, "]\n");
    const bool ok = strbuf_check(records, err) && strbuf_check(&text, err)
                 && file_write_in(r->folder, "suspects.json", text.s, text.size, err);
    strbuf_free(&text);
    return ok;
}

/* ---- all ---- */

static void show_done(void *before, int images, int all)
{
    show_progress(*(int *)before, images, all);
    *(int *)before = images;
}

static bool find_in_set(const struct data_report *r, const struct report_set *s, struct detector *detector,
                        struct suspects *found, struct error *err)
{
    int before = 0;
    const struct set_progress progress = { show_done, &before };
    struct detections detections = {0};
    const bool ok = detect_set(&detections, detector, s->data, s->config->img_path, &progress, err)
                 && find_suspects(found, s->data, s->label, r->config->class_names.count, &detections, err);
    detections_free(&detections);
    return ok;
}

static bool report_set_suspects(const struct data_report *r, const struct report_set *s, struct detector *detector,
                                struct strbuf *records, struct strbuf *page, struct error *err)
{
    struct suspects found = {0};
    bool ok = find_in_set(r, s, detector, &found, err);
    for (int kind = 0; ok && kind < SUSPECT_KINDS; kind++)
        ok = show_kind(r, s, &found, (enum suspect_kind)kind, page, err);
    if (ok)
        table_suspects(r, s, &found, page);
    for (int i = 0; ok && i < found.count; i++)
        add_record(r, s, &found.list[i], records);
    suspects_free(&found);
    return ok;
}

bool report_suspects(const struct data_report *r, struct strbuf *page, struct error *err)
{
    struct detector detector = {0};
    struct strbuf records = {0};
    bool ok = detector_init(&detector, r->model, r->model->params.value, r->policy, err);
    html_heading(page, "Labels that the model disputes");
    html_paragraph(page, "The most suspicious labels first, by the weights %s. Red: the label. Green: what the model "
                   "sees. Yellow, dashed: an object without a label. suspects.json has all of them.", r->weights);
    for (int k = 0; ok && k < 2; k++)
        ok = !r->sets[k].label || report_set_suspects(r, &r->sets[k], &detector, &records, page, err);
    ok = ok && write_records(r, &records, err);
    detector_free(&detector);
    strbuf_free(&records);
    return ok;
}
