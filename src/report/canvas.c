#include "report/canvas.h"

#ifdef HAVE_CAIRO
#include "base/file.h"
#include "base/memory.h"
#include <cairo.h>
#include <stdlib.h>
#include <string.h>

#ifdef __SANITIZE_ADDRESS__
/* Fontconfig loses a few bytes when it reads its settings, once a process: the leak checker passes over them. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) { return "leak:libfontconfig"; }
const char *__lsan_default_options(void);
const char *__lsan_default_options(void) { return "print_suppressions=0"; }
#endif

struct canvas { cairo_surface_t *surface; cairo_t *cairo; int width, height; };

static bool cairo_ok(cairo_status_t status, struct error *err)
{
    return status == CAIRO_STATUS_SUCCESS || fail(err, "cannot draw: %s", cairo_status_to_string(status));
}

struct canvas *canvas_open(const unsigned char *bgr, int width, int height, struct error *err)
{
    struct canvas *c = new_array(1, sizeof *c, err);
    if (!c)
        return NULL;
    c->width = width;
    c->height = height;
    c->surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, width, height);
    c->cairo = cairo_create(c->surface);
    if (!cairo_ok(cairo_status(c->cairo), err)) {
        canvas_free(c);
        return NULL;
    }
    unsigned char *to = cairo_image_surface_get_data(c->surface);
    const int stride = cairo_image_surface_get_stride(c->surface);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++, bgr += 3) {
            const uint32_t pixel = (uint32_t)bgr[2] << 16 | (uint32_t)bgr[1] << 8 | bgr[0];
            memcpy(to + (ptrdiff_t)y * stride + 4 * (ptrdiff_t)x, &pixel, 4);   /* a word of the machine's order */
        }
    cairo_surface_mark_dirty(c->surface);
    cairo_select_font_face(c->cairo, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_line_join(c->cairo, CAIRO_LINE_JOIN_ROUND);
    return c;
}

void canvas_free(struct canvas *c)
{
    if (!c)
        return;
    cairo_destroy(c->cairo);
    cairo_surface_destroy(c->surface);
    free(c);
}

bool canvas_read(struct canvas *c, unsigned char *bgr, struct error *err)
{
    if (!cairo_ok(cairo_status(c->cairo), err))
        return false;
    cairo_surface_flush(c->surface);
    const unsigned char *from = cairo_image_surface_get_data(c->surface);
    const int stride = cairo_image_surface_get_stride(c->surface);
    for (int y = 0; y < c->height; y++)
        for (int x = 0; x < c->width; x++, bgr += 3) {
            uint32_t pixel;
            memcpy(&pixel, from + (ptrdiff_t)y * stride + 4 * (ptrdiff_t)x, 4);
            for (int k = 0; k < 3; k++)
                bgr[k] = (unsigned char)(pixel >> 8 * k);
        }
    return true;
}

static cairo_status_t add_bytes(void *text, const unsigned char *p, unsigned size)
{
    text_bytes(text, p, size);
    return text_ok(text, NULL) ? CAIRO_STATUS_SUCCESS : CAIRO_STATUS_NO_MEMORY;
}

bool canvas_write_png(struct canvas *c, const char *path, struct error *err)
{
    struct text png = {0};
    const bool ok = cairo_ok(cairo_status(c->cairo), err)
                 && cairo_ok(cairo_surface_write_to_png_stream(c->surface, add_bytes, &png), err)
                 && file_write(path, png.s, png.size, err);
    text_free(&png);
    return ok;
}

static void set_colour(struct canvas *c, uint32_t colour)
{
    cairo_set_source_rgba(c->cairo, (colour >> 24) / 255.0, (colour >> 16 & 255) / 255.0, (colour >> 8 & 255) / 255.0,
                          (colour & 255) / 255.0);
}

void canvas_fill(struct canvas *c, const double box[4], uint32_t colour)
{
    set_colour(c, colour);
    cairo_rectangle(c->cairo, box[0], box[1], box[2], box[3]);
    cairo_fill(c->cairo);
}

