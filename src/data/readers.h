/* data/readers.h -- the annotation formats: one row per reader. */
#ifndef DATA_READERS_H
#define DATA_READERS_H
#include "data/image_annotations.h"

/* The folders of a set that `convert` reads. */
struct set_layout { enum dataset_format format; char *root, *images, *annotations; };

struct annotation_reader {
    const char *name;                   /* for `convert`, which takes all but the first row, COCO */
    bool (*read)(struct dataset_builder *, const struct dataset_source *, struct error *);
    bool needs_images, needs_classes;   /* img_path and class_names must be given */

    /* For formats with one annotation file per image: */
    const char *suffix;
    const char *const *folders;         /* usual names of the folder of annotations; ends with NULL */
    bool (*classes)(struct string_list *, const struct set_layout *, struct error *);   /* NULL: the format's own */
    bool lists_images;                  /* the set is all images of the folder, which must hold one */
    annotation_parser *parse;           /* of image_annotations_read */
};
extern const struct annotation_reader annotation_readers[];     /* by enum dataset_format; ends with {0} */
#endif
