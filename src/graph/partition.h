/* graph/partition.h -- blocks of a tensor, for threads and for sums over the batch: contiguous ranges of pixels of one
 * level and one part of the batch (parts.h).  They depend on the tensor's shape alone.  Their order is that of the
 * parts, and within a part that of the levels. */
#ifndef GRAPH_PARTITION_H
#define GRAPH_PARTITION_H
#include "graph/parts.h"

/* Rows [row, row + rows) of an image of h x w pixels; first: the block's first pixel in the tensor. */
struct block { int level, image, row, rows, h, w; ptrdiff_t first; };

int max_level_width(const struct shape *);                      /* pixels */
struct block level_block(const struct shape *, int level);      /* all rows: size and first pixel */
struct block row_block(const struct shape *, int level, int image, int row, int end);     /* [row, end) */

/* Rows per block for blocks of about `elements` elements, `width` per row. */
int block_rows(ptrdiff_t elements, ptrdiff_t width);
/* The number of blocks of the parts before `end`; end = parts: of all. */
int block_count(const struct shape *, int parts, int end, int rows);
struct block block_at(const struct shape *, int parts, int rows, int index);

static inline struct range pixels_of(struct block b) { return (struct range){ b.first, b.rows * b.w }; }

/* Rows of about 8192 elements, for sums over pixels: the number in the parts before `end`, and the pixels of one. */
int chunks_before(const struct shape *, int parts, int end);
struct range chunk_at(const struct shape *, int parts, int index);
void chunk_ends(const struct shape *, int parts, int end[PARTS]);      /* chunks_before the end of each part */
size_t chunk_elements(const struct shape *);                     /* of the largest */

/* Tiles of WINOGRAD_TILE pixels along an extent; the last may be clipped. */
int tiles_along(int extent);

/* Bands of square tiles: rows of tiles [row, row + rows) of a part of a level, counted over its images; across, down:
 * tiles of an image.  tiles: of a band, unless a row has more. */
struct band { struct block level; int across, down, row, rows; };

int band_count(const struct shape *, int parts, int end, int tiles);
struct band band_at(const struct shape *, int parts, int tiles, int index);
struct range band_pixels(const struct band *);

/* A tile's outputs: rows [y, y + WINOGRAD_TILE), columns [x, x + WINOGRAD_TILE), clipped at h and w.  image: the
 * image's first pixel. */
struct tile { int y, x, h, w; ptrdiff_t image; };
struct tile tile_of(const struct band *, int index);

/* Rows [row, row + rows) of a part of a level whose `images` images of h rows of w pixels are stacked vertically,
 * separated by a row of zeros; across: tiles along a row.  tiles: of a block, unless a row has more. */
struct stacked_rows { int h, w, across, row, rows, images; ptrdiff_t first; };

int stacked_count(const struct shape *, int parts, int end, int tiles);
struct stacked_rows stacked_at(const struct shape *, int parts, int tiles, int index);
struct range stacked_pixels(const struct stacked_rows *);
ptrdiff_t stacked_pixel(const struct stacked_rows *, int row);  /* the row's first, or -1 for a row of zeros */
#endif
