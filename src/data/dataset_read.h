/* data/dataset_read.h -- from files to a dataset. */
#ifndef DATA_DATASET_READ_H
#define DATA_DATASET_READ_H
#include "config/config.h"
#include "data/dataset.h"

struct dataset_source {             /* borrowed */
    enum dataset_format format;
    const char *img_path;           /* the folder of images; COCO and VisDrone do without: NULL */
    const char *ann_path;           /* COCO: a file; else the folder of annotation files, one per image */
    const char *image_list;         /* NULL: every image; else a text file of the images to take, a name per line;
                                     * suffix and, but for COCO (data/lists.h), folder do not count */
    const char *const *class_names; /* where the format has no categories: these become the categories 1, 2, ... */
    int class_count;
    bool classes_chosen;            /* YOLO: do not compare class_names with lists of classes beside the text files */
};

/* The source that a configuration names; "" becomes NULL. */
struct dataset_source dataset_source_of(const struct data_config *);

/* Images get ids 1, 2, ... in byte order of their names where the format has no ids.  On failure the dataset holds the
 * sound records and the problems, so that check can continue; dataset_free it.  misuse() on a missing path or
 * class_names. */
bool dataset_read(struct dataset *, const struct dataset_source *, struct error *);

/* A whole set in a folder layout that tools write; format is the name of a reader other than COCO's.  data/readers.c
 * and data/layout.c list the names of folders; docs/data.md says where images, annotations and classes are looked for.
 * image_list and class_list are files (data/lists.h) or NULL: every image; the classes of the layout.  For visdrone the
 * class list selects categories by name.  misuse() if the folder holds several sets, as images/train and images/val, or
 * if its class lists differ. */
bool dataset_read_layout(struct dataset *, const char *format, const char *folder, const char *image_list,
                         const char *class_list, struct error *);
bool dataset_read_folder(struct dataset *, const char *format, const char *folder, struct error *);     /* NULL, NULL */
#endif
