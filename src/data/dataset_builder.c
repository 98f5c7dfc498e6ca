#include "data/dataset_builder.h"

#include "base/memory.h"
#include "base/text_file.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool build_image(struct dataset_builder *b, int64_t id, const char *file, int width, int height, struct error *err)
{
    struct dataset *set = &b->set;
    if (!grow_array(&set->images, set->image_count, &b->image_capacity, sizeof *set->images, err))
        return false;
    char *copy = new_text(file, err);
    if (!copy)
        return false;
    set->images[set->image_count++] = (struct image_record){ .id = id, .file = copy, .width = width, .height = height };
    return true;
}

bool build_category(struct dataset_builder *b, int64_t id, const char *name, struct error *err)
{
    struct dataset *set = &b->set;
    if (!grow_array(&set->categories, set->category_count, &b->category_capacity, sizeof *set->categories, err))
        return false;
    const bool foreign = !text_is_utf8(name);
    char *copy = foreign ? text_from_1252(name, err) : new_text(name, err);
    if (!copy)
        return false;
    if (foreign)
        dataset_note(set, NOTE_ENCODING, "%s", copy);
    set->categories[set->category_count++] = (struct category){ id, copy };
    return true;
}

bool build_classes(struct dataset_builder *b, const char *const *names, int count, struct error *err)
{
    for (int i = 0; i < count; i++)
        if (!build_category(b, i + 1, names[i], err))
            return false;
    return name_index_from_names(&b->classes, count, names, strcmp, err);
}

static bool bounded(double v)
{
    return v >= -BOX_LIMIT && v <= BOX_LIMIT;
}

bool build_annotation(struct dataset_builder *b, const struct annotation *a, int64_t image, int64_t category,
                      const char *at, struct error *err)
{
    if (!bounded(a->box[0]) || !bounded(a->box[1]) || !bounded(a->box[2]) || !bounded(a->box[3])
        || !(a->area >= -1e18 && a->area <= 1e18)) {
        dataset_problem(&b->set, "%s: the box %g %g %g %g, area %g, is out of bounds", at, a->box[0], a->box[1],
                        a->box[2], a->box[3], a->area);
        return true;
    }
    if (!grow_array(&b->pending, b->pending_count, &b->pending_capacity, sizeof *b->pending, err))
        return false;
    b->pending[b->pending_count++] = (struct pending){ *a, image, category };
    return true;
}

