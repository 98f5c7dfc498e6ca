#include "data/readers.h"

#include "data/coco.h"
#include "data/labelme.h"
#include "data/layout.h"
#include "data/visdrone.h"
#include "data/voc.h"
#include "data/yolo.h"

static const char *const voc_folders[] = {
    "Annotations", "annotations", "annots", "Annots", "labels", "xmls", "xml", NULL };
static const char *const labelme_folders[] = { "labels", "annotations", "Annotations", "labelme", "json", NULL };
static const char *const visdrone_folders[] = { "annotations", "Annotations", "annots", NULL };

const struct annotation_reader annotation_readers[] = {
    [DATASET_COCO]     = { .name = "coco", .read = coco_read },
    [DATASET_XML]      = { "voc", image_annotations_read, true, true, ".xml", voc_folders, image_annotations_classes,
                           false, voc_parse },
    [DATASET_YOLO]     = { "yolo", yolo_read, true, true, ".txt", yolo_folders, yolo_classes, true, NULL },
    [DATASET_VISDRONE] = { "visdrone", visdrone_read, false, false, ".txt", visdrone_folders, NULL, true, NULL },
    [DATASET_LABELME]  = { "labelme", image_annotations_read, true, true, ".json", labelme_folders,
                           image_annotations_classes, false, labelme_parse },
    {0} };
