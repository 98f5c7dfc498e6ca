/* op/lazy.h -- what ops share: chunks of pixels that do not depend on the number of threads, and the values of
 * operands that may be pending.  Pixels are counted in memory order, [level][image][y][x]. */
#ifndef OP_LAZY_H
#define OP_LAZY_H
#include "graph/op.h"

/* A chunk is a range of pixels of about CHUNK numbers. */
enum { CHUNK = 8192 };
struct range { ptrdiff_t first; int count; };
int chunk_pixels(int c);                                        /* in a whole chunk of c channels, >= 1 */
int chunk_count(struct view);
struct range chunk_range(struct view, int chunk);               /* the last one may be shorter */

/* The image that a pixel belongs to, counted over levels: level * n + image; *end: the first pixel after it. */
int image_of(struct view, ptrdiff_t pixel, ptrdiff_t *end);
/* The pixels of that image. */
struct range image_range(struct view, int image);

/* Writes the values of `count` pixels of an operand, from pixel `first` on, to y, ld numbers apart. */
void write_values(const struct call *, int operand, ptrdiff_t first, int count, real *y, int ld);

/* The same values, *ld numbers apart: where they lie if the operand is not pending, else in scratch of count * c. */
const real *values(const struct call *, int operand, ptrdiff_t first, int count, real *scratch, int *ld);

#endif
