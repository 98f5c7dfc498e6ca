/* data/discover.h -- finds the images and annotations of a data set in a folder as tools leave it.
 *
 * Every image folder is paired with the folder that has annotation files of the same stems: the folder itself, the one
 * above it, or the path with one component replaced by a name that the format uses (images/train, labels/train;
 * train/images, train/labels).  The format with the most such files is taken; a JSON file of COCO whose images are
 * found comes first.  Folders and files named train, val (valid, validation), test are the parts of the set; so
 * are the values of data.yaml as far as they exist here, and the lists train.txt and val.txt. */
#ifndef DATA_DISCOVER_H
#define DATA_DISCOVER_H
#include "base/string_list.h"
#include "config/config.h"

/* Paths begin with the folder given; owned.  image_list NULL: every image. */
struct found_part { char *img_path, *ann_path, *image_list; };

struct discovery {
    enum dataset_format format;
    struct found_part train, val;       /* val.ann_path NULL: there is no part for validation */
    struct string_list classes;         /* in the order of the numbers or ids, else sorted; with the VisDrone's ten */
    bool numbered_classes;              /* YOLO without a list of classes: they are called class_0, class_1, ... */
    struct string_list notes;           /* a line for each thing that was found and is not used */
};

/* Exit 1 if nothing is found, naming what was searched.  discovery_free in any case. */
bool discover(struct discovery *, const char *folder, struct error *);
void discovery_free(struct discovery *);
#endif
