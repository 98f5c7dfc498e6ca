/* cli/images.h -- the input images of a command line, and the drawn images that are written. */
#ifndef CLI_IMAGES_H
#define CLI_IMAGES_H
#include "base/strbuf.h"
#include "base/string_list.h"
#include "cli/args.h"
#include "data/image.h"
#include <sys/types.h>

/* The arguments: files, folders (their .jpg, .jpeg, .png and .jfif), and patterns. */
bool images_list(const struct args *, struct string_list *files, struct error *);

/* The files that are read, identified by device and inode.  Call inputs_free even if inputs_open fails. */
struct file_id { dev_t device; ino_t inode; };
struct inputs { const char *command; struct file_id *list; int count; };
bool inputs_open(struct inputs *, const struct args *, const struct string_list *files, struct error *);
void inputs_free(struct inputs *);
/* Refuses a path if writing to it would change one of them: exit 2. */
bool inputs_spared(const struct inputs *, const char *path, struct error *);

/* Refuses a folder `out` if a file written there under the name of an image would replace an input, or if two images
 * have one name: exit 2. */
bool images_differ(const struct inputs *, const struct string_list *files, const char *out, struct error *);

/* failed: the number of files that are missing, broken or cannot be processed; first: why, for the first of them;
 * truncated: the number of files that end too early; names: those of the first few. */
struct failures { int files, failed, truncated; struct error first; struct strbuf names; };
/* Counts a failed image; prints why if it is one of the first few of several.  Fails, with why, if the system failed
 * and not the image. */
bool image_failed(struct failures *, const struct error *why, struct error *);
void image_used(struct failures *, const struct image *, const char *file);   /* counts it if it is truncated */

/* Frees the counters in any case.  With ok, reports truncated images, and fails if an image has failed. */
bool images_end(struct failures *, bool ok, struct error *);

/* Writes a PNG if the name ends in .png, else a JPEG.  Refuses to overwrite an input: exit 2. */
bool image_write(const struct image *, const struct inputs *, const char *folder, const char *name, struct error *);
#endif
