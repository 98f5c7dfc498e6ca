/* data/data_paths.h -- whether the files that a configuration names for a set are there. */
#ifndef DATA_DATA_PATHS_H
#define DATA_DATA_PATHS_H
#include "config/config.h"
#include "data/dataset.h"

/* The keys of a section that name the files of a set. */
extern const char *const data_path_keys[2];

/* section is "data.train" or "data.val", key one of the above.  Exit 2 if it is not given; exit 1, naming file, line,
 * key and path, if there is no such file or folder.  For VisDrone the message says where to get the set. */
bool data_path_there(const struct config *, const char *section, const char *key, struct error *);
bool data_paths_there(const struct config *, const char *section, struct error *);     /* both */

/* Exit 1 if the folder img_path holds none of the images: a wrong folder is one problem, not one per image.  A set
 * without images passes. */
bool data_images_there(const struct config *, const char *section, const struct dataset *, struct error *);
#endif
