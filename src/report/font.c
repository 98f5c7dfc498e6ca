#include "report/font.h"

#include <stdlib.h>

#ifdef HAVE_CAIRO
#include <cairo.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
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

struct font { cairo_t *cairo; unsigned char pixels[4]; };       /* measures and outlines; draws nothing */

static bool measure(const struct font *font, double size, const char *text, cairo_text_extents_t *extents)
{
    if (!font)
        return false;
    cairo_set_font_size(font->cairo, size);
    cairo_text_extents(font->cairo, text, extents);
    return cairo_status(font->cairo) == CAIRO_STATUS_SUCCESS;
}

void font_close(struct font *font)
{
    if (font)
        cairo_destroy(font->cairo);
    free(font);
}

/* Without fonts on the machine cairo draws letters of its own, which are no more than ASCII. */
static bool found(const struct font *font)
{
    cairo_text_extents_t extents;
    return measure(font, 16, "A", &extents) && extents.x_advance > 0
        && cairo_scaled_font_get_type(cairo_get_scaled_font(font->cairo)) != CAIRO_FONT_TYPE_USER;
}

static struct font *try_open(void)
{
    struct font *font = calloc(1, sizeof *font);
    if (!font)
        return NULL;
    cairo_surface_t *surface = cairo_image_surface_create_for_data(font->pixels, CAIRO_FORMAT_A8, 1, 1, 4);
    font->cairo = cairo_create(surface);
    cairo_surface_destroy(surface);             /* the context keeps it */
    cairo_select_font_face(font->cairo, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
    if (found(font))
        return font;
    font_close(font);
    return NULL;
}

/* Fontconfig crashes if memory is short, and waits for ever if its settings are a pipe.  So a child process tries
 * first, without messages: what happens to it would happen here. */
static bool child_opens(void)
{
    enum { SECONDS = 10 };
    int status = 1;
    const pid_t child = fork();
    if (child == 0) {
        alarm(SECONDS);
        dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
        _exit(try_open() ? 0 : 1);
    }
    if (child < 0)
        return false;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return status == 0;
}

struct font *font_open(void) { return child_opens() ? try_open() : NULL; }

double font_width(const struct font *font, double size, const char *text)
{
    cairo_text_extents_t extents;
    return measure(font, size, text, &extents) ? extents.x_advance : -1;
}

/* Cairo's drawing functions crash if memory is short, its outlines do not; so outlines are filled here.  change holds,
 * per pixel, the coverage minus that of the pixel on its left: an edge that runs down a row adds to it, one that runs
 * up takes from it. */
struct fill { float *change; int width, height; };              /* change[height][width + 1] */

static void add_edge(const struct fill *f, const double p[2], const double q[2])
{
    enum { LINES = 8 };                         /* per row */
    const double top = fmax(0, fmin(p[1], q[1])), bottom = fmin(f->height, fmax(p[1], q[1]));
    const double slope = (q[0] - p[0]) / (q[1] - p[1]), part = (p[1] < q[1] ? 1.0 : -1.0) / LINES;
    for (int i = (int)ceil(top * LINES - 0.5); i + 0.5 < bottom * LINES; i++) {
        const double x = fmax(0, fmin(f->width - 1, p[0] + slope * ((i + 0.5) / LINES - p[1])));
        float *at = f->change + (ptrdiff_t)(i / LINES) * (f->width + 1) + (int)x;
        at[0] += (float)(part * (1 - (x - floor(x))));
        at[1] += (float)(part * (x - floor(x)));
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

static cairo_path_t *outline(const struct font *font, const char *text, double x, double y)
{
    cairo_new_path(font->cairo);
    cairo_move_to(font->cairo, x, y);
    cairo_text_path(font->cairo, text);
    return cairo_copy_path_flat(font->cairo);
}

unsigned char *font_mask(const struct font *font, double size, const char *text, double x, double y, int box[4])
{
    enum { SIDE_MAX = 1 << 14 };
    cairo_text_extents_t e;
    if (!measure(font, size, text, &e) || !(e.width < SIDE_MAX && e.height < SIDE_MAX && fabs(x) + fabs(y) < 1e9))
        return NULL;
    box[0] = (int)floor(x + e.x_bearing) - 1;                   /* hinting may widen the outline */
    box[1] = (int)floor(y + e.y_bearing) - 1;
    box[2] = (int)ceil(e.width) + 3;
    box[3] = (int)ceil(e.height) + 3;
    const size_t columns = (size_t)box[2], rows = (size_t)box[3];
    struct fill f = { calloc(rows * (columns + 1), sizeof *f.change), box[2], box[3] };
    unsigned char *mask = malloc(rows * columns);
    cairo_path_t *path = outline(font, text, x - box[0], y - box[1]);
    const bool ok = f.change && mask && path->status == CAIRO_STATUS_SUCCESS;
    if (ok)
        add_path(&f, path);
    for (size_t row = 0; ok && row < rows; row++) {
        float sum = 0;
        for (size_t i = 0; i < columns; i++) {
            sum += f.change[row * (columns + 1) + i];
            mask[row * columns + i] = (unsigned char)(255 * fminf(1, fabsf(sum)) + 0.5f);
        }
    }
    cairo_path_destroy(path);
    free(f.change);
    if (ok)
        return mask;
    free(mask);
    return NULL;
}

#else
struct font *font_open(void) { return NULL; }
void font_close(struct font *font) { (void)font; }
double font_width(const struct font *font, double size, const char *text)
    { return (void)font, (void)size, (void)text, -1; }
unsigned char *font_mask(const struct font *font, double size, const char *text, double x, double y, int box[4])
    { return (void)font, (void)size, (void)text, (void)x, (void)y, (void)box, NULL; }
#endif
