#include "report/boxes.h"

#include "base/escape.h"
#include "base/memory.h"
#include "report/canvas.h"
#include "report/labels.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const uint32_t palette[] = {
    0xff5a5fff, 0x2ec4b6ff, 0xffbf3fff, 0x5b8defff, 0x9bd35aff, 0xc77dffff,
    0xff8c42ff, 0x4cc9f0ff, 0xf15bb5ff, 0x80ed99ff, 0xe9d8a6ff, 0xb08968ff };
enum { PALETTE = sizeof palette / sizeof *palette };

uint32_t box_colour(int category)
{
    if (category < PALETTE)
        return palette[category];
    const double golden = 0.6180339887498949, hue = 6 * fmod(golden * category, 1), value = category % 2 ? 245 : 205;
    uint32_t colour = 0;
    for (int k = 5; k > 0; k -= 2) {                            /* red, green, blue of (hue, saturation 0.65, value) */
        const double phase = fmod(k + hue, 6), ramp = fmax(0, fmin(1, fmin(phase, 4 - phase)));
        colour = colour << 8 | (uint32_t)(value * (1 - 0.65 * ramp));
    }
    return colour << 8 | 0xff;
}

static uint32_t ink_on(uint32_t colour)                         /* black or white, whichever is easier to read */
{
    const double luma = 0.299 * (colour >> 24) + 0.587 * (colour >> 16 & 255) + 0.114 * (colour >> 8 & 255);
    return luma > 140 ? 0x101418ff : 0xffffffff;
}

struct label { char text[100]; double size, place[4]; const struct drawn_box *box; };   /* size 0: no room for it */

struct drawing {
    struct canvas canvas;
    struct labels labels;                       /* boxes in the order of their scores */
    struct label *list;                         /* [box_count] */
    double size;                                /* of letters */
};

enum { NAME_BYTES = 80 };                       /* of a name in a label or the legend; the rest is cut */
static const double letters_min = 6;            /* pixels; smaller letters are illegible */

static double clamp(double v, double low, double high) { return fmax(low, fmin(v, high)); }

/* ---- labels ---- */

static double label_width(const struct drawing *d, const char *text, double size)
{
    return canvas_text_width(&d->canvas, size, text) + 0.5 * size;
}

/* Reduces the letters until the label fits into the image; false if they would be too small. */
static bool fit(const struct drawing *d, struct label *label)
{
    const double w = label_width(d, label->text, d->size), h = 1.25 * d->size;
    const double scale = fmin(1, fmin(d->labels.width / w, d->labels.height / h));
    label->size = scale * d->size >= letters_min ? scale * d->size : 0;
    label->place[2] = fmin(d->labels.width, scale < 1 ? label_width(d, label->text, label->size) : w);
    label->place[3] = scale * h;
    return label->size > 0;
}

/* Name and score, or only the score if the image is too narrow. */
static void make_label(const struct drawing *d, const struct drawn_box *box, struct label *label)
{
    const double percent = 100 * box->score;
    char name[NAME_BYTES];
    label->box = box;
    if (!box->name)
        return;
    escape_text(name, sizeof name, box->name);
    snprintf(label->text, sizeof label->text, "%s %.0f%%", name, percent);
    if (fit(d, label))
        return;
    snprintf(label->text, sizeof label->text, "%.0f%%", percent);
    fit(d, label);
}

/* A line from a distant label to its box. */
static void draw_leader(struct drawing *d, const struct label *label, const double b[4])
{
    const double *p = label->place, cx = p[0] + p[2] / 2, cy = p[1] + p[3] / 2;
    const double to[2] = { clamp(cx, b[0], b[0] + b[2]), clamp(cy, b[1], b[1] + b[3]) };
    const double from[2] = { clamp(to[0], p[0], p[0] + p[2]), clamp(to[1], p[1], p[1] + p[3]) };
    if (hypot(to[0] - from[0], to[1] - from[1]) > 2)
        canvas_line(&d->canvas, (const double[2][2]){ { from[0], from[1] }, { to[0], to[1] } }, 2, 1,
                    box_colour(label->box->category));
}

static void draw_label(struct drawing *d, const struct label *label)
{
    const uint32_t colour = box_colour(label->box->category);
    canvas_fill(&d->canvas, label->place, colour);
    canvas_text(&d->canvas, label->place[0] + 0.25 * label->size, label->place[1] + 0.97 * label->size, label->size,
                ink_on(colour), label->text);
}

/* The best scores are placed first and drawn last. */
static void draw_labels(struct drawing *d, const struct drawn_box *const *order)
{
    const int count = d->labels.box_count;
    for (int i = 0; i < count; i++) {
        make_label(d, order[i], &d->list[i]);
        if (d->list[i].size > 0)
            labels_place(&d->labels, i, d->list[i].place);
    }
    for (int i = 0; i < count; i++)
        if (d->list[i].size > 0)
            draw_leader(d, &d->list[i], d->labels.boxes[i]);
    for (int i = count; i-- > 0; )
        if (d->list[i].size > 0)
            draw_label(d, &d->list[i]);
}

/* ---- legend ---- */

/* The classes of the boxes, best score first, of which `shown` fit; and their layout. */
struct legend {
    const struct drawn_box **class; int *boxes, count;
    double size, cell[2], place[4], cost;
    int shown, columns;
};

static bool find_classes(struct legend *l, const struct drawn_box *const *order, int count, struct error *err)
{
    l->class = new_array((size_t)count, sizeof *l->class, err);
    l->boxes = l->class ? new_array((size_t)count, sizeof *l->boxes, err) : NULL;
    for (int i = 0; l->boxes && i < count; i++) {
        int k = 0;
        while (k < l->count && l->class[k]->category != order[i]->category)
            k++;
        if (k == l->count && order[i]->name)
            l->class[l->count++] = order[i];
        if (k < l->count)
            l->boxes[k]++;
    }
    return l->boxes;
}

