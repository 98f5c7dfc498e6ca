#include "report/boxes.h"

#include "base/memory.h"
#include "report/canvas.h"
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

static bool overlap(const double a[4], const double b[4])
{
    return a[0] < b[0] + b[2] && b[0] < a[0] + a[2] && a[1] < b[1] + b[3] && b[1] < a[1] + a[3];
}

static double clamp(double v, double low, double high)
{
    return fmax(low, fmin(v, high));
}

/* The labels written so far, and where a label may be written. */
struct labels { double (*taken)[4]; int count; double size; int width, height; };

/* Above its box, inside it at the top where there is no room above, moved sideways into the picture. */
static void write_label(struct canvas *c, struct labels *labels, const struct drawn_box *b)
{
    const double size = labels->size;
    char text[100];
    snprintf(text, sizeof text, "%.80s %.0f", b->name, 100 * b->score);
    const double w = canvas_text_width(c, size, text) + 0.5 * size, h = 1.25 * size;
    if (w > 1.6 * b->box[2] || h > b->box[3])
        return;
    const double y = b->box[1] >= h ? b->box[1] - h : b->box[1];
    const double place[4] = { clamp(b->box[0], 0, labels->width - w), clamp(y, 0, labels->height - h), w, h };
    for (int i = 0; i < labels->count; i++)
        if (overlap(place, labels->taken[i]))
            return;
    for (int k = 0; k < 4; k++)
        labels->taken[labels->count][k] = place[k];
    labels->count++;
    const uint32_t colour = box_colour(b->category);
    canvas_fill(c, place, colour);
    canvas_text(c, place[0] + 0.25 * size, place[1] + 0.97 * size, size, ink_on(colour), text);
}

static int by_score(const void *a, const void *b)               /* the best first, ties in the given order */
{
    const struct drawn_box *const *p = a, *const *q = b;
    return (*p)->score != (*q)->score ? ((*p)->score > (*q)->score ? -1 : 1) : (*p > *q) - (*p < *q);
}

static void draw_all(struct canvas *c, const struct drawn_box **order, int count, struct labels *labels)
{
    const double side = sqrt((double)labels->width * labels->height), crowd = fmin(count, 200) / 200.0;
    labels->size = clamp(side / (50 + 40 * crowd), 9, 40);
    for (int i = count; i-- > 0; ) {                            /* the best on top */
        const struct drawn_box *b = order[i];
        const double small = fmin(b->box[2], b->box[3]), most = fmax(1, small / 10);
        const double line = clamp(side / (400 + 300 * crowd), 1, most);
        canvas_frame(c, b->box, line, box_colour(b->category));
    }
    for (int i = 0; i < count; i++)
        if (order[i]->name)
            write_label(c, labels, order[i]);
}

bool draw_boxes(unsigned char *bgr, int width, int height, const struct drawn_box *boxes, int count, struct error *err)
{
    struct labels labels = { .width = width, .height = height };
    const struct drawn_box **order = new_array((size_t)count, sizeof *order, err);
    labels.taken = new_array((size_t)count, sizeof *labels.taken, err);
    struct canvas *c = order && labels.taken ? canvas_open(bgr, width, height, err) : NULL;
    bool ok = c != NULL;
    if (ok) {
        for (int i = 0; i < count; i++)
            order[i] = boxes + i;
        qsort(order, (size_t)count, sizeof *order, by_score);
        draw_all(c, order, count, &labels);
        ok = canvas_read(c, bgr, err);
    }
    canvas_free(c);
    free(labels.taken);
    free(order);
    return ok;
}
