#include "data/visdrone.h"

#include "base/file.h"
#include "data/folder.h"
#include <math.h>
#include <stdio.h>

static const char *const categories[] = {
    "ignored regions", "pedestrian", "people", "bicycle", "car", "van", "truck", "tricycle", "awning-tricycle", "bus",
    "motor", "others"
};
enum { CATEGORIES = sizeof categories / sizeof *categories, IGNORED_REGIONS = 0, OTHERS = 11 };

enum { X, Y, WIDTH, HEIGHT, SCORE, CATEGORY, TRUNCATION, OCCLUSION, COLUMNS };

static bool is_box(const double *row, int n, struct error *why)
{
    if (n != COLUMNS)
        return fail(why, "%d numbers, too %s: a box is x, y, width, height, score, category, truncation, occlusion", n,
                    n > COLUMNS ? "many" : "few");
    const double category = row[CATEGORY];
    return (category >= 0 && category < CATEGORIES && category == floor(category))
        || fail(why, "the category %g is not a whole number from 0 to %d", category, CATEGORIES - 1);
}

static bool add_box(struct dataset_builder *b, int64_t image, const double *row, const struct number_rows *rows,
                    struct error *err)
{
    const int category = (int)row[CATEGORY];
    const bool ignore = row[SCORE] == 0 || category == IGNORED_REGIONS || category == OTHERS;
    const struct annotation a = {
        .id = b->pending_count + 1, .line = rows->line, .box = { row[X], row[Y], row[WIDTH], row[HEIGHT] },
        .area = row[WIDTH] * row[HEIGHT], .crowd = ignore, .ignore = ignore };
    char at[512];
    snprintf(at, sizeof at, "%s:%d", rows->path, rows->line);
    return build_annotation(b, &a, image, category, at, err);
}

bool visdrone_parse(struct dataset_builder *b, int64_t image, struct bytes text, const char *path, struct error *err)
{
    struct number_rows rows;
    double row[ROW_COLUMNS];
    bool ok = true;
    number_rows_begin(&rows, text, path);
    while (ok && number_rows_next_box(&rows, row, is_box, &b->set))
        ok = add_box(b, image, row, &rows, err);
    return ok;
}

static bool read_image(struct dataset_builder *b, const struct dataset_source *source, int64_t id, const char *stem,
                       struct error *err)
{
    struct image_text t;
    bool ok = image_text_open(&t, b, source, stem, is_box, err);
    if (ok && !t.stray)
        ok = build_image(b, id, t.file, t.size.width, t.size.height, err)
          && visdrone_parse(b, id, t.text, t.path, err);
    image_text_free(&t);
    return ok;
}

bool visdrone_read(struct dataset_builder *b, const struct dataset_source *source, struct error *err)
{
    static const char *const suffix[] = { ".txt", NULL };
    const struct stem_folder texts = { source->ann_path, suffix }, images = { source->img_path, image_suffixes };
    const struct stem_folder both[2] = { images, texts }, alone[2] = { texts };
    for (int i = 0; i < CATEGORIES; i++)
        if (!build_category(b, i, categories[i], err))
            return false;
    return each_stem(b, source, images.path ? both : alone, read_image, err);
}