void canvas_frame(struct canvas *c, const double box[4], double line_width, uint32_t colour)
{
    set_colour(c, colour);
    cairo_set_line_width(c->cairo, line_width);
    cairo_rectangle(c->cairo, box[0], box[1], box[2], box[3]);
    cairo_stroke(c->cairo);
}

void canvas_line(struct canvas *c, const double (*points)[2], int count, double line_width, uint32_t colour)
{
    set_colour(c, colour);
    cairo_set_line_width(c->cairo, line_width);
    cairo_new_path(c->cairo);
    for (int i = 0; i < count; i++)
        cairo_line_to(c->cairo, points[i][0], points[i][1]);
    cairo_stroke(c->cairo);
}

/* Bytes of the UTF-8 character at s, or 0 if it is none (RFC 3629, table of section 4). */
static int utf8_bytes(const char *s)
{
    const unsigned char *u = (const unsigned char *)s;
    const int n = u[0] < 0x80 ? 1 : u[0] < 0xc2 ? 0 : u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : u[0] < 0xf5 ? 4 : 0;
    for (int i = 1; i < n; i++)
        if ((u[i] & 0xc0) != 0x80)
            return 0;
    const bool overlong = (u[0] == 0xe0 && u[1] < 0xa0) || (u[0] == 0xf0 && u[1] < 0x90);
    const bool no_character = (u[0] == 0xed && u[1] > 0x9f) || (u[0] == 0xf4 && u[1] > 0x8f);
    return overlong || no_character ? 0 : n;
}

/* A copy to free() that cairo can read; after a text that it cannot, it would refuse to draw at all. */
static char *readable(const char *text)
{
    char *copy = new_text(text, NULL);
    for (char *s = copy; s && *s; ) {
        const int n = utf8_bytes(s);
        if (n == 0)
            *s = '?';
        s += n ? n : 1;
    }
    return copy;
}

void canvas_text(struct canvas *c, double x, double y, double size, uint32_t colour, const char *text)
{
    char *copy = readable(text);
    set_colour(c, colour);
    cairo_set_font_size(c->cairo, size);
    cairo_move_to(c->cairo, x, y);
    if (copy)
        cairo_show_text(c->cairo, copy);
    free(copy);
}

double canvas_text_width(struct canvas *c, double size, const char *text)
{
    cairo_text_extents_t extents = {0};
    char *copy = readable(text);
    cairo_set_font_size(c->cairo, size);
    if (copy)
        cairo_text_extents(c->cairo, copy, &extents);
    free(copy);
    return extents.x_advance;
}

#else
#include <stddef.h>

struct canvas *canvas_open(const unsigned char *bgr, int width, int height, struct error *err)
{
    (void)bgr, (void)width, (void)height;
    fail(err, "cannot draw: built without cairo");
    return NULL;
}

/* There is no canvas to call these with. */
void canvas_free(struct canvas *c) { (void)c; }
bool canvas_read(struct canvas *c, unsigned char *bgr, struct error *err)
    { return (void)c, (void)bgr, (void)err, false; }
bool canvas_write_png(struct canvas *c, const char *path, struct error *err)
    { return (void)c, (void)path, (void)err, false; }
void canvas_fill(struct canvas *c, const double box[4], uint32_t colour) { (void)c, (void)box, (void)colour; }
void canvas_frame(struct canvas *c, const double box[4], double line_width, uint32_t colour)
    { (void)c, (void)box, (void)line_width, (void)colour; }
void canvas_line(struct canvas *c, const double (*points)[2], int count, double line_width, uint32_t colour)
    { (void)c, (void)points, (void)count, (void)line_width, (void)colour; }
void canvas_text(struct canvas *c, double x, double y, double size, uint32_t colour, const char *text)
    { (void)c, (void)x, (void)y, (void)size, (void)colour, (void)text; }
double canvas_text_width(struct canvas *c, double size, const char *text) { return (void)c, (void)size, (void)text, 0; }
#endif
