/* data/voc.h -- the XML of Pascal VOC, a file an image.
 *
 * As in the original, boxes are x1, y1, x2, y2 of width x2 - x1, x and y raised to 0 and the size cut to the image's;
 * difficult objects are objects like others.  A box with x2 < x1 or y2 < y1 is left out with a note, and so is one of
 * an unknown class.  Coordinates may have fractions; a file without <size> or <filename> takes them from the image that
 * has its name.  Entities are refused, depth and lengths are bounded. */
#ifndef DATA_VOC_H
#define DATA_VOC_H
#include "data/dataset_builder.h"
#include "data/dataset_read.h"

struct voc_box { char name[256]; double x1, y1, x2, y2; int line; };
struct voc {
    char file[256];                                     /* "" if the file does not say */
    int width, height;                                  /* 0 likewise */
    struct voc_box *boxes; int count, capacity;
};

bool voc_read(struct dataset_builder *, const struct dataset_source *, struct error *);
bool voc_parse(struct voc *, struct bytes text, const char *path, struct error *);      /* {0} on failure */
void voc_free(struct voc *);

/* The classes that occur in a folder of files, sorted. */
bool voc_classes(struct names *, const char *folder, struct error *);
#endif