static int by_id(const void *a, const void *b)          /* rows that begin with their id */
{
    int64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

bool build_keep_images(struct dataset_builder *b, const bool *keep, struct error *err)
{
    struct dataset *set = &b->set;
    int64_t *gone = new_array((size_t)set->image_count, sizeof *gone, err);
    int gone_count = 0, images = 0, boxes = 0;
    if (!gone)
        return false;
    for (int i = 0; i < set->image_count; i++)
        if (!keep[i])
            gone[gone_count++] = set->images[i].id;
    qsort(gone, (size_t)gone_count, sizeof *gone, by_id);
    for (int i = 0; i < set->image_count; i++)
        if (keep[i] && bsearch(&set->images[i].id, gone, (size_t)gone_count, sizeof *gone, by_id)) {
            free(gone);
            return fail(err, "%s: another image has the same id %" PRId64, set->images[i].file, set->images[i].id);
        }
    for (int i = 0; i < set->image_count; i++)
        if (keep[i])
            set->images[images++] = set->images[i];
        else
            free(set->images[i].file);
    set->image_count = images;
    for (int i = 0; i < b->pending_count; i++)
        if (!bsearch(&b->pending[i].image, gone, (size_t)gone_count, sizeof *gone, by_id))
            b->pending[boxes++] = b->pending[i];
    b->pending_count = boxes;
    free(gone);
    return true;
}

/* Sorts rows that begin with their id; two with one id are a problem. */
static void sort_rows(struct dataset *set, void *rows, int count, size_t size, const char *path, const char *what)
{
    if (count)
        qsort(rows, (size_t)count, size, by_id);
    for (int i = 1; i < count; i++) {
        const char *row = (const char *)rows + (size_t)i * size;
        int64_t id;
        memcpy(&id, row, sizeof id);
        if (by_id(row, row - size) == 0)
            dataset_problem(set, "%s: two %s have the id %" PRId64, path, what, id);
    }
}

/* Notes a box that is not within its image, and cuts and rounds it where the builder is asked to. */
static void fit_box(struct dataset_builder *b, struct annotation *a)
{
    const struct image_record *image = &b->set.images[a->image];
    double box[4];
    dataset_note_border(&b->set, a);
    if (!b->clip || !image->width || !image->height)
        return;
    memcpy(box, a->box, sizeof box);
    box_cut(box, image->width, image->height);
    for (int i = 0; i < 4; i++)
        a->box[i] = b->round ? rint(box[i]) + 0.0 : box[i];     /* no negative zero */
    a->area = a->box[2] * a->box[3];
}

/* True if an annotation has an image and a category. */
static bool has_rows(const struct annotation *a)
{
    return a->image >= 0 && a->category >= 0;
}

static bool find_rows(struct dataset_builder *b, struct pending *p, const char *path)
{
    struct annotation *a = &p->annotation;
    a->image = dataset_image(&b->set, p->image);
    a->category = dataset_category(&b->set, p->category);
    if (a->image < 0 && !b->images_lost)
        dataset_problem(&b->set, "%s: annotation %" PRId64 " is of image %" PRId64 ", which does not exist", path,
                        a->id, p->image);
    if (a->category < 0 && !b->categories_lost)
        dataset_problem(&b->set, "%s: annotation %" PRId64 " is of category %" PRId64 ", which does not exist", path,
                        a->id, p->category);
    return has_rows(a);
}

/* Finds each annotation's image and category, and counts those of each image. */
static void resolve(struct dataset_builder *b, const char *path)
{
    for (int i = 0; i < b->pending_count; i++) {
        struct annotation *a = &b->pending[i].annotation;
        const int outside = b->set.notes[NOTE_OUTSIDE].count;
        if (!find_rows(b, &b->pending[i], path))
            continue;
        b->set.images[a->image].count++;
        fit_box(b, a);
        if (!annotation_trains(a) && b->set.notes[NOTE_OUTSIDE].count == outside)
            dataset_note_box(&b->set, NOTE_DEGENERATE, a);
    }
}

/* A counting sort: stable and linear. */
static bool group(struct dataset_builder *b, struct error *err)
{
    struct dataset *set = &b->set;
    int start = 0;
    set->annotations = new_array((size_t)b->pending_count, sizeof *set->annotations, err);
    if (!set->annotations)
        return false;
    for (int i = 0; i < set->image_count; i++) {
        set->images[i].first = start;
        start += set->images[i].count;
        set->images[i].count = 0;
    }
    set->annotation_count = start;
    for (int i = 0; i < b->pending_count; i++) {
        const struct annotation *a = &b->pending[i].annotation;
        if (has_rows(a)) {
            struct image_record *image = &set->images[a->image];
            set->annotations[image->first + image->count++] = *a;
        }
    }
    return true;
}

static bool note_shared_ids(struct dataset *set, struct error *err)
{
    int64_t *ids = new_array((size_t)set->annotation_count, sizeof *ids, err);
    if (!ids)
        return false;
    for (int i = 0; i < set->annotation_count; i++)
        ids[i] = set->annotations[i].id;
    qsort(ids, (size_t)set->annotation_count, sizeof *ids, by_id);
    for (int i = 1; i < set->annotation_count; i++)
        if (ids[i] == ids[i - 1])
            dataset_note(set, NOTE_SHARED_ID, "%" PRId64, ids[i]);
    free(ids);
    return true;
}

static int by_text(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

static bool note_same_images(struct dataset *set, struct error *err)
{
    const char **files = new_array((size_t)set->image_count, sizeof *files, err);
    if (!files)
        return false;
    for (int i = 0; i < set->image_count; i++)
        files[i] = set->images[i].file;
    qsort(files, (size_t)set->image_count, sizeof *files, by_text);
    for (int i = 1; i < set->image_count; i++)
        if (*files[i] && strcmp(files[i], files[i - 1]) == 0)
            dataset_note(set, NOTE_SAME_IMAGE, "%s", files[i]);
    free(files);
    return true;
}

bool build_end(struct dataset_builder *b, struct dataset *out, const char *path, struct error *err)
{
    struct dataset *set = &b->set;
    sort_rows(set, set->images, set->image_count, sizeof *set->images, path, "images");
    sort_rows(set, set->categories, set->category_count, sizeof *set->categories, path, "categories");
    resolve(b, path);
    const bool ok = group(b, err) && note_shared_ids(set, err) && note_same_images(set, err);
    *out = b->set;
    b->set = (struct dataset){0};
    if (!ok)
        dataset_free(out);
    return ok && dataset_sound(out, path, err);
}

void build_free(struct dataset_builder *b)
{
    dataset_free(&b->set);
    name_index_free(&b->classes);
    free(b->pending);
    *b = (struct dataset_builder){0};
}
