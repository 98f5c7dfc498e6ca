/* data/coco.h -- the JSON of COCO: lists of images, annotations and categories.
 *
 * Of an image only its id is needed, of an annotation image_id, category_id and bbox: area is else width x height,
 * iscrowd and ignore else 0, id else its place, 1 being the first.  Other fields are skipped.  Boxes are kept as they
 * are; see annotation_trains().  Fails, naming the line or the id, on anything that is not of this form. */
#ifndef DATA_COCO_H
#define DATA_COCO_H
#include "data/dataset.h"
#include "data/dataset_builder.h"
#include "data/dataset_read.h"

bool coco_read(struct dataset_builder *, const struct dataset_source *, struct error *);
bool coco_parse(struct dataset_builder *, struct bytes text, const char *path, struct error *);

/* Numbers are written so that reading gives the same doubles. */
bool dataset_write_coco(const struct dataset *, const char *path, struct error *);
#endif
