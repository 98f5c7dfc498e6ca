/* data/labelme.h -- the JSON of LabelMe, one file per image (data/image_annotations.h).
 *
 * A rectangle or a polygon becomes the bounding box of its points; a shape without shape_type is a polygon.  Other
 * shapes are left out with a note.  Only the last component of imagePath counts.  imageData is skipped without being
 * decoded; flags, group_id and other keys are ignored. */
#ifndef DATA_LABELME_H
#define DATA_LABELME_H
#include "data/image_annotations.h"

annotation_parser labelme_parse;
#endif
