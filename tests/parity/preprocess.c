/* The room "preprocess": its case is meta.json, which lists images and the ways each of them was resized. */
#include "../there.h"
#include "base/path.h"
#include "fixture.h"

#include "../json_file.h"
#include "base/memory.h"
#include "base/table.h"
#include "data/sample.h"
#include "rooms.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GRID = 16 };             /* tensors `grid` and `norm` hold pixels of a grid of GRID x GRID */

struct trial {
    struct parity *p;
    const char *folder, *path;  /* of the fixtures; of the tensors of this image */
    struct tensors t;
    struct image source;
    double slack;               /* tolerance in levels for a decoder that differs from the fixture's */
    const char *entry;
};

static void report(const struct trial *k, double worst, double tolerance, const char *what)
{
    char text[128];
    snprintf(text, sizeof text, "%s %s", k->entry, what);
    parity_compare(k->p, k->path, worst, tolerance, text);
}

static const char *text_at(const cJSON *object, const char *key)
{
    const cJSON *text = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsString(text) ? text->valuestring : NULL;
}

static const struct tensor *tensor_of(const struct trial *k, const char *name, enum dtype dtype, size_t count)
{
    char full[96];
    snprintf(full, sizeof full, "%s.%s", k->entry, name);
    const struct tensor *t = tensors_find(&k->t, full);
    return t && t->dtype == dtype && tensor_count(t) == count ? t : NULL;
}

/* The pixel of an image at a position of the grid. */
static size_t grid_pixel(struct image_size size, int place)
{
    const int y = (2 * (place / GRID) + 1) * size.height / (2 * GRID);
    const int x = (2 * (place % GRID) + 1) * size.width / (2 * GRID);
    return 3 * ((size_t)y * (size_t)size.width + (size_t)x);
}

static void compare_grid(const struct trial *k, const unsigned char *pixels, struct image_size size)
{
    const struct tensor *want = tensor_of(k, "grid", DTYPE_U8, 3 * GRID * GRID);
    double worst = want ? 0 : INFINITY, sum = 0;
    for (int i = 0; want && i < 3 * GRID * GRID; i++) {
        const double d = abs(pixels[grid_pixel(size, i / 3) + (size_t)(i % 3)] - want->data[i]);
        worst = fmax(worst, d);
        sum += d;
    }
    report(k, worst, 1 + k->slack, "grid");
    if (k->slack == 0)
        report(k, sum / (3 * GRID * GRID), 0.01, "grid, mean");
}

static void compare_png(const struct trial *k, const cJSON *entry, const struct sample *s)
{
    struct image want = {0};
    struct error err = {0};
    double worst = 0, sum = 0;
    char *path = path_join(k->folder, text_at(entry, "png"), &err);
    if (!path || !image_read(&want, path, &err))
        parity_fail(k->p, k->path, "%s", err.text);
    else if (want.width != s->input.width || want.height != s->input.height)
        worst = INFINITY;
    const size_t count = want.p && worst == 0 ? 3 * (size_t)want.width * (size_t)want.height : 0;
    for (size_t i = 0; i < count; i++) {
        const double d = abs(s->pixels[i] - want.p[i]);
        worst = fmax(worst, d);
        sum += d;
    }
    report(k, worst, 1 + k->slack, "png");
    if (k->slack == 0)
        report(k, sum / (double)count, 0.01, "png, mean");
    image_free(&want);
    free(path);
}

/* Normalised values at the grid, where the pixel there is the fixture's, and black padding. */
static void compare_batch(const struct trial *k, const cJSON *entry, const struct batch *b)
{
    const struct tensor *grid = tensor_of(k, "grid", DTYPE_U8, 3 * GRID * GRID);
    const struct tensor *norm = tensor_of(k, "norm", DTYPE_F32, 3 * GRID * GRID);
    const struct sample *s = b->samples;
    float want[3 * GRID * GRID];
    double worst = grid && norm ? 0 : INFINITY, padded[2] = {0}, stray = 0;
    if (norm)
        tensor_floats(norm, want);
    for (int i = 0; grid && norm && i < 3 * GRID * GRID; i++) {
        const size_t at = grid_pixel(s->input, i / 3), width = (size_t)s->input.width, channel = (size_t)(i % 3);
        const float got = b->image[3 * (at / 3 / width * (size_t)b->w + at / 3 % width) + channel];
        if (s->pixels[at + channel] == grid->data[i])
            worst = fixture_worse(worst, fabsf(got - want[i]));
    }
    for (int y = 0; y < b->h; y++)
        for (int x = 0; x < b->w; x++)
            if (y >= s->input.height || x >= s->input.width)
                stray = fixture_worse(stray, fabsf(b->image[3 * ((size_t)y * (size_t)b->w + (size_t)x)]));
    fixture_json(entry, "padded", padded, 2);
    report(k, worst, 4e-7, "normalised");
    report(k, fabs(b->w - padded[0]) + fabs(b->h - padded[1]) + stray, 0, "padding");
}

