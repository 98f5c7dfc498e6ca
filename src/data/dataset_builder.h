/* data/dataset_builder.h -- how a reader fills a dataset: in any order, by ids, and sorted once at the end. */
#ifndef DATA_DATASET_BUILDER_H
#define DATA_DATASET_BUILDER_H
#include "base/name_index.h"
#include "data/dataset.h"

struct pending { struct annotation annotation; int64_t image, category; };

struct dataset_builder {
    struct dataset set;
    int image_capacity, category_capacity;
    struct name_index classes;  /* of build_classes; the names are borrowed */
    struct pending *pending; int pending_count, pending_capacity;
    bool clip, round;           /* boxes are cut at the border of their image, if its size is known; then corner and
                                 * size are rounded to whole pixels, half to even */
    bool images_lost, categories_lost;      /* records without an id were left out: annotations may refer to them */
};

/* Texts are copied.  A category's name that is not UTF-8 is read as Windows-1252, with a note. */
bool build_image(struct dataset_builder *, int64_t id, const char *file, int width, int height, struct error *);
bool build_category(struct dataset_builder *, int64_t id, const char *name, struct error *);
bool build_classes(struct dataset_builder *, const char *const *names, int count, struct error *);  /* ids 1, 2, ... */

/* at: file and line, or the like.  A box or an area out of bounds is a problem, not a failure. */
bool build_annotation(struct dataset_builder *, const struct annotation *, int64_t image, int64_t category,
                      const char *at, struct error *);

/* Drops the images i with !keep[i], and their annotations. */
bool build_keep_images(struct dataset_builder *, const bool *keep, struct error *);

/* Moves everything to a dataset.  Images or categories that share an id, and annotations of an image or a category that
 * does not exist, are problems.  Fails if there are any; the dataset then holds the sound records and the problems. */
bool build_end(struct dataset_builder *, struct dataset *, const char *path, struct error *);
void build_free(struct dataset_builder *);
#endif
