#include "data/visdrone.h"

#include "data/folder.h"
#include "data/rows.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const categories[] = {
    "ignored regions", "pedestrian", "people", "bicycle", "car", "van", "truck", "tricycle", "awning-tricycle", "bus",
    "motor", "others"
};
enum { CATEGORIES = sizeof categories / sizeof *categories, IGNORED_REGIONS = 0, OTHERS = 11 };

enum { X, Y, WIDTH, HEIGHT, SCORE, CATEGORY, TRUNCATION, OCCLUSION, COLUMNS };

bool visdrone_parse(struct dataset_builder *b, int64_t image, struct bytes text, const char *path, struct error *err)
{
    struct rows rows;
    double row[COLUMNS];
    char at[512];
    int n;
    rows_begin(&rows, text, path);
    while ((n = rows_next(&rows, row, COLUMNS, err)) > 0) {
        const double category = row[CATEGORY];
        snprintf(at, sizeof at, "%s:%d", path, rows.line);
        if (n < COLUMNS || !(category >= 0 && category < CATEGORIES) || category != floor(category))
            return fail(err, "%s: must be 8 numbers, the sixth a category from 0 to 11", at);
        const bool ignore = row[SCORE] == 0 || category == IGNORED_REGIONS || category == OTHERS;
        const struct annotation a = {
            .id = b->pending_count + 1, .box = { row[X], row[Y], row[WIDTH], row[HEIGHT] },
            .area = row[WIDTH] * row[HEIGHT], .crowd = ignore, .ignore = ignore };
        if (!build_annotation(b, &a, image, (int64_t)category, at, err))
            return false;
    }
    return n == 0;
}

static bool read_boxes(struct dataset_builder *b, int64_t image, const char *path, struct error *err)
{
    struct bytes text;
    if (!file_exists(path)) {
        dataset_note(&b->set, NOTE_NO_ANNOTATIONS, "%s", path);
        return true;
    }
    const bool ok = file_read(&text, path, err) && visdrone_parse(b, image, text, path, err);
    bytes_free(&text);
    return ok;
}

static bool read_image(struct dataset_builder *b, const struct dataset_source *source, int64_t id, const char *stem,
                       struct error *err)
{
    int width = 0, height = 0;
    char *file = source->img_path ? find_image(b, source, stem, &width, &height) : NULL;
    char *boxes = stem_path(source->ann_path, stem, ".txt", err);
    if (!file)
        file = stem_path("", stem, ".jpg", err);
    const bool ok = file && boxes && build_image(b, id, file, width, height, err) && read_boxes(b, id, boxes, err);
    free(boxes);
    free(file);
    return ok;
}

bool visdrone_read(struct dataset_builder *b, const struct dataset_source *source, struct error *err)
{
    static const char *const text_suffix[] = { ".txt", NULL };
    for (int i = 0; i < CATEGORIES; i++)
        if (!build_category(b, i, categories[i], err))
            return false;
    return each_stem(b, source, source->img_path ? source->img_path : source->ann_path,
                     source->img_path ? image_suffixes : text_suffix, read_image, err);
}
