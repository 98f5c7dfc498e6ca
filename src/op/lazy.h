/* op/lazy.h -- what ops share: chunks of pixels that do not depend on the number of threads, and the values of
 * operands that may be pending.  Pixels are counted in memory order, [level][image][y][x]. */
#ifndef OP_LAZY_H
#define OP_LAZY_H
#include "graph/op.h"

/* A tensor of c channels is cut into chunks of this many pixels (about 8192 numbers); the last may be shorter. */
int chunk_pixels(int c);
int chunk_count(ptrdiff_t pixels, int c);
struct range chunk_range(ptrdiff_t pixels, int c, int chunk);
size_t chunk_bytes(int c);                                      /* of one chunk of real */

/* Images are counted over levels: level * n + image.  All of them; the pixels of one; the one that a pixel is of. */
int image_count(struct shape);
struct range image_range(struct view, int image);
int image_of(struct view, ptrdiff_t pixel);

/* Writes the values of the range's pixels of an operand to y, ld numbers apart. */
void write_values(const struct call *, int operand, struct range, real *y, int ld);

/* The same values, *ld numbers apart: where they lie if the operand is not pending, else in scratch of count * c. */
const real *values(const struct call *, int operand, struct range, real *scratch, int *ld);

/* dx of the operand = dy, or dx += dy; nothing if it is not wanted or is that very memory. */
void pass_gradient(const struct call *, int operand, struct view dy);
#endif
