/* data/visdrone.h -- VisDrone-DET: a folder of images, a folder of text files, a row per box:
 *     x, y, width, height, score, category, truncation, occlusion
 * Categories 1-10 are the classes; a box of score 0 keeps its category and is ignored.  Category 0, ignored regions,
 * and category 11, others, are ignored always.  An ignored box is a crowd box, too.  All 12 categories exist in every
 * set.
 *
 * The set is every image of img_path and every image that a text file has boxes for, or those that image_list names.
 * Without img_path the images are those that have a text file, of unknown size.  An image without a text file has no
 * box, with a note.  An image that is missing or cannot be read stays in the set, with a note. */
#ifndef DATA_VISDRONE_H
#define DATA_VISDRONE_H
#include "base/file.h"
#include "data/dataset_builder.h"
#include "data/dataset_read.h"

bool visdrone_read(struct dataset_builder *, const struct dataset_source *, struct error *);

/* Adds the boxes of an image; rows that are not boxes are problems.  Returns false without memory. */
bool visdrone_parse(struct dataset_builder *, int64_t image, struct bytes text, const char *path, struct error *);
#endif
