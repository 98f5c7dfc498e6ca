/* data/tiles.h -- rectangles of an image that take its place as the network's input.  A tile may be larger than the
 * image on one axis: what lies beyond the image is black. */
#ifndef DATA_TILES_H
#define DATA_TILES_H
#include "data/geometry.h"

struct tile { int x, y; struct image_size size; };              /* top left, in pixels of the image; x, y >= 0 */

/* A size as the configuration has it; input: the input_size of the same section. */
struct image_size tile_size(const struct ints *size, const int input[2]);
bool tile_covers(struct image_size tile, struct image_size image);     /* on both axes */
struct tile tile_whole(struct image_size image);

/* Tiles in rows and columns, evenly spaced, the first and the last at the borders of the image, as few as possible if
 * neighbours overlap by at least overlap * tile; an axis that a tile covers has one, from 0. */
struct tile_grid { struct image_size image, tile; int columns, rows; };
struct tile_grid tile_grid_of(struct image_size image, struct image_size tile, double overlap);
struct tile tile_at(const struct tile_grid *, int index);       /* 0 <= index < columns * rows */

/* The grids of detection in an image that is larger than a tile: of tiles of that size and, with `coarse`, of the whole
 * image, and of tiles of twice the size, four times the size and so on, up to half of the image's larger side.  Returns
 * their number. */
enum { TILE_GRIDS = 32 };
int tile_grids(const struct test_tiles *, struct image_size tile, struct image_size image,
               struct tile_grid grids[TILE_GRIDS]);

/* The whole image with probability `whole`, or if a tile covers it or there are no tiles; else a tile whose centre is
 * uniform over the image, moved into the image, so that its borders are seen as well.  Without tiles nothing is
 * drawn. */
struct tile tile_draw(const struct train_tiles *, const int input[2], struct image_size image, struct random *);
#endif
