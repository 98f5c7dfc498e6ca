/* data/picture_format.h -- what picture.c asks of a file format. */
#ifndef DATA_PICTURE_FORMAT_H
#define DATA_PICTURE_FORMAT_H
#include "data/picture.h"

struct picture_head { int width, height, orientation; };        /* as stored; orientation 1..8 as Exif counts */

enum picture_ending { ENDING_UNKNOWN, ENDING_COMPLETE, ENDING_CUT };

struct picture_format {
    const char *name, *magic;                           /* a file of this format begins with magic */
    bool (*head)(struct picture_head *, struct bytes, const char *name, struct error *);
    /* Whether a file has its end marker, from its last bytes or, if whole, all of it; unknown never if whole.  Sets the
     * orientation where it is told behind the pixels. */
    enum picture_ending (*ending)(struct bytes, bool whole, int *orientation);
    /* Decodes as stored, not yet turned, into a picture of the size that head gave, and gives the orientation
     * anew: a PNG may tell it behind its pixels.  No more than the region need be set, if it is given and the picture
     * is stored upright; it may be halved as the region says. */
    bool (*decode)(struct picture *, int *orientation, const struct region *, struct bytes, const char *name,
                   struct error *);
};
extern const struct picture_format picture_jpeg, picture_png;

/* The format of a file that begins with these bytes; NULL and an error that says what else the file is. */
const struct picture_format *picture_format_of(struct bytes start, const char *name, struct error *);

/* Refuses a size that picture_new refuses. */
bool picture_allowed(int width, int height, struct error *);

/* Refuses a JPEG of so many bytes that is made to exhaust memory: a block of 8 x 8 takes a bit at least (arithmetic
 * coding may do with less, but not for a photograph), so that a small file, unless cut, is of no large picture. */
bool jpeg_allowed(int width, int height, size_t bytes, const char *name, struct error *);

/* picture_new for a decoder that needs `besides` more bytes; the memory for decoding counts both.  turned: the picture
 * will be copied once the decoder has freed these bytes.  Errors name `name`. */
bool picture_room(struct picture *, int width, int height, size_t besides, bool turned, const char *name,
                  struct error *);

/* The orientation that an Exif block (beginning with the byte order, "II" or "MM") tells; 1 if none. */
int exif_orientation(const unsigned char *p, size_t size);
#endif
