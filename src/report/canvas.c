#include "report/canvas.h"

#include "base/memory.h"
#include "report/font.h"
#include "report/glyphs.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A coordinate as an index from 0 to end; NaN is 0. */
static int clamp_index(double v, int end) { return (int)fmin(fmax(0, v), end); }

bool canvas_open(struct canvas *c, unsigned char *bgr, int width, int height, const struct font *font,
                 struct error *err)
{
    *c = (struct canvas){ .bgr = bgr, .width = width, .height = height, .font = font };
    c->mask = new_array((size_t)height * (size_t)width, 1, err);
    return c->mask;
}

void canvas_close(struct canvas *c)
{
    free(c->mask);
    *c = (struct canvas){0};
}

/* Blends a colour into a pixel with coverage 0 to 255. */
static inline void blend(struct canvas *c, int x, int y, uint32_t colour, int part)
{
    unsigned char *p = c->bgr + 3 * ((size_t)y * (size_t)c->width + (size_t)x);
    const unsigned alpha = ((unsigned)part * (colour & 255) + 127) / 255;
    const unsigned char ink[3] = { (unsigned char)(colour >> 8), (unsigned char)(colour >> 16),
                                   (unsigned char)(colour >> 24) };
    for (int k = 0; k < 3; k++)
        p[k] = alpha == 255 ? ink[k] : (unsigned char)((p[k] * (255 - alpha) + ink[k] * alpha + 127) / 255);
}

/* The length of the intersection of [from, to] and the pixel [i, i + 1]. */
static double overlap(double from, double to, int i)
{
    const double length = (to < i + 1 ? to : i + 1) - (from > i ? from : i);
    return length > 0 ? length : 0;
}

void canvas_fill(struct canvas *c, const double box[4], uint32_t colour)
{
    const double right = box[0] + box[2], bottom = box[1] + box[3];
    const int x0 = clamp_index(floor(box[0]), c->width), x1 = clamp_index(ceil(right), c->width);
    const int y0 = clamp_index(floor(box[1]), c->height), y1 = clamp_index(ceil(bottom), c->height);
    for (int y = y0; y < y1; y++) {
        const double part = 255 * overlap(box[1], bottom, y);
        const int whole = (int)(part + 0.5);
        for (int x = x0; x < x1; x++) {
            const bool cut = x == x0 || x == x1 - 1;
            blend(c, x, y, colour, cut ? (int)(part * overlap(box[0], right, x) + 0.5) : whole);
        }
    }
}

void canvas_frame(struct canvas *c, const double box[4], double line_width, uint32_t colour)
{
    const double line = fmax(1, round(line_width)), left = round(box[0] - line / 2), top = round(box[1] - line / 2);
    const double width = fmax(line, round(box[0] + box[2] + line / 2) - left);
    const double height = fmax(line, round(box[1] + box[3] + line / 2) - top), inner = height - 2 * line;
    canvas_fill(c, (double[]){ left, top, width, line }, colour);
    canvas_fill(c, (double[]){ left, top + height - line, width, line }, colour);
    canvas_fill(c, (double[]){ left, top + line, line, inner }, colour);
    canvas_fill(c, (double[]){ left + width - line, top + line, line, inner }, colour);
}

/* ---- strokes ---- */

/* Extends the bounds of the mask by a box. */
static void touch(struct canvas *c, double x0, double y0, double x1, double y1)
{
    const int box[4] = { clamp_index(floor(x0), c->width), clamp_index(floor(y0), c->height),
                         clamp_index(ceil(x1), c->width), clamp_index(ceil(y1), c->height) };
    const bool none = c->x0 >= c->x1;
    c->x0 = none || box[0] < c->x0 ? box[0] : c->x0;
    c->y0 = none || box[1] < c->y0 ? box[1] : c->y0;
    c->x1 = none || box[2] > c->x1 ? box[2] : c->x1;
    c->y1 = none || box[3] > c->y1 ? box[3] : c->y1;
}

/* Blends a colour where the mask covers, and clears the mask. */
static void blend_mask(struct canvas *c, uint32_t colour)
{
    for (int y = c->y0; y < c->y1; y++) {
        unsigned char *row = c->mask + (size_t)y * (size_t)c->width;
        for (int x = c->x0; x < c->x1; x++)
            if (row[x])
                blend(c, x, y, colour, row[x]);
        memset(row + c->x0, 0, (size_t)(c->x1 - c->x0));
    }
    c->x0 = c->x1 = c->y0 = c->y1 = 0;
}

