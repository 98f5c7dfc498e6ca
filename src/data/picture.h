/* data/picture.h -- photographs: bytes in memory, JPEG and PNG in files.
 *
 * Decoding gives the pixels that cv2.imread(path) gives with its default flags, bit for bit: B, G, R; grey spread to
 * three equal channels; alpha dropped without blending; 16 bits cut to their high byte; CMYK converted as OpenCV
 * does; turned upright as the Exif orientation says.  JPEG uses the accurate integer transform and smooth chroma.
 *
 * A file that ends before its picture does is unreadable.  (cv2.imread fills what a cut JPEG lacks with grey, while
 * cv2.imdecode refuses it.)  A JPEG that lacks nothing but its closing marker is read, and so is one whose data are
 * damaged on the way in a fashion the format cannot tell from data. */
#ifndef DATA_PICTURE_H
#define DATA_PICTURE_H
#include "base/error.h"
#include "base/file.h"
#include <stddef.h>

enum { PICTURE_SIDE = 1 << 20, PICTURE_PIXELS = 1 << 28 };      /* more is refused before memory is asked for */

/* [height][width][3] B, G, R, rows without gaps.  A picture that was halved while it was decoded has 2^halved squared
 * pixels of the whole in one, fewer at its right and bottom if sides are odd. */
struct picture { unsigned char *p; int width, height, halved, whole_width, whole_height; };

/* Columns left .. right - 1, rows top .. bottom - 1 of the picture halved so many times, at most HALVINGS. */
enum { HALVINGS = 3 };
struct region { int left, top, right, bottom, halved; };

/* Room for a picture of that size, not halved, pixels not set.  picture_free releases it. */
bool picture_new(struct picture *, int width, int height, struct error *);
void picture_free(struct picture *);

/* The format is told from the content.  On failure the picture is {0}.  name stands in the errors. */
bool picture_read(struct picture *, const char *path, struct error *);
bool picture_decode(struct picture *, const void *p, size_t size, const char *name, struct error *);

/* The same for who reads no pixel outside of a region, which has a pixel and lies within the picture; other pixels may
 * be set or not.  It refuses what picture_decode refuses.  Of most JPEGs little more than the region is transformed,
 * and nothing below it decoded.  Only a JPEG is halved, by smaller transforms; another picture is whole. */
bool picture_decode_region(struct picture *, const struct region *, const void *p, size_t size, const char *name,
                           struct error *);

/* The size that decoding would give, Exif orientation included, from the head of the file alone; an orientation that a
 * PNG tells behind its pixels is not seen. */
bool picture_size(const char *path, int *width, int *height, struct error *);
bool picture_decode_size(const void *p, size_t size, const char *name, int *width, int *height, struct error *);

/* The same bytes for the same picture.  quality 1..100, chroma at half resolution as cv2.imwrite has it.
 * Files appear whole or not at all.  bytes_free the result of the encoder. */
bool picture_encode_jpeg(const struct picture *, int quality, struct bytes *, struct error *);
bool picture_write_jpeg(const struct picture *, int quality, const char *path, struct error *);
bool picture_write_png(const struct picture *, const char *path, struct error *);
#endif
