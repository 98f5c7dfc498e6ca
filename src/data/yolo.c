#include "data/yolo.h"

#include "data/folder.h"
#include "data/layout.h"
#include "data/rows.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { CLASS, CENTRE_X, CENTRE_Y, WIDTH, HEIGHT, COLUMNS };

bool yolo_parse(struct dataset_builder *b, int64_t image, int width, int height, int classes, struct bytes text,
                const char *path, struct error *err)
{
    struct rows rows;
    double row[COLUMNS];
    char at[512];
    int n;
    rows_begin(&rows, text, path);
    while ((n = rows_next(&rows, row, COLUMNS, err)) > 0) {
        snprintf(at, sizeof at, "%s:%d", path, rows.line);
        if (n < COLUMNS || row[CLASS] != floor(row[CLASS]))
            return fail(err, "%s: must be a class and four numbers", at);
        const double w = rint(row[WIDTH] * width), h = rint(row[HEIGHT] * height);
        struct annotation a = {
            .id = b->pending_count + 1,
            .box = { fmax(rint((row[CENTRE_X] - 0.5 * row[WIDTH]) * width), 0),
                     fmax(rint((row[CENTRE_Y] - 0.5 * row[HEIGHT]) * height), 0), fmin(w, width), fmin(h, height) } };
        a.area = a.box[2] * a.box[3];
        if (!(row[CLASS] >= 0 && row[CLASS] < classes))
            dataset_note(&b->set, NOTE_UNKNOWN_CLASS, "%s: %.0f", at, row[CLASS]);
        else if (w < 0 || h < 0)
            dataset_note(&b->set, NOTE_DEGENERATE, "%s", at);
        else if (!build_annotation(b, &a, image, (int64_t)row[CLASS] + 1, at, err))
            return false;
    }
    return n == 0;
}

static bool read_image(struct dataset_builder *b, const struct dataset_source *source, int64_t id, const char *stem,
                       struct error *err)
{
    int width, height;
    struct bytes text = {0};
    char *file = find_image(b, source, stem, &width, &height);
    char *path = stem_path(source->ann_path, stem, ".txt", err);
    bool ok = path != NULL;
    if (ok && width > 0) {
        const bool boxes = file_exists(path);
        if (!boxes)
            dataset_note(&b->set, NOTE_NO_ANNOTATIONS, "%s", path);
        ok = build_image(b, id, file, width, height, err)
          && (!boxes || (file_read(&text, path, err)
                         && yolo_parse(b, id, width, height, source->class_count, text, path, err)));
    }
    bytes_free(&text);
    free(path);
    free(file);
    return ok;
}

bool yolo_read(struct dataset_builder *b, const struct dataset_source *source, struct error *err)
{
    static const char *const suffix[] = { ".txt", NULL };
    return (source->classes_chosen || yolo_compare_classes(&b->set, source, err))
        && build_classes(b, source->class_names, source->class_count, err)
        && each_stem(b, source, source->ann_path, suffix, read_image, err);
}
