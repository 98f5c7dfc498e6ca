/* data/difference_hash.h -- a 64-bit perceptual hash of an image, for finding the same image in another size, format or
 * quality: bit 8 y + x is set if cell (x, y) of a grid of 9 x 8 mean grey values is darker than its right neighbour
 * (difference hash, N. Krawetz 2013). */
#ifndef DATA_DIFFERENCE_HASH_H
#define DATA_DIFFERENCE_HASH_H
#include "base/team.h"
#include "data/dataset.h"
#include "data/image.h"

enum { HASH_COLUMNS = 9, HASH_ROWS = 8 };

/* cells: the mean grey values, for comparing images that have little structure. */
struct image_hash { bool known; uint64_t bits; unsigned char cells[HASH_COLUMNS * HASH_ROWS]; };

struct image_hash hash_image(const struct image *);

/* hash[images]: of the images of a set; not known of those that cannot be read.  Fails if the system fails. */
bool hash_images(struct image_hash *hash, const struct dataset *, const char *folder, const struct team *,
                 struct error *);

/* True if both are views of the same picture: at most four bits differ, and the grey values by at most six levels of
 * 256 on average. */
bool same_picture(const struct image_hash *, const struct image_hash *);
#endif
