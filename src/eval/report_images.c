#include "eval/report_images.h"

#include "base/escape.h"
#include "base/memory.h"
#include "base/min_max.h"
#include "base/path.h"
#include "report/html.h"
#include "report/html_chart.h"
#include <stdio.h>
#include <stdlib.h>

/* ---- the confusion matrix ---- */

enum { TABLE_CLASSES = 16, MAP_CLASSES = 100, CONFUSIONS = 20 };
static const char background[] = "background";

static const char *class_name(const struct test_report *r, int class)
{
    return class < r->gt->category_count ? r->gt->categories[class].name : background;
}

/* The objects, or of background the detections, of a row; the row has a cell above 0 if it is above 0. */
static int row_sum(const struct confusion *c, int truth)
{
    int sum = 0;
    for (int p = 0; p <= c->classes; p++)
        sum += *confusion_cell(c, truth, p);
    return sum;
}

/* Marks the classes with an object or a detection in the matrix, and background; returns their number. */
static int mark_classes(const struct confusion *c, bool *occurs)
{
    int count = 0;
    for (int t = 0; t <= c->classes; t++)
        for (int p = 0; p <= c->classes; p++)
            if (*confusion_cell(c, t, p))
                occurs[t] = occurs[p] = true;
    occurs[c->classes] = true;
    for (int t = 0; t <= c->classes; t++)
        count += occurs[t];
    return count;
}

static bool add_table(struct strbuf *page, const struct test_report *r, const struct confusion *c, const bool *occurs,
                      int count, struct error *err)
{
    struct html_column *columns = new_array((size_t)count + 1, sizeof *columns, err);
    int n = 1;
    if (!columns)
        return false;
    columns[0] = (struct html_column){ "truth \\ prediction", true };
    for (int p = 0; p <= c->classes; p++)
        if (occurs[p])
            columns[n++] = (struct html_column){ class_name(r, p), false };
    html_table(page, "Rows are objects, columns are predictions; the shade is the fraction of the row. An object "
               "predicted as background is missed.", columns, n);
    for (int t = 0; t <= c->classes; t++) {
        if (!occurs[t])
            continue;
        html_row(page, class_name(r, t));
        for (int p = 0; p <= c->classes; p++)
            if (occurs[p] && t == c->classes && p == c->classes)
                html_cell(page, "–");
            else if (occurs[p])
                html_shaded_cell(page, 0.75 * *confusion_cell(c, t, p) / max_int(1, row_sum(c, t)), "%d",
                                 *confusion_cell(c, t, p));
        html_row_end(page);
    }
    html_table_end(page);
    free(columns);
    return true;
}

/* The matrix as a picture, for more classes than a table shows. */
static bool add_map(struct strbuf *page, const struct test_report *r, const struct confusion *c, const bool *occurs,
                    int count, struct error *err)
{
    const char **names = new_array((size_t)count, sizeof *names, err);
    int *numbers = new_array((size_t)count * (size_t)count, sizeof *numbers, err), n = 0, row = 0;
    for (int t = 0; names && numbers && t <= c->classes; t++) {
        if (!occurs[t])
            continue;
        names[row++] = class_name(r, t);
        for (int p = 0; p <= c->classes; p++)
            if (occurs[p])
                numbers[n++] = *confusion_cell(c, t, p);
    }
    if (names && numbers)
        html_matrix(page, "Confusion matrix: rows are objects, columns are predictions; the shade is the fraction of "
                    "the row. Background as a prediction is a missed object.", names, count, numbers);
    const bool ok = names && numbers;
    free(names);
    free(numbers);
    return ok;
}

/* In a sentence. */
static void add_sum(struct strbuf *page, const struct analysis *a)
{
    const struct confusion *c = &a->confusion;
    int found = 0, confused = 0, missed = 0, wrong = 0;
    for (int t = 0; t < c->classes; t++) {
        found += *confusion_cell(c, t, t);
        missed += *confusion_cell(c, t, c->classes);
        wrong += *confusion_cell(c, c->classes, t);
        for (int p = 0; p < c->classes; p++)
            confused += p == t ? 0 : *confusion_cell(c, t, p);
    }
    html_paragraph(page, "With scores above %.3f and an IoU of at least 0.5, %d of %d objects are found, %d are taken "
                   "for another class and %d are missed; %d detections are of background.", a->threshold, found,
                   a->objects, confused, missed, wrong);
}

