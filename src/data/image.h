/* data/image.h -- photographs: bytes in memory, JPEG and PNG in files.
 *
 * Decoding gives the pixels that cv2.imread(path) gives with its default flags, bit for bit: B, G, R; grey spread to
 * three equal channels; alpha dropped without blending; 16 bits cut to their high byte; CMYK converted as OpenCV
 * does; turned upright as the Exif orientation says.  JPEG uses the accurate integer transform and smooth chroma.
 *
 * A JPEG that ends too early is read as cv2.imread does, which fills the rest (cv2.imdecode refuses it since OpenCV
 * 4.12); the image says that it is truncated.  A PNG that ends too early is refused, by both.  Damage that the format
 * cannot distinguish from data is not reported. */
#ifndef DATA_IMAGE_H
#define DATA_IMAGE_H
#include "base/error.h"
#include "base/file.h"
#include <stddef.h>

enum { IMAGE_SIDE = 1 << 20, IMAGE_PIXELS = 1 << 28 };      /* more is refused before memory is asked for */

/* [height][width][3] B, G, R, rows without gaps.  An image that was halved while it was decoded has 2^halved squared
 * pixels of the whole in one, fewer at its right and bottom if sides are odd. */
struct image {
    unsigned char *p;
    int width, height, halved, whole_width, whole_height;
    size_t counted;                                     /* bytes of the memory for decoding; see image_memory */
    bool truncated;                                     /* the file ended before its end marker */
};

/* Columns left .. right - 1, rows top .. bottom - 1 of the image halved so many times, at most HALVINGS. */
enum { HALVINGS = 3 };
struct region { int left, top, right, bottom, halved; };

/* Bounds the memory of reading and decoding image files, in megabytes, for all threads of the process together: a third
 * is for files as they are stored, two thirds are for decoders and for decoded images until image_free.  A thread
 * that finds too little left waits for others.  An image that needs more than the whole bound is refused; the error
 * names the device.decode_mb that it needs.  A thread must free an image before it reads the next one: two threads
 * that each hold one could wait for each other. */
enum { DECODE_MB = 1500 };                              /* until image_memory is called */
void image_memory(int mb);

/* A file that holds an image, not decoded. */
struct image_file { struct bytes bytes; size_t counted; };
bool image_file_read(struct image_file *, const char *path, struct error *);
void image_file_free(struct image_file *);

/* Room for an image of that size, not halved, pixels not set.  image_free releases it. */
bool image_new(struct image *, int width, int height, struct error *);
void image_free(struct image *);
void image_leave_budget(struct image *);            /* its bytes no longer count: the owner has a bound of its own */

/* The content decides the format.  On failure the image is {0}.  Errors name `name`; they are reject() if the file is
 * missing, broken, of another format or too large.  This holds for all readers below. */
bool image_read(struct image *, const char *path, struct error *);
bool image_decode(struct image *, const void *p, size_t size, const char *name, struct error *);

/* The same for a caller that reads only a region, which has a pixel and lies within the image; other pixels may be set
 * or not.  It refuses the same files as image_decode.  For most JPEGs, little more than the region is transformed and
 * nothing below it is decoded.  Only a JPEG is halved, by smaller transforms; another image is whole. */
bool image_decode_region(struct image *, const struct region *, const void *p, size_t size, const char *name,
                         struct error *);

/* The size that decoding gives, Exif orientation included. */
bool image_size(const char *path, int *width, int *height, struct error *);
bool image_decode_size(const void *p, size_t size, const char *name, int *width, int *height, struct error *);

/* The same and whether the file has its end marker, from its first and last bytes; of a file that has more behind the
 * marker, or a long head, all is read but nothing decoded.  An incomplete JPEG is decoded as far as it goes, see
 * truncated; an incomplete PNG fails, as do other files that are not decoded for their first or last bytes. */
struct image_probe { int width, height; bool complete; };
bool image_probe(const char *path, struct image_probe *, struct error *);

/* The same bytes for the same image.  quality 1..100, chroma at half resolution as cv2.imwrite has it.
 * Files appear whole or not at all.  bytes_free the result of the encoder. */
bool image_encode_jpeg(const struct image *, int quality, struct bytes *, struct error *);
bool image_write_jpeg(const struct image *, int quality, const char *path, struct error *);
bool image_write_png(const struct image *, const char *path, struct error *);
#endif