/* Covers the pixels of row y within radius of the segment from p to q.  Coverage falls from 1 to 0 as the distance of a
 * pixel's centre grows from radius - 1/2 to radius + 1/2. */
static void cover_row(struct canvas *c, int y, const double p[2], const double q[2], double radius)
{
    const double dx = q[0] - p[0], dy = q[1] - p[1], length2 = dx * dx + dy * dy, reach = radius + 0.5, cy = y + 0.5;
    double t0 = 0, t1 = 1;                              /* the part of the segment near the row */
    if (dy != 0) {
        const double a = (cy - reach - p[1]) / dy, b = (cy + reach - p[1]) / dy;
        t0 = fmin(1, fmax(t0, fmin(a, b)));
        t1 = fmax(0, fmin(t1, fmax(a, b)));
    }
    const double from = p[0] + t0 * dx, to = p[0] + t1 * dx;
    const int x1 = clamp_index(ceil(fmax(from, to) + reach), c->width);
    unsigned char *row = c->mask + (size_t)y * (size_t)c->width;
    for (int x = clamp_index(floor(fmin(from, to) - reach), c->width); x < x1; x++) {
        const double ax = x + 0.5 - p[0], ay = cy - p[1];
        const double along = length2 > 0 ? (ax * dx + ay * dy) / length2 : 0, t = along < 0 ? 0 : along > 1 ? 1 : along;
        const double bx = ax - t * dx, by = ay - t * dy, part = reach - sqrt(bx * bx + by * by);
        const int value = part <= 0 ? 0 : part >= 1 ? 255 : (int)(255 * part + 0.5);
        if (value > row[x])
            row[x] = (unsigned char)value;
    }
}

static void cover_line(struct canvas *c, const double (*points)[2], int count, double line_width)
{
    const double radius = line_width / 2, reach = radius + 0.5;
    for (int i = 0; i < count; i++) {
        const double *p = points[i > 0 ? i - 1 : 0], *q = points[i];
        const double top = fmin(p[1], q[1]) - reach, bottom = fmax(p[1], q[1]) + reach;
        const int y1 = clamp_index(ceil(bottom), c->height);
        touch(c, fmin(p[0], q[0]) - reach, top, fmax(p[0], q[0]) + reach, bottom);
        for (int y = clamp_index(floor(top), c->height); y < y1; y++)
            cover_row(c, y, p, q, radius);
    }
}

void canvas_line(struct canvas *c, const double (*points)[2], int count, double line_width, uint32_t colour)
{
    cover_line(c, points, count, line_width);
    blend_mask(c, colour);
}

/* ---- text ---- */

struct writing { struct canvas *canvas; double pen; };

static void cover_stroke(void *to, const double (*points)[2], int count)
{
    const struct writing *w = to;
    cover_line(w->canvas, points, count, w->pen);
}

static void blend_box(struct canvas *c, const unsigned char *mask, const int box[4], uint32_t colour)
{
    for (int row = 0; row < box[3]; row++)
        for (int i = 0; i < box[2]; i++) {
            const int x = box[0] + i, y = box[1] + row, part = *mask++;
            if (part && x >= 0 && y >= 0 && x < c->width && y < c->height)
                blend(c, x, y, colour, part);
        }
}

void canvas_text(struct canvas *c, double x, double y, double size, uint32_t colour, const char *text)
{
    struct writing w = { c, glyphs_pen(size) };
    int box[4];
    unsigned char *mask = font_mask(c->font, size, text, x, y, box);
    if (mask)
        blend_box(c, mask, box, colour);
    else if (box[2] > 0)
        c->incomplete = true;
    else {
        glyphs_trace(text, size, x, y, cover_stroke, &w);
        blend_mask(c, colour);
    }
    free(mask);
}

double canvas_text_width(const struct canvas *c, double size, const char *text)
{
    const double width = font_width(c->font, size, text);
    return width >= 0 ? width : glyphs_trace(text, size, 0, 0, NULL, NULL);
}
