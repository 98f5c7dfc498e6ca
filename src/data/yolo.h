/* data/yolo.h -- YOLO's text files beside images, a row per box: class (0 being the first of class_names), centre x,
 * centre y, width, height, the last four as fractions of the image's size.
 *
 * The set is every image of img_path and every image that a text file of ann_path has boxes for, or those that
 * image_list names.  An image without a text file is background.  A text file that has no image and no row of a box,
 * such as classes.txt, is left out with a note.  Boxes of an image that is missing or cannot be read have no size to be
 * scaled by: the image stays in the set and its boxes are counted (image.unscaled).
 *
 * A box is cut at the border of the image without being moved (the original raises x and y to 0 and keeps the size).
 * Then, as in the original, corner and size are rounded to whole pixels, half to even.  A box of a class that does not
 * exist is left out with a note. */
#ifndef DATA_YOLO_H
#define DATA_YOLO_H
#include "base/file.h"
#include "data/dataset_builder.h"
#include "data/dataset_read.h"

bool yolo_read(struct dataset_builder *, const struct dataset_source *, struct error *);

/* Adds the boxes of an image, not yet cut nor rounded; rows that are not boxes are problems.  Returns false without
 * memory. */
struct yolo_image { int64_t id; int width, height; };
bool yolo_parse(struct dataset_builder *, struct yolo_image, int classes, struct bytes text, const char *path,
                struct error *);
#endif