/* "car (12)"; the last entry is "+3" if 3 classes do not fit. */
static void entry_text(const struct legend *l, int i, char text[100])
{
    char name[NAME_BYTES];
    if (i < l->shown) {
        escape_text(name, sizeof name, l->class[i]->name);
        snprintf(text, 100, "%s (%d)", name, l->boxes[i]);
    } else
        snprintf(text, 100, "+%d", l->count - l->shown);
}

static int entries(const struct legend *l) { return l->shown + (l->shown < l->count); }

/* Finds the number of columns and the place that hide least, in at most a third of the image, or an eighth if it hides
 * half of an object; false if none fits. */
static bool lay_out(const struct drawing *d, struct legend *l)
{
    const double width = d->labels.width, height = d->labels.height, margin = 0.4 * l->size;
    char text[100];
    l->cost = INFINITY;
    l->cell[0] = 0;
    l->cell[1] = 1.3 * l->size;
    for (int i = 0; i < entries(l); i++) {
        entry_text(l, i, text);
        l->cell[0] = fmax(l->cell[0], canvas_text_width(&d->canvas, l->size, text) + 2 * l->size);
    }
    for (int columns = 1; columns <= entries(l); columns++) {
        const int rows = (entries(l) + columns - 1) / columns;
        double place[4] = { 0, 0, columns * l->cell[0] + margin, rows * l->cell[1] + margin };
        const double part = place[2] * place[3] / (width * height);
        if (place[2] > width || place[3] > height || part > 1 / 3.0)
            continue;
        const double hidden = labels_border(&d->labels, place);
        if (hidden + part < l->cost && (hidden < 0.5 || part < 1 / 8.0)) {
            l->cost = hidden + part;
            l->columns = columns;
            for (int k = 0; k < 4; k++)
                l->place[k] = place[k];
        }
    }
    return l->cost < INFINITY;
}

static bool draw_legend(struct drawing *d, const struct drawn_box *const *order, struct error *err)
{
    struct legend l = { .size = d->size };
    char text[100];
    bool room = false;
    const bool ok = find_classes(&l, order, d->labels.box_count, err);
    if (ok)
        for (l.shown = l.count; l.shown > 0 && !(room = lay_out(d, &l)); )
            l.shown--;
    if (room) {
        labels_take(&d->labels, l.place);
        canvas_fill(&d->canvas, l.place, 0x101418c0);
    }
    for (int i = 0; room && i < entries(&l); i++) {
        const double x = l.place[0] + 0.2 * l.size + i % l.columns * l.cell[0];
        const double y = l.place[1] + 0.2 * l.size + i / l.columns * l.cell[1];
        const double swatch[4] = { x + 0.3 * l.size, y + 0.25 * l.size, 0.8 * l.size, 0.8 * l.size };
        entry_text(&l, i, text);
        if (i < l.shown)
            canvas_fill(&d->canvas, swatch, box_colour(l.class[i]->category));
        canvas_text(&d->canvas, x + 1.5 * l.size, y + 0.98 * l.size, l.size, 0xffffffff, text);
    }
    free(l.class);
    free(l.boxes);
    return ok;
}

/* ---- all of it ---- */

static int by_score(const void *a, const void *b)               /* the best first, ties in the given order */
{
    const struct drawn_box *const *p = a, *const *q = b;
    return (*p)->score != (*q)->score ? ((*p)->score > (*q)->score ? -1 : 1) : (*p > *q) - (*p < *q);
}

static bool draw_all(struct drawing *d, const struct drawn_box *const *order, struct error *err)
{
    const int count = d->labels.box_count;
    const double side = sqrt((double)d->labels.width * d->labels.height), crowd = fmin(count, 200) / 200.0;
    d->size = clamp(side / (50 + 40 * crowd), 9, 40);
    for (int i = count; i-- > 0; ) {                            /* the best on top */
        const struct drawn_box *b = order[i];
        const double small = fmin(b->box[2], b->box[3]), most = fmax(1, small / 10);
        const double line = clamp(side / (400 + 300 * crowd), 1, most);
        canvas_frame(&d->canvas, b->box, line, box_colour(b->category));
    }
    if (!draw_legend(d, order, err))
        return false;
    draw_labels(d, order);
    return !d->canvas.incomplete || fail(err, "out of memory for a label");
}

static bool open_drawing(struct drawing *d, unsigned char *bgr, int width, int height, const struct font *font,
                         const struct drawn_box *const *order, int count, struct error *err)
{
    d->list = new_array((size_t)count, sizeof *d->list, err);
    if (!d->list || !labels_init(&d->labels, width, height, count, err))
        return false;
    for (int i = 0; i < count; i++)
        labels_set_box(&d->labels, i, order[i]->box);
    return canvas_open(&d->canvas, bgr, width, height, font, err);
}

bool draw_boxes(unsigned char *bgr, int width, int height, const struct drawn_box *boxes, int count,
                const struct font *font, struct error *err)
{
    struct drawing d = {0};
    const struct drawn_box **order = new_array((size_t)count, sizeof *order, err);
    for (int i = 0; order && i < count; i++)
        order[i] = boxes + i;
    if (order)
        qsort(order, (size_t)count, sizeof *order, by_score);
    const bool ok = order && open_drawing(&d, bgr, width, height, font, order, count, err) && draw_all(&d, order, err);
    canvas_close(&d.canvas);
    labels_free(&d.labels);
    free(d.list);
    free(order);
    return ok;
}
