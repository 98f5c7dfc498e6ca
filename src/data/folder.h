/* data/folder.h -- sets that have a file of annotations an image: which images there are and where they lie. */
#ifndef DATA_FOLDER_H
#define DATA_FOLDER_H
#include "data/dataset_builder.h"
#include "data/dataset_read.h"

extern const char *const image_suffixes[];              /* ends with NULL */

/* Calls read with id 1, 2, ... and the stem, a path below the folder without suffix, of each file in a folder and its
 * subfolders that has one of the suffixes and is no list of classes, or of each line of source->image_list, without
 * folder and suffix; in byte order, until read fails.  A stem that occurs twice is an error. */
bool each_stem(struct dataset_builder *, const struct dataset_source *, const char *folder,
               const char *const *suffixes,
               bool (*read)(struct dataset_builder *, const struct dataset_source *, int64_t id, const char *stem,
                            struct error *),
               struct error *);

/* The image of a stem: its name in source->img_path (free() it), and its size, 0 if the file cannot be read.
 * NULL without an error if there is none.  Either is noted. */
char *find_image(struct dataset_builder *, const struct dataset_source *, const char *stem, int *width, int *height);

/* folder/stem with the suffix; free() it. */
char *stem_path(const char *folder, const char *stem, const char *suffix, struct error *);
#endif