struct confused { int truth, prediction, count; };

static int by_count(const void *a, const void *b)
{
    const struct confused *x = a, *y = b;
    return x->count != y->count ? y->count - x->count
         : x->truth != y->truth ? x->truth - y->truth : x->prediction - y->prediction;
}

/* Those of one class with another one. */
static bool add_confusions(struct strbuf *page, const struct test_report *r, const struct confusion *c,
                           struct error *err)
{
    static const struct html_column columns[] = {
        { "object", true }, { "taken for", true }, { "count", false }, { "of the objects", false } };
    struct confused *list = NULL;
    int count = 0, capacity = 0;
    bool ok = true;
    for (int t = 0; t < c->classes; t++)
        for (int p = 0; p < c->classes; p++)
            if (t != p && *confusion_cell(c, t, p)) {
                ok = ok && grow_array(&list, count, &capacity, sizeof *list, err);
                if (ok)
                    list[count++] = (struct confused){ t, p, *confusion_cell(c, t, p) };
            }
    if (ok && count) {
        qsort(list, (size_t)count, sizeof *list, by_count);
        html_table(page, "The most frequent confusions", columns, sizeof columns / sizeof *columns);
        for (int i = 0; i < min_int(count, CONFUSIONS); i++) {
            html_row(page, class_name(r, list[i].truth));
            html_text_cell(page, class_name(r, list[i].prediction));
            html_cell(page, "%d", list[i].count);
            html_cell(page, "%.1f %%", 100.0 * list[i].count / row_sum(c, list[i].truth));
            html_row_end(page);
        }
        html_table_end(page);
    } else if (ok)
        html_paragraph(page, "No object is taken for one of another class.");
    free(list);
    return ok;
}

bool report_confusion(struct strbuf *page, const struct test_report *r, const struct analysis *a, struct error *err)
{
    const struct confusion *c = &a->confusion;
    bool *occurs = new_array((size_t)c->classes + 1, sizeof *occurs, err);
    if (!occurs)
        return false;
    const int count = mark_classes(c, occurs);
    html_heading(page, "Confusions");
    add_sum(page, a);
    const bool ok = (count > TABLE_CLASSES || add_table(page, r, c, occurs, count, err))
                 && (count <= TABLE_CLASSES || count > MAP_CLASSES || add_map(page, r, c, occurs, count, err))
                 && add_confusions(page, r, c, err);
    free(occurs);
    return ok;
}

/* ---- images ---- */

/* FEW: all boxes are named; BOXES, NAMES: of predictions and of names in a view, at most. */
enum { IMAGES = 12, SIDE = 640, FEW = 12, BOXES = 150, NAMES = 40, LABEL_SIZE = 160 };

/* Boxes of a view, with room for their labels. */
struct view { struct html_box *boxes; char (*labels)[LABEL_SIZE]; int count, named; };

static bool view_open(struct view *v, int boxes, struct error *err)
{
    *v = (struct view){ .boxes = new_array((size_t)boxes, sizeof *v->boxes, err) };
    v->labels = v->boxes ? new_array((size_t)boxes, sizeof *v->labels, err) : NULL;
    return v->labels != NULL;
}

static void view_free(struct view *v)
{
    free(v->boxes);
    free(v->labels);
}

/* The label is that which the caller has written to v->labels[v->count]. */
static void view_add(struct view *v, const double box[4], enum html_box_kind kind, bool named)
{
    const bool shown = named && v->named < NAMES;
    v->boxes[v->count] = (struct html_box){ { box[0], box[1], box[2], box[3] }, kind,
                                            shown ? v->labels[v->count] : NULL };
    v->named += shown;
    v->count++;
}

static void view_truth(struct view *v, const struct test_report *r, const struct analysis *a, int index)
{
    const struct image_record *image = &r->gt->images[index];
    for (int i = image->first; i < image->first + image->count; i++) {
        const struct annotation *o = &r->gt->annotations[i];
        const int by = r->outcomes->taken[i];
        const bool found = by >= 0 && r->dets->list[by].score > a->threshold;
        escape_text(v->labels[v->count], LABEL_SIZE, class_name(r, o->category));
        view_add(v, o->box, o->crowd ? BOX_IGNORED : found ? BOX_RIGHT : BOX_MISSED,
                 !o->crowd && (!found || image->count <= FEW));
    }
}

