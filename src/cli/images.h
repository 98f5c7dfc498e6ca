/* cli/images.h -- the images that a command line names, and where what is drawn goes. */
#ifndef CLI_IMAGES_H
#define CLI_IMAGES_H
#include "cli/args.h"
#include "data/picture.h"

/* The arguments: files, the .jpg, .jpeg and .png of folders, and what patterns match. */
bool images_list(const struct args *, struct names *files, struct error *);

/* An image must not be written over one of the inputs, nor over another output: exit 2. */
bool images_differ(const struct args *, const struct names *files, const char *out, struct error *);

/* PNG if the name ends so, else JPEG. */
bool image_write(const struct picture *, const char *folder, const char *name, struct error *);
#endif
