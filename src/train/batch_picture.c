#include "train/batch_picture.h"

#include "base/min_max.h"
#include "base/path.h"
#include "report/boxes.h"
#include "report/canvas.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { SAMPLES = 16, QUALITY = 85 };

/* A sample of the batch at (left, top) of the picture, with the colours of the image. */
static void copy_sample(const struct image *out, const struct batch *b, int index, int left, int top,
                        const struct pipeline_config *p)
{
    for (int y = 0; y < b->h; y++)
        for (int x = 0; x < b->w; x++)
            for (int c = 0; c < 3; c++) {
                const double v = b->image[(((ptrdiff_t)index * b->h + y) * b->w + x) * 3 + c];
                const double pixel = v * p->normalize[1][c] + p->normalize[0][c];
                out->p[3 * ((ptrdiff_t)(top + y) * out->width + left + x) + c] =
                    (unsigned char)lrint(fmin(fmax(pixel, 0), 255));
            }
}

static void draw_box(struct canvas *c, const float corners[4], int left, int top, uint32_t colour, const char *name)
{
    const double size = 13, room = 20;          /* of a line of text; of the smallest box with a name; pixels */
    const double x = corners[0], y0 = corners[1], box[4] = { left + x, top + y0, corners[2] - x, corners[3] - y0 };
    if (!(box[2] > 0 && box[3] > 0))            /* outside of the input */
        return;
    canvas_frame(c, box, 2, colour);
    if (!name || box[2] < room || box[3] < room)
        return;
    const double y = fmax(box[1] - size, top), field[4] = { box[0], y, canvas_text_width(c, size, name) + 4, size };
    canvas_fill(c, field, colour);
    canvas_text(c, box[0] + 2, y + 0.8 * size, size, 0xffffffff, name);
}

static void draw_sample(struct canvas *c, const struct sample *s, int left, int top, const struct strings *class_names)
{
    for (int i = 0; i < s->objects.ignored; i++)
        draw_box(c, s->objects.ignore[i], left, top, 0x9aa4afff, NULL);
    for (int i = 0; i < s->objects.count; i++) {
        const int label = s->objects.label[i];
        draw_box(c, s->objects.box[i], left, top, box_colour(label), class_names->at[label]);
    }
}

bool batch_picture(struct image *out, const struct batch *b, const struct data_config *config,
                   const struct strings *class_names, struct error *err)
{
    const int n = min_int(b->n, SAMPLES), columns = (int)ceil(sqrt(n)), rows = (n + columns - 1) / columns;
    struct canvas canvas = {0};
    if (!image_new(out, columns * b->w, rows * b->h, err))
        return false;
    for (ptrdiff_t i = 0; i < 3 * (ptrdiff_t)out->width * out->height; i++)
        out->p[i] = 0;
    const bool ok = canvas_open(&canvas, out->p, out->width, out->height, NULL, err);
    for (int i = 0; ok && i < n; i++) {
        const int left = i % columns * b->w, top = i / columns * b->h;
        copy_sample(out, b, i, left, top, &config->pipeline);
        draw_sample(&canvas, &b->samples[i], left, top, class_names);
    }
    canvas_close(&canvas);
    if (!ok)
        image_free(out);
    return ok;
}

void batch_picture_write(const struct batch *b, const struct config *config, struct log *log)
{
    if (b->epoch > 0 || b->step >= BATCH_PICTURES)
        return;
    char name[32];
    struct image picture = {0};
    struct error why = {0};
    snprintf(name, sizeof name, "train_batch%d.jpg", b->step);
    char *path = path_join(config->save_dir, name, &why);
    if (!path || !batch_picture(&picture, b, &config->train, &config->class_names, &why)
        || !image_write_jpeg(&picture, QUALITY, path, &why))
        log_line(log, "%s is not drawn: %s", name, why.text);
    image_free(&picture);
    free(path);
}
