#include "report/font.h"

#include <stddef.h>

#ifdef HAVE_CAIRO
#include "base/escape.h"
#include "base/memory.h"
#include <cairo.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Outlines are those of text whose lines are EM high; y points down from the baseline. */
enum { EM = 64 };
struct edge { float p[2], q[2]; };

/* A character and its outline: `edges` edges from index `first` on, within the box left, top, right, bottom.  memcmp
 * compares glyphs, so there is no padding. */
struct glyph { char character[8]; int first, edges; float advance, box[4]; };

struct font {
    struct glyph *glyphs; int glyph_count, glyph_capacity;      /* sorted by character */
    struct edge *edges; int edge_count, edge_capacity;
};

void font_close(struct font *font)
{
    if (!font)
        return;
    free(font->glyphs);
    free(font->edges);
    free(font);
}

/* ---- characters ---- */

static int by_character(const void *a, const void *b)
{
    return memcmp(a, b, sizeof ((struct glyph *)0)->character);
}

/* Reads the character at *text and advances it; false if it is not UTF-8. */
static bool next_character(const char **text, struct glyph *glyph)
{
    unsigned code;
    const size_t size = utf8_decode(*text, &code);
    *glyph = (struct glyph){0};
    memcpy(glyph->character, *text, size);
    *text += size ? size : 1;
    return size > 0;
}

static bool add_characters(struct font *font, const char *text)
{
    struct glyph glyph;
    bool ok = true;
    while (ok && *text)
        if (next_character(&text, &glyph)) {
            ok = grow_array(&font->glyphs, font->glyph_count, &font->glyph_capacity, sizeof glyph, NULL);
            if (ok)
                font->glyphs[font->glyph_count++] = glyph;
        }
    return ok;
}

static bool list_characters(struct font *font, const char *const *texts, int count)
{
    char ascii['~' - ' ' + 2] = "";
    for (char c = ' '; c <= '~'; c++)
        ascii[c - ' '] = c;
    bool ok = add_characters(font, ascii);
    for (int i = 0; ok && i < count; i++)
        ok = add_characters(font, texts[i]);
    if (!ok)
        return false;
    int kept = 0;
    qsort(font->glyphs, (size_t)font->glyph_count, sizeof *font->glyphs, by_character);
    for (int i = 0; i < font->glyph_count; i++)
        if (kept == 0 || by_character(&font->glyphs[kept - 1], &font->glyphs[i]) != 0)
            font->glyphs[kept++] = font->glyphs[i];
    font->glyph_count = kept;
    return true;
}

/* ---- outlines: in child processes ---- */

static bool add_edge(struct font *font, struct glyph *glyph, const double p[2], const double q[2])
{
    if (!grow_array(&font->edges, font->edge_count, &font->edge_capacity, sizeof *font->edges, NULL))
        return false;
    for (int k = 0; k < 2; k++) {
        glyph->box[k] = fminf(glyph->box[k], (float)q[k]);
        glyph->box[k + 2] = fmaxf(glyph->box[k + 2], (float)q[k]);
    }
    font->edges[font->edge_count++] = (struct edge){ { (float)p[0], (float)p[1] }, { (float)q[0], (float)q[1] } };
    glyph->edges++;
    return true;
}

/* The outline is closed, so each of its points ends an edge. */
static bool add_path(struct font *font, struct glyph *glyph, const cairo_path_t *path)
{
    double start[2] = {0}, at[2] = {0};
    bool ok = path->status == CAIRO_STATUS_SUCCESS;
    for (int i = 0; ok && i < path->num_data; i += path->data[i].header.length) {
        const cairo_path_data_t *d = &path->data[i];
        const bool close = d->header.type == CAIRO_PATH_CLOSE_PATH;
        const double to[2] = { close ? start[0] : d[1].point.x, close ? start[1] : d[1].point.y };
        if (d->header.type == CAIRO_PATH_MOVE_TO)
            memcpy(start, to, sizeof start);
        else
            ok = add_edge(font, glyph, at, to);
        memcpy(at, to, sizeof at);
    }
    return ok;
}

static bool add_outline(struct font *font, struct glyph *glyph, cairo_t *cairo)
{
    cairo_text_extents_t extents = {0};
    cairo_text_extents(cairo, glyph->character, &extents);
    cairo_new_path(cairo);
    cairo_move_to(cairo, 0, 0);
    cairo_text_path(cairo, glyph->character);
    cairo_path_t *path = cairo_copy_path_flat(cairo);
    glyph->advance = (float)extents.x_advance;
    glyph->first = font->edge_count;
    const bool ok = add_path(font, glyph, path);
    cairo_path_destroy(path);
    return ok;
}