static void compare_means(const struct trial *k, const cJSON *entry, const struct batch *b)
{
    const struct sample *s = b->samples;
    const double area = (double)s->input.width * s->input.height;
    double mean[3] = {0}, norm[3] = {0}, want[3] = {0}, want_norm[3] = {0}, worst = 0, worst_norm = 0;
    for (int y = 0; y < s->input.height; y++)
        for (int i = 0; i < 3 * s->input.width; i++) {
            mean[i % 3] += s->pixels[3 * (ptrdiff_t)y * s->input.width + i] / area;
            norm[i % 3] += b->image[3 * (ptrdiff_t)y * b->w + i] / area;
        }
    fixture_json(entry, "mean_bgr", want, 3);
    fixture_json(entry, "norm_mean", want_norm, 3);
    for (int c = 0; c < 3; c++) {
        worst = fixture_worse(worst, fabs(mean[c] - want[c]));
        worst_norm = fixture_worse(worst_norm, fabs(norm[c] - want_norm[c]) * 57);   /* levels: std is about 57 */
    }
    report(k, fixture_worse(worst, worst_norm), 0.01 + k->slack, "channel means");
}

static void compare_entry(const struct trial *k, const cJSON *entry)
{
    static const struct row { const char *name; enum resize mode; } modes[] = {
        { "stretch", RESIZE_STRETCH }, { "keep", RESIZE_KEEP }, { "letterbox", RESIZE_LETTERBOX }, {0} };
    const char *mode = text_at(entry, "mode");
    const struct tensor *matrix = tensor_of(k, "matrix", DTYPE_F64, 9);
    double requested[2] = {0}, output[2] = {0}, want[9];
    struct data_config config = { .multi_scale = { 1, 1 }, .pipeline = {
        .scale = { 1, 1 }, .stretch = {{ 1, 1 }, { 1, 1 }}, .contrast = { 1, 1 }, .saturation = { 1, 1 },
        .normalize = {{ 103.53, 116.28, 123.675 }, { 57.375, 57.12, 58.395 }} } };
    struct random random = {0};
    struct batch batch = {0};
    struct error err = {0};
    const struct row *row = find_row(mode ? mode : "", modes, sizeof *modes);
    fixture_json(entry, "requested", requested, 2);
    fixture_json(entry, "width", &output[0], 1);
    fixture_json(entry, "height", &output[1], 1);
    config.input_size[0] = (int)requested[0];
    config.input_size[1] = (int)requested[1];
    config.resize = row ? row->mode : RESIZE_STRETCH;
    if (!row || !matrix || !batch_resize(&batch, 1, &err)
        || !sample_make(batch.samples, &config, &k->source, &random, &err)
        || !batch_stack(&batch, &config.pipeline, &err)) {
        parity_fail(k->p, k->path, "%s: %s", k->entry, err.exit ? err.text : "no such mode or no matrix");
    } else if (batch.samples->input.width != output[0] || batch.samples->input.height != output[1]) {
        report(k, INFINITY, 0, "size");
    } else {
        tensor_doubles(matrix, want);
        report(k, fixture_distance(batch.samples->matrix.m[0], want, 9), 1e-12, "matrix");
        compare_grid(k, batch.samples->pixels, batch.samples->input);
        if (text_at(entry, "png"))
            compare_png(k, entry, batch.samples);
        compare_batch(k, entry, &batch);
        compare_means(k, entry, &batch);
    }
    batch_free(&batch);
}

/* The source decoded by the fixture's decoder if the fixture has it, else the photograph, decoded here. */
static bool read_source(struct trial *k, const cJSON *image)
{
    const char *png = text_at(image, "source_png"), *file = text_at(image, "file");
    struct error err = {0};
    char *path = path_join(png ? k->folder : k->p->data, png ? png : file ? file : "", &err);
    const bool here = path && file_exists(path), ok = here && image_read(&k->source, path, &err);
    if (!here)
        parity_skip(k->p, k->path, "no %s", path ? path : "path");
    else if (!ok)
        parity_fail(k->p, k->path, "%s", err.text);
    free(path);
    return ok;
}

static void compare_image(struct parity *p, const char *folder, const cJSON *image)
{
    const char *tensors = text_at(image, "tensors");
    struct error err = {0};
    struct trial k = { .p = p, .folder = folder, .entry = "decoded" };
    char *path = path_join(folder, tensors ? tensors : "", &err);
    k.path = path ? path : folder;
    if (fixture_open(&k.t, p, k.path) && read_source(&k, image)) {
        const struct tensor *want = tensor_of(&k, "grid", DTYPE_U8, 3 * GRID * GRID);
        const struct image_size size = { k.source.width, k.source.height };
        for (int i = 0; want && i < 3 * GRID * GRID; i++)
            if (k.source.p[grid_pixel(size, i / 3) + (size_t)(i % 3)] != want->data[i])
                k.slack = 2;
        compare_grid(&k, k.source.p, size);
        const cJSON *entry;
        cJSON_ArrayForEach(entry, cJSON_GetObjectItemCaseSensitive(image, "entries")) {
            k.entry = text_at(entry, "name") ? text_at(entry, "name") : "";
            compare_entry(&k, entry);
        }
    }
    image_free(&k.source);
    tensors_free(&k.t);
    free(path);
}

void parity_preprocess(struct parity *p, const char *path)
{
    struct error err = {0};
    char *folder = new_text(path, &err);
    cJSON *json = folder ? json_read(path, &err) : NULL;
    const cJSON *image;
    if (!json)
        parity_fail(p, path, "%s", err.text);
    else {
        char *slash = strrchr(folder, '/');
        *(slash ? slash : folder) = 0;
        cJSON_ArrayForEach(image, cJSON_GetObjectItemCaseSensitive(json, "images"))
            compare_image(p, folder, image);
    }
    cJSON_Delete(json);
    free(folder);
}
