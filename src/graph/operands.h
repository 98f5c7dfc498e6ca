/* graph/operands.h -- helpers of the ops: chunks of pixels, independent of the number of threads, and values of
 * operands that may be deferred.  Pixels are counted in memory order, [level][image][y][x]. */
#ifndef GRAPH_OPERANDS_H
#define GRAPH_OPERANDS_H
#include "graph/op.h"

/* Chunks of a tensor of c channels have this many pixels (about 8192 elements); the last may be shorter. */
int chunk_pixels(int c);
int chunk_count(ptrdiff_t pixels, int c);
struct range chunk_range(ptrdiff_t pixels, int c, int chunk);
size_t chunk_bytes(int c);                                      /* of one chunk of real */

/* Images are numbered level * n + image.  Their number, the pixels of one, and the image of a pixel. */
int image_count(struct shape);
struct range image_range(struct const_view, int image);
int image_of(struct const_view, ptrdiff_t pixel);

/* Copies the values of a range of an operand's pixels to y, ld elements apart. */
void copy_operand(const struct call *, int operand, struct range, real *y, int ld);

/* The same values, *ld elements apart: in place if the operand is not deferred, else in scratch of count * c. */
const real *read_operand(const struct call *, int operand, struct range, real *scratch, int *ld);

/* dx of the operand = dy, or dx += dy.  Does nothing if dx is not wanted or is dy's memory. */
void pass_gradient(const struct call *, int operand, struct view dy);
#endif