/* A context for metrics and outlines without hinting, which would suit one size only. */
static cairo_t *new_context(void)
{
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_A8, 1, 1);
    cairo_t *cairo = cairo_create(surface);
    cairo_font_options_t *options = cairo_font_options_create();
    cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
    cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
    cairo_set_font_options(cairo, options);
    cairo_select_font_face(cairo, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(cairo, EM);
    cairo_font_options_destroy(options);
    cairo_surface_destroy(surface);             /* the context keeps it */
    return cairo;
}

/* Without fonts on the machine cairo has built-in letters for ASCII only; they are not used. */
static bool add_outlines(struct font *font)
{
    cairo_t *cairo = new_context();
    bool ok = cairo_scaled_font_get_type(cairo_get_scaled_font(cairo)) != CAIRO_FONT_TYPE_USER;
    for (int i = 0; ok && i < font->glyph_count; i++)
        ok = add_outline(font, &font->glyphs[i], cairo);
    ok = ok && cairo_status(cairo) == CAIRO_STATUS_SUCCESS;
    cairo_destroy(cairo);
    return ok;
}

static bool send_font(const struct font *font, int to)
{
    const size_t glyphs = (size_t)font->glyph_count, edges = (size_t)font->edge_count;
    FILE *out = fdopen(to, "w");
    return out && fwrite(&font->glyph_count, sizeof font->glyph_count, 1, out) == 1
        && fwrite(&font->edge_count, sizeof font->edge_count, 1, out) == 1
        && fwrite(font->glyphs, sizeof *font->glyphs, glyphs, out) == glyphs
        && fwrite(font->edges, sizeof *font->edges, edges, out) == edges && fflush(out) == 0;
}

static void run_child(const char *const *texts, int count, int to)
{
    enum { SECONDS = 10 };
    struct font font = {0};
    signal(SIGALRM, SIG_DFL);
    alarm(SECONDS);
    dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
    _exit(list_characters(&font, texts, count) && add_outlines(&font) && send_font(&font, to) ? 0 : 1);
}

/* ---- the font: in this process ---- */

static struct font *receive_font(FILE *in)
{
    struct font *font = new_array(1, sizeof *font, NULL);
    if (!font)
        return NULL;
    if (fread(&font->glyph_count, sizeof font->glyph_count, 1, in) == 1
        && fread(&font->edge_count, sizeof font->edge_count, 1, in) == 1) {
        const size_t glyphs = (size_t)font->glyph_count, edges = (size_t)font->edge_count;
        font->glyphs = new_array(glyphs, sizeof *font->glyphs, NULL);
        font->edges = new_array(edges, sizeof *font->edges, NULL);
        if (font->glyphs && font->edges && fread(font->glyphs, sizeof *font->glyphs, glyphs, in) == glyphs
            && fread(font->edges, sizeof *font->edges, edges, in) == edges)
            return font;
    }
    font_close(font);
    return NULL;
}

/* The font that a child process finds. */
static struct font *font_of_child(const char *const *texts, int count)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return NULL;
    FILE *in = fdopen(ends[0], "r");
    const pid_t child = in ? fork() : -1;
    if (child == 0)
        run_child(texts, count, ends[1]);
    close(ends[1]);
    struct font *font = child > 0 ? receive_font(in) : NULL;
    if (in)
        fclose(in);
    else
        close(ends[0]);
    while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
        ;
    return font;
}

static bool same_font(const struct font *a, const struct font *b)
{
    return a->glyph_count == b->glyph_count && a->edge_count == b->edge_count
        && memcmp(a->glyphs, b->glyphs, (size_t)a->glyph_count * sizeof *a->glyphs) == 0
        && memcmp(a->edges, b->edges, (size_t)a->edge_count * sizeof *a->edges) == 0;
}

/* Child processes call cairo's libraries, since these crash if memory is short and hang if the settings of
 * fontconfig are a pipe.  Two children must find the same font, since fontconfig takes another one, without an
 * error, if it cannot read a file. */
struct font *font_open(const char *const *texts, int count)
{
    struct font *font = font_of_child(texts, count);
    struct font *second = font ? font_of_child(texts, count) : NULL;
    const bool ok = second && same_font(font, second);
    font_close(second);
    if (ok)
        return font;
    font_close(font);
    return NULL;
}

/* The glyph of the character at *text, which is advanced; NULL: none. */
static const struct glyph *next_glyph(const struct font *font, const char **text)
{
    struct glyph key;
    if (!next_character(text, &key))
        return NULL;
    return bsearch(&key, font->glyphs, (size_t)font->glyph_count, sizeof key, by_character);
}

