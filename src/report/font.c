#include "report/font.h"

#include <stddef.h>

#ifdef HAVE_CAIRO
#include <cairo.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
/* Fontconfig loses a few bytes when it reads its settings, once per process: the leak checker passes over them. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) { return "leak:libfontconfig"; }
const char *__lsan_default_options(void);
const char *__lsan_default_options(void) { return "print_suppressions=0"; }
#endif

struct font { cairo_font_face_t *face; unsigned char pixels[4]; };

/* A context that measures and outlines, and draws nothing.  An error stays in a context, so each text has its own. */
static cairo_t *context(struct font *font, double size)
{
    cairo_surface_t *surface = cairo_image_surface_create_for_data(font->pixels, CAIRO_FORMAT_A8, 1, 1, 4);
    cairo_t *cairo = cairo_create(surface);
    cairo_surface_destroy(surface);             /* the context keeps it */
    cairo_set_font_face(cairo, font->face);
    cairo_set_font_size(cairo, size);
    return cairo;
}

static bool measure(struct font *font, double size, const char *text, cairo_text_extents_t *extents)
{
    cairo_t *cairo = context(font, size);
    cairo_text_extents(cairo, text, extents);
    const bool ok = cairo_status(cairo) == CAIRO_STATUS_SUCCESS;
    cairo_destroy(cairo);
    return ok;
}

void font_close(struct font *font)
{
    if (font)
        cairo_font_face_destroy(font->face);
    free(font);
}

/* Measures a text that tells fonts apart.  Without fonts on the machine cairo draws letters of its own, which are no
 * more than ASCII: such a font is not usable. */
static bool usable(struct font *font, cairo_text_extents_t *extents)
{
    cairo_t *cairo = context(font, 16);
    cairo_text_extents(cairo, "Agfi\303\251", extents);
    const bool ok = cairo_status(cairo) == CAIRO_STATUS_SUCCESS && extents->x_advance > 0
                 && cairo_scaled_font_get_type(cairo_get_scaled_font(cairo)) != CAIRO_FONT_TYPE_USER;
    cairo_destroy(cairo);
    return ok;
}

static struct font *try_open(cairo_text_extents_t *extents)
{
    struct font *font = calloc(1, sizeof *font);
    if (!font)
        return NULL;
    font->face = cairo_toy_font_face_create("sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
    if (usable(font, extents))
        return font;
    font_close(font);
    return NULL;
}

static void open_in_child(int result)
{
    enum { SECONDS = 10 };
    cairo_text_extents_t extents;
    signal(SIGALRM, SIG_DFL);
    alarm(SECONDS);
    dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
    _exit(try_open(&extents) && write(result, &extents, sizeof extents) == sizeof extents ? 0 : 1);
}

/* Fontconfig crashes if memory is short and never returns if its settings are a pipe.  So a child process opens the
 * font first, without messages; this process would crash or hang in the same way. */
static bool child_opens(cairo_text_extents_t *extents)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    const pid_t child = fork();
    if (child == 0)
        open_in_child(ends[1]);
    close(ends[1]);
    const bool ok = child > 0 && read(ends[0], extents, sizeof *extents) == sizeof *extents;
    close(ends[0]);
    while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
        ;
    return ok;
}

/* Fontconfig takes another font, without an error, if it cannot read one file.  So the two processes must agree. */
struct font *font_open(void)
{
    cairo_text_extents_t first, second;
    struct font *font = child_opens(&first) ? try_open(&second) : NULL;
    if (!font || memcmp(&first, &second, sizeof first) == 0)
        return font;
    font_close(font);
    return NULL;
}

/* Cairo's drawing functions crash if memory is short; its functions for outlines do not, so this file fills outlines.
 * change holds, per pixel, the coverage minus that of the pixel on the left: an edge that runs down adds to it, an edge
 * that runs up subtracts. */
struct fill { float *change; int width, height; };              /* change[height][width + 1] */

static void add_edge(const struct fill *f, const double p[2], const double q[2])
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

static void add_path(const struct fill *f, const cairo_path_t *path)
{
    double start[2] = {0}, at[2] = {0};
    for (int i = 0; i < path->num_data; i += path->data[i].header.length) {
        const cairo_path_data_t *d = &path->data[i];
        const bool close = d->header.type == CAIRO_PATH_CLOSE_PATH;
        const double to[2] = { close ? start[0] : d[1].point.x, close ? start[1] : d[1].point.y };
        if (d->header.type == CAIRO_PATH_MOVE_TO)
            memcpy(start, to, sizeof start);
        else
            add_edge(f, at, to);
        memcpy(at, to, sizeof at);
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

/* The box around the ink of the text at (x, y); false, and a small one, if it is too large. */
static bool set_box(const cairo_text_extents_t *e, double x, double y, int box[4])
{
    enum { SIDE_MAX = 1 << 14 };
    const bool fits = e->width < SIDE_MAX && e->height < SIDE_MAX && fabs(x) + fabs(y) < 1e9;
    box[0] = fits ? (int)floor(x + e->x_bearing) - 1 : 0;       /* hinting may widen the outline */
    box[1] = fits ? (int)floor(y + e->y_bearing) - 1 : 0;
    box[2] = fits ? (int)ceil(e->width) + 3 : 1;
    box[3] = fits ? (int)ceil(e->height) + 3 : 1;
    return fits;
}

static unsigned char *try_mask(struct font *font, double size, const char *text, double x, double y, int box[4])
{
    cairo_t *cairo = context(font, size);
    cairo_text_extents_t e = {0};
    cairo_text_extents(cairo, text, &e);
    const bool there = set_box(&e, x, y, box);
    cairo_move_to(cairo, x - box[0], y - box[1]);
    cairo_text_path(cairo, text);
    cairo_path_t *path = cairo_copy_path_flat(cairo);
    const size_t columns = (size_t)box[2], rows = (size_t)box[3];
    struct fill f = { calloc(rows * (columns + 1), sizeof *f.change), box[2], box[3] };
    unsigned char *mask = malloc(rows * columns);
    const bool ok = there && f.change && mask && path->status == CAIRO_STATUS_SUCCESS;
    if (ok) {
        add_path(&f, path);
        add_rows(&f, mask);
    }
    cairo_path_destroy(path);
    cairo_destroy(cairo);
    free(f.change);
    if (ok)
        return mask;
    free(mask);
    return NULL;
}

/* Both try twice: an allocation that failed may succeed the second time. */
double font_width(struct font *font, double size, const char *text)
{
    cairo_text_extents_t e;
    return font && (measure(font, size, text, &e) || measure(font, size, text, &e)) ? e.x_advance : -1;
}

unsigned char *font_mask(struct font *font, double size, const char *text, double x, double y, int box[4])
{
    unsigned char *mask = font ? try_mask(font, size, text, x, y, box) : NULL;
    return mask || !font ? mask : try_mask(font, size, text, x, y, box);
}

#else
struct font *font_open(void) { return NULL; }
void font_close(struct font *font) { (void)font; }
double font_width(struct font *font, double size, const char *text)
    { return (void)font, (void)size, (void)text, -1; }
unsigned char *font_mask(struct font *font, double size, const char *text, double x, double y, int box[4])
    { return (void)font, (void)size, (void)text, (void)x, (void)y, (void)box, NULL; }
#endif
