/* data/image_cache.h -- decoded images of one dataset, kept in memory up to a bound.  The first images stay: an epoch
 * reads every image once, so every other choice would lose more hits than it gains.  Any number of threads may use
 * it. */
#ifndef DATA_IMAGE_CACHE_H
#define DATA_IMAGE_CACHE_H
#include "data/image.h"

/* For `count` images and at most `bytes` bytes of pixels.  NULL is valid in all calls below: a cache that
 * stores nothing. */
struct image_cache;
struct image_cache *image_cache_open(int count, size_t bytes, struct error *);
void image_cache_close(struct image_cache *);

/* The image, valid until image_cache_close, or NULL if it is not in the cache. */
const struct image *image_cache_find(struct image_cache *, int index);

/* True if image_cache_store would store an image of that size now.  If it is false once, it stays false.  Loaders that
 * would store an image decode it in full size. */
bool image_cache_has_space(struct image_cache *, int width, int height);

/* Reads one image from its file. */
struct image_reader { bool (*read)(const void *context, struct image *, struct error *); const void *context; };
enum { IMAGE_RETRY_MS = 200 };

/* The image in the cache; or else the reader reads it, once more after IMAGE_RETRY_MS if the system has failed, since
 * the cause may have passed, and the cache stores it if there is space.  An image that is not stored is in *own, which
 * the caller frees.  NULL if the image cannot be read. */
const struct image *image_cache_get(struct image_cache *, int index, const struct image_reader *, struct image *own,
                                    struct error *);

/* Moves the image into the cache: *image becomes {0}.  Returns false, and leaves *image unchanged, if too few bytes are
 * left or the slot is filled. */
bool image_cache_store(struct image_cache *, int index, struct image *);
#endif
