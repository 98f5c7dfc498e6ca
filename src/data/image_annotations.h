/* data/image_annotations.h -- formats with one annotation file per image, whose objects have a class name and a box.
 *
 * Boxes are x1, y1, x2, y2 of width x2 - x1, cut at the border of the image without being moved; the original raises x
 * and y to 0 and keeps the width.  Coordinates may have fractions.  A box with x2 < x1 or y2 < y1, or of an unknown
 * class, is left out with a note.
 *
 * The image of a file is the one that the file names, else the one of the file's own name; where both exist and another
 * annotation file has the name of the former, it is the latter, with a note.  Its size is that of the decoded image;
 * the size in the file counts only where the image cannot be read. */
#ifndef DATA_IMAGE_ANNOTATIONS_H
#define DATA_IMAGE_ANNOTATIONS_H
#include "base/file.h"
#include "base/string_list.h"
#include "data/dataset_builder.h"
#include "data/dataset_read.h"

struct named_box { char name[256]; double x1, y1, x2, y2; int line, shape; };       /* its place; one of the two is 0 */
struct image_annotations {
    char file[256];                                     /* the name of the image, "" if the file does not say */
    int width, height;                                  /* 0 likewise */
    struct named_box *boxes; int count, capacity;
};

/* Parses a file; text is as text_read gives it.  Objects that are not boxes are left out and become problems of the
 * set.  False, with a problem and without boxes, if the file is not of the format. */
typedef bool annotation_parser(struct image_annotations *, struct bytes text, const char *path, struct dataset *);

void image_annotations_free(struct image_annotations *);

/* The columns `read` and `classes` of the readers of such formats (data/readers.h), whose parser does the rest.  The
 * classes are those that occur, sorted; it fails if there is none or a file is broken. */
struct set_layout;
bool image_annotations_read(struct dataset_builder *, const struct dataset_source *, struct error *);
bool image_annotations_classes(struct string_list *, const struct set_layout *, struct error *);
#endif