double font_width(const struct font *font, double size, const char *text)
{
    double width = 0;
    while (font && *text) {
        const struct glyph *glyph = next_glyph(font, &text);
        if (!glyph)
            return -1;
        width += glyph->advance * size / EM;
    }
    return font ? width : -1;
}

/* change is the coverage of a pixel minus that of its left neighbour: downward edges add to it, upward edges
 * subtract. */
struct fill { float *change; int width, height; };              /* change[height][width + 1] */

static void fill_edge(const struct fill *f, const double p[2], const double q[2])
{
    enum { LINES = 4 };                         /* per row */
    const double top = fmax(0, fmin(p[1], q[1])), bottom = fmin(f->height, fmax(p[1], q[1]));
    const double slope = (q[0] - p[0]) / (q[1] - p[1]), part = (p[1] < q[1] ? 1.0 : -1.0) / LINES;
    for (int i = (int)ceil(top * LINES - 0.5); i + 0.5 < bottom * LINES; i++) {
        const double x = fmax(0, fmin(f->width - 1, p[0] + slope * ((i + 0.5) / LINES - p[1])));
        float *at = f->change + (ptrdiff_t)(i / LINES) * (f->width + 1) + (int)x;
        at[0] += (float)(part * (1 - (x - (int)x)));
        at[1] += (float)(part * (x - (int)x));
    }
}

static void fill_text(const struct fill *f, const struct font *font, double size, const char *text, double x, double y)
{
    const double scale = size / EM;
    while (*text) {
        const struct glyph *glyph = next_glyph(font, &text);
        for (int i = glyph->first; i < glyph->first + glyph->edges; i++) {
            const struct edge *e = &font->edges[i];
            fill_edge(f, (double[2]){ x + scale * e->p[0], y + scale * e->p[1] },
                      (double[2]){ x + scale * e->q[0], y + scale * e->q[1] });
        }
        x += scale * glyph->advance;
    }
}

static void add_rows(const struct fill *f, unsigned char *mask)
{
    const float *change = f->change;
    for (int y = 0; y < f->height; y++, change++) {
        float sum = 0;
        unsigned char part = 0;
        for (int x = 0; x < f->width; x++, change++) {
            if (*change != 0) {                 /* only at edges */
                sum += *change;
                part = (unsigned char)(255 * fminf(1, fabsf(sum)) + 0.5f);
            }
            *mask++ = part;
        }
    }
}

/* The box of the text at (x, y); false if a character is lacking or the box is too large. */
static bool find_box(const struct font *font, double size, const char *text, double x, double y, int box[4])
{
    enum { SIDE_MAX = 1 << 14 };
    const struct glyph *glyph = NULL;
    const double scale = size / EM;
    double low[2] = { x, y }, high[2] = { x, y };
    while (*text && (glyph = next_glyph(font, &text))) {
        low[0] = fmin(low[0], x + scale * glyph->box[0]);
        low[1] = fmin(low[1], y + scale * glyph->box[1]);
        high[0] = fmax(high[0], x + scale * glyph->box[2]);
        high[1] = fmax(high[1], y + scale * glyph->box[3]);
        x += scale * glyph->advance;
    }
    if (!glyph || !(fabs(low[0]) + fabs(low[1]) < 1e9) || !(high[0] - low[0] < SIDE_MAX && high[1] - low[1] < SIDE_MAX))
        return false;
    for (int k = 0; k < 2; k++) {
        box[k] = (int)floor(low[k]);
        box[k + 2] = (int)ceil(high[k]) - box[k] + 1;
    }
    return true;
}

unsigned char *font_mask(const struct font *font, double size, const char *text, double x, double y, int box[4])
{
    box[2] = box[3] = 0;
    if (!font || !find_box(font, size, text, x, y, box))
        return NULL;
    const size_t columns = (size_t)box[2], rows = (size_t)box[3];
    const struct fill f = { new_array(rows * (columns + 1), sizeof *f.change, NULL), box[2], box[3] };
    unsigned char *mask = f.change ? new_array(rows * columns, 1, NULL) : NULL;
    if (mask) {
        fill_text(&f, font, size, text, x - box[0], y - box[1]);
        add_rows(&f, mask);
    }
    free(f.change);
    return mask;
}

#else
struct font *font_open(const char *const *texts, int count) { return (void)texts, (void)count, NULL; }
void font_close(struct font *font) { (void)font; }
double font_width(const struct font *font, double size, const char *text)
    { return (void)font, (void)size, (void)text, -1; }
unsigned char *font_mask(const struct font *font, double size, const char *text, double x, double y, int box[4])
    { return (void)font, (void)size, (void)text, (void)x, (void)y, box[2] = 0, NULL; }
#endif
