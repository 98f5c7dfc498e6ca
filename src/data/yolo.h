/* data/yolo.h -- YOLO's text files beside images, a row a box: class (0 being the first of class_names), centre x,
 * centre y, width, height, the last four as parts of the image's size.
 *
 * As in the original, corner and size are rounded to whole pixels, half to even, then x and y raised to 0 and the size
 * cut to the image's; a file without an image is left out with a note, and so is a box of a class that does not exist.
 * An image that image_list names may have no file of boxes. */
#ifndef DATA_YOLO_H
#define DATA_YOLO_H
#include "data/dataset_builder.h"
#include "data/dataset_read.h"

bool yolo_read(struct dataset_builder *, const struct dataset_source *, struct error *);
bool yolo_parse(struct dataset_builder *, int64_t image, int width, int height, int classes, struct bytes text,
                const char *path, struct error *);
#endif
