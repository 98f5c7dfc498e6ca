/* data/lists.h -- text files that list images or classes, one per line, and the class list in Ultralytics' data.yaml.
 * Blanks around a line and empty lines do not count. */
#ifndef DATA_LISTS_H
#define DATA_LISTS_H
#include "base/string_list.h"
#include "data/dataset_builder.h"

/* The classes that a file lists: a line each or, if its name ends in .yaml or .yml, its key `names`, a list
 * [cat, dog] or a section {0: cat, 1: dog} whose keys are 0, 1, ... in any order.  reject() if there is none, or
 * one twice; invalid YAML is misuse(). */
bool class_list_read(struct string_list *, const char *path, struct error *);

/* True if a file beside text files of boxes lists classes: classes.txt of LabelImg, for example. */
bool is_class_list(const char *name);

/* Keeps the images that a list names, with their annotations.  A line means the image whose path is equal without
 * suffix, else the one image with its base name without suffix.  Fails, naming them, on lines that mean no image or
 * more than one, and on two lines for one image. */
bool image_list_keep(struct dataset_builder *, const char *list, struct error *);
#endif
