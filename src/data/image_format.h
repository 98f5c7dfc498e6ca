/* data/image_format.h -- what image.c asks of a file format. */
#ifndef DATA_IMAGE_FORMAT_H
#define DATA_IMAGE_FORMAT_H
#include "base/file.h"
#include "data/image.h"

struct image_head { int width, height, orientation; };        /* as stored; orientation 1..8 as Exif counts */

enum image_ending { ENDING_UNKNOWN, ENDING_COMPLETE, ENDING_CUT };

struct image_format {
    const char *name, *magic;                           /* a file of this format begins with magic */
    bool (*head)(struct image_head *, struct bytes, const char *name, struct error *);
    /* True if a file has its end marker, from its last bytes or, if whole, all of it; unknown never if whole.  Sets the
     * orientation if it is stored behind the pixels. */
    enum image_ending (*ending)(struct bytes, bool whole, int *orientation);
    /* Decodes as stored, not yet turned, into an image of the size that head gave, and gives the orientation
     * anew: a PNG may store it behind its pixels.  No more than the region need be set, if it is given and the image
     * is stored upright; it may be halved as the region says. */
    bool (*decode)(struct image *, int *orientation, const struct region *, struct bytes, const char *name,
                   struct error *);
};
extern const struct image_format image_jpeg, image_png;

/* The format of a file that begins with these bytes; NULL and an error that says what else the file is. */
const struct image_format *image_format_of(struct bytes start, const char *name, struct error *);

/* Refuses a size that image_new refuses. */
bool image_allowed(int width, int height, struct error *);

/* Refuses a JPEG of so many bytes that is made to exhaust memory: a block of 8 x 8 takes a bit at least (arithmetic
 * coding may do with less, but not for a photograph), so that a small file, unless cut, is of no large image. */
bool jpeg_allowed(int width, int height, size_t bytes, const char *name, struct error *);

/* image_new for a decoder that needs `besides` more bytes; the decoding budget counts both.  turned: the image will be
 * copied once the decoder has freed these bytes.  Errors name `name`. */
bool image_allocate(struct image *, int width, int height, size_t besides, bool turned, const char *name,
                    struct error *);

/* The orientation in an Exif block, which begins with the byte order "II" or "MM"; 1 if there is none. */
int exif_orientation(const unsigned char *p, size_t size);
#endif
