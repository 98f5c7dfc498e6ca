#include "data/yolo.h"

#include "base/file.h"
#include "data/folder.h"
#include "data/layout.h"
#include <math.h>
#include <stdio.h>

enum { CLASS, CENTRE_X, CENTRE_Y, WIDTH, HEIGHT, COLUMNS };

/* Rows of segmentations and of rotated boxes are polygons: class, x, y, x, y, ... */
static bool is_polygon(int n) { return n > COLUMNS && n % 2; }

static bool is_box(const double *row, int n, struct error *why)
{
    if (n != COLUMNS && !is_polygon(n))
        return fail(why, "%d numbers, too %s: a box is class, centre x, centre y, width, height", n,
                    n > COLUMNS ? "many" : "few");
    return row[CLASS] == floor(row[CLASS])
        || fail(why, "the class %g is not a whole number", row[CLASS]);
}

/* Replaces a polygon by the box around it. */
static void bound_polygon(double *row, const struct number_rows *rows)
{
    for (int i = 0; i < 2; i++) {
        row[CENTRE_X + i] = (rows->min[i] + rows->max[i]) / 2;
        row[WIDTH + i] = rows->max[i] - rows->min[i];
    }
}

static bool add_box(struct dataset_builder *b, struct yolo_image image, int classes, double *row,
                    const struct number_rows *rows, struct error *err)
{
    char at[512];
    snprintf(at, sizeof at, "%s:%d", rows->path, rows->line);
    if (is_polygon(rows->columns)) {
        bound_polygon(row, rows);
        dataset_note(&b->set, NOTE_POLYGON, "%s", at);
    }
    const double w = row[WIDTH] * image.width, h = row[HEIGHT] * image.height;
    const struct annotation a = {
        .id = b->pending_count + 1, .line = rows->line, .area = w * h,
        .box = { (row[CENTRE_X] - 0.5 * row[WIDTH]) * image.width, (row[CENTRE_Y] - 0.5 * row[HEIGHT]) * image.height,
                 w, h } };
    if (!(row[CLASS] >= 0 && row[CLASS] < classes))
        dataset_note(&b->set, NOTE_UNKNOWN_CLASS, "%s: class %.0f of %d, the first being 0", at, row[CLASS], classes);
    else if (rint(w) < 0 || rint(h) < 0)
        dataset_note(&b->set, NOTE_DEGENERATE, "%s", at);
    else
        return build_annotation(b, &a, image.id, (int64_t)row[CLASS] + 1, at, err);
    return true;
}

bool yolo_parse(struct dataset_builder *b, struct yolo_image image, int classes, struct bytes text, const char *path,
                struct error *err)
{
    struct number_rows rows;
    double row[ROW_COLUMNS];
    bool ok = true;
    number_rows_begin(&rows, text, path);
    while (ok && number_rows_next_box(&rows, row, is_box, &b->set))
        ok = add_box(b, image, classes, row, &rows, err);
    return ok;
}

/* The boxes of an image whose size is unknown; rows that are not boxes are problems. */
static int count_boxes(struct bytes text, const char *path, struct dataset *set)
{
    struct number_rows rows;
    double row[ROW_COLUMNS];
    int count = 0;
    number_rows_begin(&rows, text, path);
    while (number_rows_next_box(&rows, row, is_box, set))
        count++;
    return count;
}

static bool read_image(struct dataset_builder *b, const struct dataset_source *source, int64_t id, const char *stem,
                       struct error *err)
{
    struct image_text t;
    bool ok = image_text_open(&t, b, source, stem, is_box, err);
    const struct yolo_image image = { id, t.size.width, t.size.height };
    if (ok && !t.stray)
        ok = build_image(b, id, t.file, image.width, image.height, err);
    if (ok && image.width)
        ok = yolo_parse(b, image, source->class_count, t.text, t.path, err);
    else if (ok && !t.stray)
        b->set.images[b->set.image_count - 1].unscaled = count_boxes(t.text, t.path, &b->set);
    image_text_free(&t);
    return ok;
}

bool yolo_read(struct dataset_builder *b, const struct dataset_source *source, struct error *err)
{
    static const char *const suffix[] = { ".txt", NULL };
    const struct stem_folder folders[2] = { { source->img_path, image_suffixes }, { source->ann_path, suffix } };
    b->clip = b->round = true;
    return (source->classes_chosen || yolo_compare_classes(&b->set, source, err))
        && build_classes(b, source->class_names, source->class_count, err)
        && each_stem(b, source, folders, read_image, err);
}
