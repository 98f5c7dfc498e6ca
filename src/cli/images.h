/* cli/images.h -- the images that a command line names, and where what is drawn goes. */
#ifndef CLI_IMAGES_H
#define CLI_IMAGES_H
#include "cli/args.h"
#include "data/picture.h"
#include <sys/types.h>

/* The arguments: files, the .jpg, .jpeg, .png and .jfif of folders, and what patterns match. */
bool images_list(const struct args *, struct names *files, struct error *);

/* The files that are read, known by device and inode.  inputs_free in any case. */
struct file_id { dev_t device; ino_t inode; };
struct inputs { const char *command; struct file_id *list; int count; };
bool inputs_open(struct inputs *, const struct args *, const struct names *files, struct error *);
void inputs_free(struct inputs *);
/* Writing to path changes none of them.  Exit 2 otherwise. */
bool inputs_spared(const struct inputs *, const char *path, struct error *);

/* What is written to `out` under the names of the files is none of the inputs, and each has its own name.  Exit 2
 * otherwise. */
bool images_differ(const struct inputs *, const struct names *files, const char *out, struct error *);

/* How many of the files given are missing, broken or cannot be processed, and why the first of them cannot; how many
 * are truncated, and the names of the first of them. */
struct failures { int files, failed, truncated; struct error first; struct text names; };
/* Counts an image and names it if it is one of the first few of several.  Fails, with why, if why is a failure of the
 * system: no fault of the image. */
bool image_failed(struct failures *, const struct error *why, struct error *);
void image_used(struct failures *, const struct picture *, const char *file);   /* counts it if it is truncated */

/* Ends in any case.  If all went well it says which images are truncated, and fails if any image has failed. */
bool images_end(struct failures *, bool ok, struct error *);

/* PNG if the name ends so, else JPEG; not over an input. */
bool image_write(const struct picture *, const struct inputs *, const char *folder, const char *name, struct error *);
#endif
