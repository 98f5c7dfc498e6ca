#include "report/html_chart.h"

#include "base/min_max.h"
#include "report/html.h"
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Units of a chart, about pixels: its width, margins around the axes, and the height of a row. */
enum { WIDTH = 560, HEIGHT = 360, LEFT = 56, RIGHT = 16, TOP = 40, BOTTOM = 52, ROW = 24, COLOURS = 8, TICKS = 5 };

static void begin(struct strbuf *page, const char *title, int width, int height)
{
    strbuf_addf(page, "<figure><svg class=\"chart\" role=\"img\" viewBox=\"0 0 %d %d\"><title>", width, height);
    html_text(page, title);
    strbuf_addf(page, "</title>\n");
}

static void end(struct strbuf *page) { strbuf_addf(page, "</svg></figure>\n"); }

/* anchor: start, middle or end of the text is at x.  type: title, pale or none. */
static void add_text(struct strbuf *page, double x, double y, const char *anchor, const char *type, const char *text)
{
    strbuf_addf(page, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", type, x, y, anchor);
    html_text(page, text);
    strbuf_addf(page, "</text>\n");
}

/* ---- lines ---- */

static double x_of(const struct html_axes *a, double x) { return LEFT + x / a->x_max * (WIDTH - LEFT - RIGHT); }
static double y_of(const struct html_axes *a, double y)
{
    return HEIGHT - BOTTOM - y / a->y_max * (HEIGHT - TOP - BOTTOM);
}

static void add_axes(struct strbuf *page, const struct html_axes *a)
{
    char number[32];
    for (int i = 0; i <= TICKS; i++) {
        const double x = a->x_max * i / TICKS, y = a->y_max * i / TICKS;
        strbuf_addf(page, "<path class=\"grid\" d=\"M%.1f %dV%dM%d %.1fH%d\"/>\n", x_of(a, x), TOP,
                    HEIGHT - BOTTOM, LEFT, y_of(a, y), WIDTH - RIGHT);
        snprintf(number, sizeof number, "%.3g", x);
        add_text(page, x_of(a, x), HEIGHT - BOTTOM + 18, "middle", "pale", number);
        snprintf(number, sizeof number, "%.3g", y);
        add_text(page, LEFT - 8, y_of(a, y) + 4, "end", "pale", number);
    }
    add_text(page, LEFT, 24, "start", "title", a->title);
    add_text(page, (LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 12, "middle", "pale", a->x_name);
    strbuf_addf(page, "<g transform=\"translate(16 %d) rotate(-90)\">", (TOP + HEIGHT - BOTTOM) / 2);
    add_text(page, 0, 0, "middle", "pale", a->y_name);
    strbuf_addf(page, "</g>\n");
}

static void add_line(struct strbuf *page, const struct html_axes *a, const struct html_line *l, int colour)
{
    bool pen_down = false;
    if (l->strong || !l->name)
        strbuf_addf(page, "<path class=\"%s\" d=\"", l->strong ? "strong" : "thin");
    else
        strbuf_addf(page, "<path class=\"curve\" style=\"stroke:var(--c%d)\" d=\"", colour);
    for (int i = 0; i < l->count; i++) {
        const bool defined = l->y[i] >= 0 && l->y[i] <= a->y_max * 1.001;
        if (defined)
            strbuf_addf(page, "%c%.1f %.1f", pen_down ? 'L' : 'M', x_of(a, l->x[i]), y_of(a, l->y[i]));
        pen_down = defined;
    }
    strbuf_addf(page, "\"/>\n");
}

static void add_mark(struct strbuf *page, const struct html_axes *a)
{
    char number[32];
    const double x = x_of(a, a->mark);
    const bool right = a->mark < 0.8 * a->x_max;
    if (!(a->mark > 0))
        return;
    snprintf(number, sizeof number, "%.3g", a->mark);
    strbuf_addf(page, "<path class=\"mark\" d=\"M%.1f %dV%d\"/>\n", x, TOP, HEIGHT - BOTTOM);
    add_text(page, x + (right ? 5 : -5), TOP + 14, right ? "start" : "end", "halo", number);
}

/* Text and swatch as HTML below the chart: names may be long. */
static void add_legend(struct strbuf *page, const struct html_line *lines, int count)
{
    int colour = 0;
    strbuf_addf(page, "<figcaption>");
    for (int i = 0; i < count; i++) {
        if (!lines[i].name)
            continue;
        if (lines[i].strong)
            strbuf_addf(page, "<span style=\"color:var(--ink)\">━</span> ");
        else
            strbuf_addf(page, "<span style=\"color:var(--c%d)\">━</span> ", colour++ % COLOURS);
        html_text(page, lines[i].name);
        strbuf_addf(page, " ");
    }
    strbuf_addf(page, "</figcaption>");
}

void html_line_chart(struct strbuf *page, const struct html_axes *axes, const struct html_line *lines, int count)
{
    int colour = 0;
    begin(page, axes->title, WIDTH, HEIGHT);
    add_axes(page, axes);
    for (int i = 0; i < count; i++)
        add_line(page, axes, &lines[i], lines[i].name && !lines[i].strong ? colour++ % COLOURS : 0);
    add_mark(page, axes);
    strbuf_addf(page, "</svg>");
    add_legend(page, lines, count);
    strbuf_addf(page, "</figure>\n");
}

/* ---- bars ---- */

static double largest(const struct html_bar *bars, int count)
{
    double most = 0;
    for (int i = 0; i < count; i++)
        most = fmax(most, bars[i].value);
    return most > 0 ? most : 1;
}

/* A name is cut where it would reach into its bar. */
static void add_name(struct strbuf *page, double x, double y, const char *anchor, const char *name, int length)
{
    char text[200];
    const int size = (int)strlen(name);
    int cut = min_int(size, min_int(length, (int)sizeof text - 4));
    while (cut > 0 && cut < size && (name[cut] & 0xc0) == 0x80)         /* not within a character */
        cut--;
    snprintf(text, sizeof text, "%.*s%s", cut, name, cut < size ? "…" : "");
    add_text(page, x, y, anchor, "pale", text);
}

void html_bar_chart(struct strbuf *page, const char *title, const struct html_bar *bars, int count)
{
    enum { NAMES = 170, TEXTS = 90, LETTERS = 24 };
    const double scale = (WIDTH - NAMES - TEXTS) / largest(bars, count);
    begin(page, title, WIDTH, TOP + count * ROW + 12);
    add_text(page, 16, 24, "start", "title", title);
    for (int i = 0; i < count; i++) {
        const int y = TOP + i * ROW;
        const double length = fmax(bars[i].value, 0) * scale;
        add_name(page, NAMES - 8, y + 16, "end", bars[i].name, LETTERS);
        strbuf_addf(page, "<rect class=\"bar\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" rx=\"2\"/>\n", NAMES,
                    y + 4, length, ROW - 8);
        add_text(page, NAMES + length + 6, y + 16, "start", "pale", bars[i].text);
    }
    end(page);
}

void html_histogram(struct strbuf *page, const char *title, const char *x_name, const struct html_bar *bars, int count)
{
    enum { LETTER = 7, BASE = HEIGHT - BOTTOM, EDGE = 16 };
    const double step = (double)(WIDTH - 2 * EDGE) / max_int(count, 1);
    const double scale = (BASE - TOP - 20) / largest(bars, count);
    int widest = 1;
    for (int i = 0; i < count; i++)
        widest = max_int(widest, max_int((int)strlen(bars[i].name), (int)strlen(bars[i].text)));
    const int every = max_int(1, (int)ceil((widest + 1) * LETTER / step));
    begin(page, title, WIDTH, HEIGHT);
    add_text(page, EDGE, 24, "start", "title", title);
    for (int i = 0; i < count; i++) {
        const double x = EDGE + i * step, height = fmax(bars[i].value, 0) * scale;
        strbuf_addf(page, "<rect class=\"bar\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>\n",
                    x + step * 0.06, BASE - height, step * 0.88, height);
        if (i % every == 0) {
            add_text(page, x + step / 2, BASE + 18, "middle", "pale", bars[i].name);
            add_text(page, x + step / 2, BASE - height - 6, "middle", "pale", bars[i].text);
        }
    }
    strbuf_addf(page, "<path class=\"grid\" d=\"M%d %dH%d\"/>\n", EDGE, BASE, WIDTH - EDGE);
    add_text(page, WIDTH / 2.0, HEIGHT - 12, "middle", "pale", x_name);
    end(page);
}

/* ---- matrix ---- */

static void add_matrix_name(struct strbuf *page, double x, double y, bool column, const char *name)
{
    enum { LETTERS = 16 };
    strbuf_addf(page, "<g class=\"tiny\" transform=\"translate(%.1f %.1f)%s\">", x, y, column ? " rotate(-90)" : "");
    add_name(page, 0, 0, column ? "start" : "end", name, LETTERS);
    strbuf_addf(page, "</g>\n");
}

void html_matrix(struct strbuf *page, const char *title, const char *const *names, int count, const int *numbers)
{
    enum { NAMES = 84, SIDE = 1000 };
    const double step = (double)(SIDE - NAMES - RIGHT) / max_int(count, 1);
    begin(page, title, SIDE, SIDE);
    for (int row = 0; row < count; row++) {
        const int *own = numbers + (ptrdiff_t)row * count;
        int64_t sum = 0;
        for (int i = 0; i < count; i++)
            sum += own[i];
        add_matrix_name(page, NAMES - 4, NAMES + (row + 0.5) * step + 3, false, names[row]);
        add_matrix_name(page, NAMES + (row + 0.5) * step + 3, NAMES - 4, true, names[row]);
        for (int i = 0; i < count; i++) {
            if (own[i] <= 0)
                continue;
            strbuf_addf(page, "<rect class=\"cell\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
                        "opacity=\"%.2f\"><title>", NAMES + i * step, NAMES + row * step, step * 0.94, step * 0.94,
                        0.15 + 0.85 * own[i] / (double)sum);
            html_text(page, names[row]);
            strbuf_addf(page, " → ");
            html_text(page, names[i]);
            strbuf_addf(page, ": %d</title></rect>\n", own[i]);
        }
    }
    strbuf_addf(page, "<path class=\"grid\" d=\"M%d %dV%dM%d %dH%d\"/>\n", NAMES, NAMES, SIDE - RIGHT, NAMES, NAMES,
                SIDE - RIGHT);
    strbuf_addf(page, "</svg><figcaption>");
    html_text(page, title);
    strbuf_addf(page, "</figcaption></figure>\n");
}
