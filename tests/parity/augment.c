/* The room "augment": a case is geometry.json, colour.json or sizes.json. */
#include "fixture.h"

#include "../json_file.h"
#include "base/table.h"
#include "data/sample.h"
#include "rooms.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { BOXES = 4096 };
static const char *const factor_names[FACTORS] = {
    "perspective", "scale", "stretch", "rotation", "shear", "flip", "translate" };

static double real_at(const cJSON *object, const char *key, double fallback)
{
    fixture_json(object, key, &fallback, 1);
    return fallback;
}

static struct image_size size_at(const cJSON *object, const char *key)
{
    double v[2] = {0};
    fixture_json(object, key, v, 2);
    return (struct image_size){ (int)v[0], (int)v[1] };
}

/* The largest |got - want| over max(1, |want|) of the matrix at a key; infinite if there is none. */
static double matrix_distance(const struct matrix *got, const cJSON *object, const char *key)
{
    double want[9], worst = 0;
    if (fixture_json(object, key, want, 9) != 9)
        return INFINITY;
    for (int i = 0; i < 9; i++)
        worst = fixture_worse(worst, fabs(got->m[i / 3][i % 3] - want[i]) / fmax(1, fabs(want[i])));
    return worst;
}

static void compare_boxes(struct parity *p, const char *path, const cJSON *set, const struct matrix *matrix,
                          const char *what)
{
    static double in[4 * BOXES], want[4 * BOXES], empty[BOXES];
    static float box[BOXES][4];
    const int count = fixture_json(set, "boxes_in", in, 4 * BOXES) / 4;
    const int empties = fixture_json(set, "empty_after", empty, BOXES);
    double worst = fixture_json(set, "boxes_out", want, 4 * BOXES) == 4 * count ? 0 : INFINITY;
    for (int i = 0; i < 4 * count; i++)
        box[i / 4][i % 4] = (float)in[i];
    warp_boxes(matrix, size_at(set, "output"), count, box, box);
    for (int i = 0; i < 4 * count; i++)
        worst = fixture_worse(worst, fabs(box[i / 4][i % 4] - want[i]));
    for (int i = 0, k = 0; i < count && cJSON_HasObjectItem(set, "empty_after"); i++) {
        const bool is_empty = k < empties && empty[k] == i;
        k += is_empty;
        if (is_empty != (box[i][2] <= box[i][0] || box[i][3] <= box[i][1]))
            worst = INFINITY;
    }
    char text[64];
    snprintf(text, sizeof text, "%s boxes", what);
    parity_compare(p, path, worst, 1e-4, text);
}

static double draw_at(const cJSON *draws, const char *key)
{
    return real_at(cJSON_GetObjectItemCaseSensitive(draws, key), "value", NAN);
}

static void compare_current(struct parity *p, const char *path, const cJSON *set)
{
    const cJSON *config = cJSON_GetObjectItemCaseSensitive(set, "config"), *parts, *from;
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(set, "name");
    const char *what = cJSON_IsString(name) ? name->valuestring : "";
    const enum resize mode = real_at(set, "keep_ratio", 0) != 0 ? RESIZE_KEEP : RESIZE_STRETCH;
    const struct image_size source = size_at(set, "source"), output = size_at(set, "output");
    const int divisible = (int)real_at(config, "divisible", 0);
    const struct image_size ours = resize_size(mode, source, size_at(set, "requested"), divisible);
    from = cJSON_GetObjectItemCaseSensitive(set, "draws");
    parts = cJSON_GetObjectItemCaseSensitive(set, "parts");
    const struct draws draws = {
        .perspective = { draw_at(from, "perspective_x"), draw_at(from, "perspective_y") },
        .scale = draw_at(from, "scale"),
        .stretch = { draw_at(from, "stretch_x"), draw_at(from, "stretch_y") },
        .rotation = draw_at(from, "rotation_deg"),
        .shear = { draw_at(from, "shear_x_deg"), draw_at(from, "shear_y_deg") },
        .flip = draw_at(from, "flip") < real_at(config, "flip", 0),
        .translate = { draw_at(from, "translate_x"), draw_at(from, "translate_y") },
    };
    const struct matrix matrix = geometry_matrix(&draws, mode, source, ours);
    const struct matrix resize = resize_matrix(mode, source, ours);
    double worst = fixture_worse(matrix_distance(&matrix, set, "matrix"), matrix_distance(&resize, parts, "resize"));
    for (enum factor f = 0; f < FACTORS; f++) {
        const struct matrix factor = factor_matrix(f, &draws, source);
        worst = fixture_worse(worst, matrix_distance(&factor, parts, factor_names[f]));
    }
    if (ours.width != output.width || ours.height != output.height)
        worst = INFINITY;
    parity_compare(p, path, worst, 1e-12, what);
    compare_boxes(p, path, set, &matrix, what);
}

/* A step of the older pipeline: its values where its coin fell on 1, or it has no coin. */
static void read_step(struct draws *d, const cJSON *step, double flip)
{
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(step, "step");
    double v[2];
    double *const to[FACTORS] = { d->perspective, &d->scale, d->stretch, &d->rotation, d->shear, v, d->translate };
    for (int f = 0; f < FACTORS; f++)
        if (cJSON_IsString(name) && strcmp(name->valuestring, factor_names[f]) == 0) {
            const int values = f == SCALE || f == ROTATION || f == FLIP ? 1 : 2;
            if (fixture_json(step, "values", to[f], values) == 1 && f == FLIP)
                d->flip = v[0] < flip;
        }
}

