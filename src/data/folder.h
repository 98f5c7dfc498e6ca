/* data/folder.h -- the images of a set that has one annotation file per image, and their paths. */
#ifndef DATA_FOLDER_H
#define DATA_FOLDER_H
#include "base/file.h"
#include "base/path.h"
#include "data/dataset_builder.h"
#include "data/dataset_read.h"
#include "data/geometry.h"
#include "data/number_rows.h"

extern const char *const image_suffixes[];              /* of JPEG and PNG; ends with NULL */

/* A source of stems, which are paths below a folder without suffix: the files of the folder and its subfolders that
 * have one of the suffixes and are not lists of classes. */
struct stem_folder { const char *path; const char *const *suffixes; };

/* Calls read with id 1, 2, ... and each stem in byte order until read fails.  Stems are those of source->image_list or,
 * if there is none, of the folders (at most two; the second adds the stems that the first does not have).  With
 * image_suffixes, images in a format that cannot be read belong to the stems, too, where no other file has their stem.
 * A stem that occurs twice is a problem. */
bool each_stem(struct dataset_builder *, const struct dataset_source *, const struct stem_folder folders[2],
               bool (*read)(struct dataset_builder *, const struct dataset_source *, int64_t id, const char *stem,
                            struct error *),
               struct error *);

/* Sets *file to the name of a stem's image in source->img_path (free() it), or to NULL if there is none. */
bool find_image(char **file, const struct dataset_source *, const char *stem, struct error *);

/* The size of an image in source->img_path as it is decoded; 0, with a note, if the file is missing or broken. */
bool measure_image(struct image_size *, struct dataset_builder *, const struct dataset_source *, const char *file,
                   struct error *);

/* An image and its text file of rows.  file is stem.jpg where source->img_path has no image of the stem; text is empty
 * where there is no text file; stray: it has no image, is not in a list, and has no row that is a box.  Notes missing,
 * unreadable and stray files.  A text that cannot be read is a problem.  image_text_free releases it. */
struct image_text { char *file, *path; struct image_size size; struct bytes text; bool stray; };
bool image_text_open(struct image_text *, struct dataset_builder *, const struct dataset_source *, const char *stem,
                     box_row_check *is_box, struct error *);
void image_text_free(struct image_text *);

/* Notes the images of source->img_path that the set does not have. */
bool note_left_out(struct dataset_builder *, const struct dataset_source *, struct error *);

/* The spelling of a name (see file_spelling) under which a file is in a folder, else the name as it is; free() it. */
char *name_in_folder(const char *folder, const char *name, struct error *);

/* The path folder/stem with the suffix (free() it), and the kind of file there. */
char *stem_path(const char *folder, const char *stem, const char *suffix, struct error *);
enum path_kind stem_kind(const char *folder, const char *stem, const char *suffix, struct error *);
#endif
