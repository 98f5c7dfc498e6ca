/* op/shapes.h -- what the shape functions of ops have to say about operands.  Errors name the layer. */
#ifndef OP_SHAPES_H
#define OP_SHAPES_H
#include "graph/op.h"

bool same_pixels(struct shape, struct shape);                   /* n, h, w and levels */

/* All operands from `first` on have operand 0's pixels, and its channels too where `channels` is set. */
bool want_same(const struct node *, int first, bool channels, struct error *);

/* The operand is a vector of c numbers: 1 x 1 x 1 x c. */
bool want_vector(const struct node *, int operand, int c, struct error *);

/* A window of a convolution or pooling slides within x and its padding: y's h and w. */
bool slide(const struct node *, int kernel_h, int kernel_w, int stride, int pad, struct shape *y, struct error *);
#endif
