/* data/voc.h -- the XML of Pascal VOC, one file per image (data/image_annotations.h).  Difficult objects are objects
 * like others.  Entities are refused; depth and lengths are bounded. */
#ifndef DATA_VOC_H
#define DATA_VOC_H
#include "data/image_annotations.h"

annotation_parser voc_parse;
#endif
