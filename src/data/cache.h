/* data/cache.h -- decoded images of one dataset, kept in memory up to a bound.  The first images stay: an epoch
 * reads every image once, so every other choice would lose more hits than it gains.  For any number of threads. */
#ifndef DATA_CACHE_H
#define DATA_CACHE_H
#include "data/image.h"

/* For `count` images and at most `bytes` bytes of pixels.  NULL, an empty cache that keeps nothing, is valid below. */
struct cache;
struct cache *cache_open(int count, size_t bytes, struct error *);
void cache_close(struct cache *);

/* NULL if it is not there.  Valid until cache_close. */
const struct image *cache_find(struct cache *, int index);

/* Would cache_keep take an image of that size now?  Where it would not, it never will. */
bool cache_fits(struct cache *, int width, int height);

/* Takes over the image, which becomes {0}; false, the image untouched, if too few bytes are left or it is there. */
bool cache_keep(struct cache *, int index, struct image *);
#endif
