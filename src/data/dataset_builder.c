#include "data/dataset_builder.h"

#include "base/memory.h"
#include <inttypes.h>
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
    set->images[set->image_count++] = (struct image){ .id = id, .file = copy, .width = width, .height = height };
    return true;
}

bool build_category(struct dataset_builder *b, int64_t id, const char *name, struct error *err)
{
    struct dataset *set = &b->set;
    if (!grow_array(&set->categories, set->category_count, &b->category_capacity, sizeof *set->categories, err))
        return false;
    char *copy = new_text(name, err);
    if (!copy)
        return false;
    set->categories[set->category_count++] = (struct category){ id, copy };
    return true;
}

bool build_classes(struct dataset_builder *b, const char *const *names, int count, struct error *err)
{
    for (int i = 0; i < count; i++)
        if (!build_category(b, i + 1, names[i], err))
            return false;
    return true;
}

static bool bounded(double v)
{
    return v >= -BOX_LIMIT && v <= BOX_LIMIT;
}

bool build_annotation(struct dataset_builder *b, const struct annotation *a, int64_t image, int64_t category,
                      const char *at, struct error *err)
{
    if (!bounded(a->box[0]) || !bounded(a->box[1]) || !bounded(a->box[2]) || !bounded(a->box[3])
        || !(a->area >= -1e18 && a->area <= 1e18))
        return fail(err, "%s: the box %g %g %g %g, area %g, is out of bounds", at, a->box[0], a->box[1], a->box[2],
                    a->box[3], a->area);
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

static bool sort_rows(struct dataset *set, const char *path, struct error *err)
{
    if (set->image_count)
        qsort(set->images, (size_t)set->image_count, sizeof *set->images, by_id);
    if (set->category_count)
        qsort(set->categories, (size_t)set->category_count, sizeof *set->categories, by_id);
    for (int i = 1; i < set->image_count; i++)
        if (set->images[i].id == set->images[i - 1].id)
            return fail(err, "%s: two images have the id %" PRId64, path, set->images[i].id);
    for (int i = 1; i < set->category_count; i++)
        if (set->categories[i].id == set->categories[i - 1].id)
            return fail(err, "%s: two categories have the id %" PRId64, path, set->categories[i].id);
    return true;
}

/* Finds each annotation's image and category, and counts those of each image. */
static bool resolve(struct dataset_builder *b, const char *path, struct error *err)
{
    for (int i = 0; i < b->pending_count; i++) {
        struct annotation *a = &b->pending[i].annotation;
        a->image = dataset_image(&b->set, b->pending[i].image);
        a->category = dataset_category(&b->set, b->pending[i].category);
        if (a->image < 0)
            return fail(err, "%s: annotation %" PRId64 " is of image %" PRId64 ", which does not exist", path, a->id,
                        b->pending[i].image);
        if (a->category < 0)
            return fail(err, "%s: annotation %" PRId64 " is of category %" PRId64 ", which does not exist", path,
                        a->id, b->pending[i].category);
        b->set.images[a->image].count++;
        if (!annotation_trains(a))
            dataset_note(&b->set, NOTE_DEGENERATE, "%s annotation %" PRId64, b->set.images[a->image].file, a->id);
    }
    return true;
}

/* A counting sort: stable and linear. */
static bool group(struct dataset_builder *b, struct error *err)
{
    struct dataset *set = &b->set;
    int start = 0;
    set->annotations = new_array((size_t)b->pending_count, sizeof *set->annotations, err);
    if (!set->annotations)
        return false;
    set->annotation_count = b->pending_count;
    for (int i = 0; i < set->image_count; i++) {
        set->images[i].first = start;
        start += set->images[i].count;
        set->images[i].count = 0;
    }
    for (int i = 0; i < b->pending_count; i++) {
        struct image *image = &set->images[b->pending[i].annotation.image];
        set->annotations[image->first + image->count++] = b->pending[i].annotation;
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

bool build_end(struct dataset_builder *b, struct dataset *out, const char *path, struct error *err)
{
    if (!sort_rows(&b->set, path, err) || !resolve(b, path, err) || !group(b, err) || !note_shared_ids(&b->set, err))
        return false;
    *out = b->set;
    b->set = (struct dataset){0};
    return true;
}

void build_free(struct dataset_builder *b)
{
    dataset_free(&b->set);
    free(b->pending);
    *b = (struct dataset_builder){0};
}
