/* data/dataset_read.h -- from files to a dataset. */
#ifndef DATA_DATASET_READ_H
#define DATA_DATASET_READ_H
#include "config/config.h"
#include "data/dataset.h"

struct dataset_source {             /* borrowed */
    enum dataset_format format;
    const char *img_path;           /* the folder of images; COCO and VisDrone do without: NULL */
    const char *ann_path;           /* COCO: a file; else the folder of annotation files, one per image */
    const char *image_list;         /* NULL: every image; else a text file of the images to take, a name a line, of
                                     * which folder and suffix do not count.  Not for COCO */
    const char *const *class_names; /* XML and YOLO: these become the categories 1, 2, ...; the others have their own */
    int class_count;
};

/* As a configuration has it; "" becomes NULL. */
struct dataset_source dataset_source_of(const struct data_config *);

/* Images get ids 1, 2, ... in byte order of their names where the format has no ids.  On failure the
 * dataset holds what is sound, and the problems, so that check can go on; dataset_free it.  misuse() on a missing path
 * or class_names. */
bool dataset_read(struct dataset *, const struct dataset_source *, struct error *);

/* A whole set in the folder layout that its format is known by: format and layout are
 *     visdrone    images/ annotations/
 *     voc         JPEGImages/ Annotations/                       classes: those that occur, sorted
 *     yolo        images/ labels/, or both in the folder itself  classes: a line each in classes.txt or obj.names */
bool dataset_read_folder(struct dataset *, const char *format, const char *folder, struct error *);
#endif