static void view_found(struct view *v, const struct test_report *r, const struct analysis *a, int index, int shown)
{
    const struct members own = members_of(&r->outcomes->images, index);
    for (int i = 0; i < shown; i++) {
        char name[100];
        const struct detection *d = &r->dets->list[own.order[i]];
        const struct outcome *o = &r->outcomes->list[own.order[i]];
        const enum tide_error error = a->tide.error[own.order[i]];
        const bool right = o->object >= 0 || o->ignored;
        escape_text(name, sizeof name, d->category < 0 ? "?" : class_name(r, d->category));
        snprintf(v->labels[v->count], LABEL_SIZE, "%s %.0f%%%s%s", name, 100 * d->score,
                 right || error < 0 ? "" : ": ", right || error < 0 ? "" : tide_error_name(error));
        view_add(v, d->box, o->ignored ? BOX_IGNORED : right ? BOX_RIGHT : BOX_WRONG, !right || shown <= FEW);
    }
}

static int detections_above(const struct test_report *r, const struct analysis *a, int index)
{
    const struct members own = members_of(&r->outcomes->images, index);
    int n = 0;
    while (n < own.count && r->dets->list[own.order[n]].score > a->threshold)
        n++;
    return n;
}

static bool read_image(struct image *image, const struct test_report *r, int index, struct error *err)
{
    char *path = path_join(r->images, r->gt->images[index].file, err);
    const bool ok = path && image_read(image, path, err);
    free(path);
    return ok;
}

static bool add_image(struct strbuf *page, const struct test_report *r, const struct analysis *a,
                      const struct image_errors *e, struct error *err)
{
    const struct image_record *record = &r->gt->images[e->image];
    const int above = detections_above(r, a, e->image), shown = min_int(above, BOXES);
    struct strbuf captions[2] = {0};
    struct view truth = {0}, found = {0};
    struct image image = {0};
    bool ok = view_open(&truth, record->count, err) && view_open(&found, shown, err)
           && read_image(&image, r, e->image, err);
    if (ok) {
        view_truth(&truth, r, a, e->image);
        view_found(&found, r, a, e->image, shown);
        strbuf_addf(&captions[0], "%s: ground truth, %d boxes, %d missed", record->file, record->count, e->missed);
        strbuf_addf(&captions[1], "%s: predictions, %d boxes, %d wrong", record->file, above, e->wrong);
        ok = strbuf_check(&captions[0], err) && strbuf_check(&captions[1], err);
    }
    if (ok) {
        const struct html_view views[] = { { captions[0].s, captions[0].s, truth.boxes, truth.count },
                                           { captions[1].s, captions[1].s, found.boxes, found.count } };
        html_columns(page);
        ok = html_image(page, &image, SIDE, views, 2, err);
        html_columns_end(page);
    }
    image_free(&image);
    view_free(&truth);
    view_free(&found);
    strbuf_free(&captions[0]);
    strbuf_free(&captions[1]);
    return ok;
}

bool report_images(struct strbuf *page, const struct test_report *r, const struct analysis *a, struct error *err)
{
    html_heading(page, "Images with most errors");
    if (a->worst_count == 0) {
        html_paragraph(page, "No image has an error.");
        return true;
    }
    html_paragraph(page, "Detections with scores above %.3f. Green: found and right; orange, dashed: missed; red: "
                   "wrong, with the kind of error; grey, dotted: ignored. In crowded images only errors have names, "
                   "and the boxes of the best scores are drawn.", a->threshold);
    bool ok = true;
    for (int i = 0; ok && i < min_int(a->worst_count, IMAGES) && page->size < PAGE_BYTES; i++) {
        const size_t before = page->size;
        ok = add_image(page, r, a, &a->worst[i], err);
        if (ok && page->size > PAGE_BYTES) {
            page->size = before;
            page->s[before] = 0;
            break;
        }
    }
    return ok;
}
