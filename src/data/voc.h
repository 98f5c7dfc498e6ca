/* data/voc.h -- the XML of Pascal VOC, a file per image.
 *
 * Boxes are x1, y1, x2, y2 of width x2 - x1, cut at the border of the image without being moved; the original raises x
 * and y to 0 and keeps the width.  Difficult objects are objects like others.  A box with x2 < x1 or y2 < y1 is left
 * out with a note, and so is one of an unknown class.  Coordinates may have fractions.
 *
 * The image of a file is the one that <filename> names, else the one that is called as the XML file; where both exist
 * and another XML file has the name of the former, it is the latter, with a note.  Its size is that of the decoded
 * image; <size> counts only where that cannot be read.  Entities are refused, depth and lengths are bounded. */
#ifndef DATA_VOC_H
#define DATA_VOC_H
#include "base/file.h"
#include "base/string_list.h"
#include "data/dataset_builder.h"
#include "data/dataset_read.h"

struct voc_box { char name[256]; double x1, y1, x2, y2; int line; };
struct voc {
    char file[256];                                     /* "" if the file does not say */
    int width, height;                                  /* 0 likewise */
    struct voc_box *boxes; int count, capacity;
};

bool voc_read(struct dataset_builder *, const struct dataset_source *, struct error *);

/* text: as text_read gives it.  Objects that are no box are left out and become problems of the set.  false, with a
 * problem, if the file is not such XML. */
bool voc_parse(struct voc *, struct bytes text, const char *path, struct dataset *);
void voc_free(struct voc *);

/* The classes that occur in a folder of files, sorted.  Fails if there is none and a file is broken. */
bool voc_classes(struct string_list *, const char *folder, struct error *);
#endif
