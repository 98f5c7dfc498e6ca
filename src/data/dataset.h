/* data/dataset.h -- images, categories and boxes, whatever format they were read from. */
#ifndef DATA_DATASET_H
#define DATA_DATASET_H
#include "base/error.h"
#include <stdint.h>

struct category { int64_t id; char *name; };

struct image {
    int64_t id;
    char *file;                 /* relative to the folder of images */
    int width, height;          /* as the annotations say; 0 where they do not */
    int first, count;           /* its annotations: dataset.annotations[first .. first+count-1] */
};

struct annotation {
    int64_t id;
    int image;                  /* index into images */
    int category;               /* index into categories */
    double box[4];              /* x, y, width, height in pixels of the image */
    double area;                /* the file's field, or width x height */
    bool crowd;                 /* "iscrowd": evaluated as a crowd box */
    bool ignore;                /* "ignore" or crowd: an ignore box in training */
};

/* Images in ascending id, categories in ascending id, annotations grouped by image, in file order within one. */
struct dataset {
    struct image *images;           int image_count;
    struct category *categories;    int category_count;
    struct annotation *annotations; int annotation_count;
};

void dataset_free(struct dataset *);
int dataset_category(const struct dataset *, int64_t id);       /* index, or -1 */
int dataset_image(const struct dataset *, int64_t id);          /* index, or -1 */
#endif
