/* data/layout.h -- files beside the annotations of a set; data/dataset_read.h has dataset_read_layout. */
#ifndef DATA_LAYOUT_H
#define DATA_LAYOUT_H
#include "data/readers.h"

extern const char *const yolo_folders[];        /* names of the folder of text files; ends with NULL */

/* The lists of classes (data.yaml, classes.txt, obj.names, ...) beside the text files and images of a YOLO set and in
 * the folders above them up to its root. */
bool yolo_class_lists(struct string_list *files, const struct set_layout *, struct error *);

/* The column `classes` of the reader: the lists of classes beside the text files, which must all be equal. */
bool yolo_classes(struct string_list *, const struct set_layout *, struct error *);

/* Compares class_names with the lists of classes (data.yaml, classes.txt, obj.names, ...) in the folder of a YOLO set's
 * text files and above it up to the root of the set.  misuse() if one has the same names in another order, for then the
 * numbers in the text files mean other classes; a note if it has other names. */
bool yolo_compare_classes(struct dataset *, const struct dataset_source *, struct error *);
#endif
