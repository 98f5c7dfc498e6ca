/* data/coco.h -- the JSON of COCO: lists of images, annotations and categories.
 *
 * An image needs an id, an annotation image_id, category_id and bbox.  The defaults of an annotation are: area, width
 * x height; iscrowd and ignore, 0; id, its place in the list, 1 being the first.  Other fields are skipped.  Boxes are
 * kept as they are; see annotation_trains().  A record that is not of this form is a problem, which names the line,
 * the record's number in its list (from 1) and its id; a text that is not JSON, or not such an object, fails. */
#ifndef DATA_COCO_H
#define DATA_COCO_H
#include "base/file.h"
#include "data/dataset.h"
#include "data/dataset_builder.h"
#include "data/dataset_read.h"

bool coco_read(struct dataset_builder *, const struct dataset_source *, struct error *);
/* text: as text_read gives it. */
bool coco_parse(struct dataset_builder *, struct bytes text, const char *path, struct error *);

/* Numbers are written so that reading gives the same doubles.  Fails if an image has boxes that could not be scaled. */
bool dataset_write_coco(const struct dataset *, const char *path, struct error *);
#endif
