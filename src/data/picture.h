/* data/picture.h -- photographs: bytes in memory, JPEG and PNG in files.
 *
 * Decoding gives the pixels that cv2.imread(path) gives with its default flags, bit for bit: B, G, R; grey spread to
 * three equal channels; alpha dropped without blending; 16 bits cut to their high byte; CMYK converted as OpenCV
 * does; turned upright as the Exif orientation says.  JPEG uses the accurate integer transform and smooth chroma.
 *
 * A JPEG that ends too early is read as cv2.imread does, which fills the rest (cv2.imdecode refuses it since OpenCV
 * 4.12); the picture says that it is truncated.  A PNG that ends too early is refused, by both.  Damage that the format
 * cannot tell from data goes unseen. */
#ifndef DATA_PICTURE_H
#define DATA_PICTURE_H
#include "base/error.h"
#include "base/file.h"
#include <stddef.h>

enum { PICTURE_SIDE = 1 << 20, PICTURE_PIXELS = 1 << 28 };      /* more is refused before memory is asked for */

/* [height][width][3] B, G, R, rows without gaps.  A picture that was halved while it was decoded has 2^halved squared
 * pixels of the whole in one, fewer at its right and bottom if sides are odd. */
struct picture {
    unsigned char *p;
    int width, height, halved, whole_width, whole_height;
    size_t counted;                                     /* bytes of the memory for decoding; see picture_memory */
    bool truncated;                                     /* the file ended before its end marker */
};

/* Columns left .. right - 1, rows top .. bottom - 1 of the picture halved so many times, at most HALVINGS. */
enum { HALVINGS = 3 };
struct region { int left, top, right, bottom, halved; };

/* Bounds the memory of reading and decoding image files, in megabytes, for all threads of the process together: a third
 * is for files as they are stored, two thirds are for decoders and for decoded pictures until picture_free.  A thread
 * that finds too little left waits for others.  An image that needs more than the whole bound is refused; the error
 * names the device.decode_mb that it needs.  A thread must free a picture before it reads the next one: two threads
 * that each hold one could wait for each other. */
enum { DECODE_MB = 1500 };                              /* until picture_memory is called */
void picture_memory(int mb);

/* A file that holds an image, not decoded. */
struct picture_file { struct bytes bytes; size_t counted; };
bool picture_file_read(struct picture_file *, const char *path, struct error *);
void picture_file_free(struct picture_file *);

/* Room for a picture of that size, not halved, pixels not set.  picture_free releases it. */
bool picture_new(struct picture *, int width, int height, struct error *);
void picture_free(struct picture *);
void picture_count_not(struct picture *);               /* another bound counts it from now on */

/* The content decides the format.  On failure the picture is {0}.  Errors name `name`; they are reject() if the file is
 * missing, broken, of another format or too large.  This holds for all readers below. */
bool picture_read(struct picture *, const char *path, struct error *);
bool picture_decode(struct picture *, const void *p, size_t size, const char *name, struct error *);

/* The same for who reads no pixel outside of a region, which has a pixel and lies within the picture; other pixels may
 * be set or not.  It refuses what picture_decode refuses.  Of most JPEGs little more than the region is transformed,
 * and nothing below it decoded.  Only a JPEG is halved, by smaller transforms; another picture is whole. */
bool picture_decode_region(struct picture *, const struct region *, const void *p, size_t size, const char *name,
                           struct error *);

/* The size that decoding gives, Exif orientation included. */
bool picture_size(const char *path, int *width, int *height, struct error *);
bool picture_decode_size(const void *p, size_t size, const char *name, int *width, int *height, struct error *);

/* The same and whether the file has its end marker, from its first and last bytes; of a file that has more behind the
 * marker, or a long head, all is read but nothing decoded.  An incomplete JPEG is decoded as far as it goes, see
 * truncated; an incomplete PNG fails, as do other files that are not decoded for their first or last bytes. */
struct picture_probe { int width, height; bool complete; };
bool picture_probe(const char *path, struct picture_probe *, struct error *);

/* The same bytes for the same picture.  quality 1..100, chroma at half resolution as cv2.imwrite has it.
 * Files appear whole or not at all.  bytes_free the result of the encoder. */
bool picture_encode_jpeg(const struct picture *, int quality, struct bytes *, struct error *);
bool picture_write_jpeg(const struct picture *, int quality, const char *path, struct error *);
bool picture_write_png(const struct picture *, const char *path, struct error *);
#endif