static void compare_letterbox(struct parity *p, const char *path, const cJSON *set)
{
    const cJSON *config = cJSON_GetObjectItemCaseSensitive(set, "config"), *step;
    const enum resize mode = real_at(set, "keep_ratio", 0) != 0 ? RESIZE_LETTERBOX : RESIZE_STRETCH;
    struct draws draws = draws_none;
    cJSON_ArrayForEach(step, cJSON_GetObjectItemCaseSensitive(set, "steps"))
        read_step(&draws, step, real_at(config, "flip", 0));
    const struct matrix matrix = geometry_matrix(&draws, mode, size_at(set, "source"), size_at(set, "output"));
    parity_compare(p, path, matrix_distance(&matrix, set, "matrix"), 1e-12, "letterbox");
    compare_boxes(p, path, set, &matrix, "letterbox");
}

static void compare_geometry(struct parity *p, const char *path, const cJSON *json)
{
    const cJSON *set;
    cJSON_ArrayForEach(set, cJSON_GetObjectItemCaseSensitive(json, "current"))
        compare_current(p, path, set);
    cJSON_ArrayForEach(set, cJSON_GetObjectItemCaseSensitive(json, "letterbox"))
        compare_letterbox(p, path, set);
}

/* One stage of one image: its bytes through `jitter` and the normalising of `config`, against a tensor. */
static double stage_distance(struct tensors *t, int index, const char *stage, const struct pipeline_config *config,
                             const struct colour_jitter *jitter)
{
    char in_name[32], name[64];
    snprintf(in_name, sizeof in_name, "%d.in", index);
    snprintf(name, sizeof name, "%d.%s", index, stage);
    const struct tensor *in = tensors_find(t, in_name), *out = tensors_find(t, name);
    const float *want = fixture_floats(t, name);
    float *got = out ? tensors_block(t, tensor_count(out), sizeof *got, NULL) : NULL;
    double worst = 0;
    if (!want || !got || !in || in->dtype != DTYPE_U8 || tensor_count(in) != tensor_count(out))
        return INFINITY;
    struct colour_map map;
    colour_map(&map, config, jitter);
    colour_row(&map, (int)(tensor_count(in) / 3), (const void *)in->data, (void *)got);
    for (size_t i = 0; i < tensor_count(out); i++)
        worst = fixture_worse(worst, fabs(got[i] - want[i]));
    return worst;
}

static void compare_colours(struct parity *p, const char *path, const cJSON *json, struct tensors *t)
{
    static const struct pipeline_config plain = { .normalize = {{0}, { 255, 255, 255 }} };
    struct pipeline_config config = plain;
    const cJSON *c;
    fixture_json(json, "mean", config.normalize[0], 3);
    fixture_json(json, "std", config.normalize[1], 3);
    cJSON_ArrayForEach(c, cJSON_GetObjectItemCaseSensitive(json, "cases")) {
        const cJSON *draws = cJSON_GetObjectItemCaseSensitive(c, "draws");
        const int index = (int)real_at(c, "index", -1);
        struct colour_jitter jitter = no_colour_jitter;
        float *const steps[] = { &jitter.brightness, &jitter.contrast, &jitter.saturation };
        static const char *const names[] = { "brightness", "contrast", "saturation" };
        double worst = 0, drawn;
        for (int i = 0; i < 3; i++)
            if (fixture_json(draws, names[i], &drawn, 1)) {
                char stage[32];
                snprintf(stage, sizeof stage, "after_%s", names[i]);
                *steps[i] = (float)drawn;
                worst = fixture_worse(worst, stage_distance(t, index, stage, &plain, &jitter));
            }
        char what[32];
        snprintf(what, sizeof what, "colour %d", index);
        parity_compare(p, path, fixture_worse(worst, stage_distance(t, index, "out", &config, &jitter)), 1e-5, what);
    }
}

static void compare_colour(struct parity *p, const char *path, const cJSON *json)
{
    char tensors[4096];
    struct tensors t = {0};
    snprintf(tensors, sizeof tensors, "%.*ssafetensors", (int)(strlen(path) - strlen("json")), path);
    if (fixture_open(&t, p, tensors))
        compare_colours(p, path, json, &t);
    tensors_free(&t);
}

static bool same_size(struct image_size a, struct image_size b) { return a.width == b.width && a.height == b.height; }

static void compare_sizes(struct parity *p, const char *path, const cJSON *json)
{
    const cJSON *c;
    int wrong = 0;
    cJSON_ArrayForEach(c, cJSON_GetObjectItemCaseSensitive(json, "multi_scale"))
        wrong += !same_size(scaled_size(size_at(c, "input"), real_at(c, "draw", NAN)), size_at(c, "size"));
    cJSON_ArrayForEach(c, cJSON_GetObjectItemCaseSensitive(json, "keep_ratio_size"))
        wrong += !same_size(resize_size(RESIZE_KEEP, size_at(c, "source"), size_at(c, "requested"),
                                        (int)real_at(c, "divisible", 0)), size_at(c, "size"));
    parity_compare(p, path, wrong, 0, "sizes that differ");
}

static const struct file {
    const char *name;
    void (*compare)(struct parity *, const char *path, const cJSON *);
} files[] = {
    { "colour.json", compare_colour },
    { "geometry.json", compare_geometry },
    { "sizes.json", compare_sizes },
    {0} };

void parity_augment(struct parity *p, const char *path)
{
    const char *slash = strrchr(path, '/');
    const struct file *file = find_row(slash ? slash + 1 : path, files, sizeof *file);
    struct error err = {0};
    cJSON *json = file ? json_read(path, &err) : NULL;
    if (json)
        file->compare(p, path, json);
    else if (file)
        parity_fail(p, path, "%s", err.text);
    else
        parity_skip(p, path, "nothing here knows this file");
    cJSON_Delete(json);
}
