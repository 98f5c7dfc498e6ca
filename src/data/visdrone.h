/* data/visdrone.h -- VisDrone-DET: a folder of images, a folder of text files, a row a box:
 *     x, y, width, height, score, category, truncation, occlusion
 * Categories 1-10 are the classes; a box of score 0 keeps its category and is ignored.  Category 0, ignored regions,
 * and category 11, others, are ignored always.  What is ignored is a crowd box, too.  All 12 categories exist in every
 * set.  Without img_path the images are those that have annotations, of unknown size.  An image may have no annotation
 * file. */
#ifndef DATA_VISDRONE_H
#define DATA_VISDRONE_H
#include "data/dataset_builder.h"
#include "data/dataset_read.h"

bool visdrone_read(struct dataset_builder *, const struct dataset_source *, struct error *);
bool visdrone_parse(struct dataset_builder *, int64_t image, struct bytes text, const char *path, struct error *);
#endif
