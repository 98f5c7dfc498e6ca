/* op/shapes.h -- checks that the shape functions of ops share.  The graph prefixes layer and op to their errors. */
#ifndef OP_SHAPES_H
#define OP_SHAPES_H
#include "graph/op.h"

bool same_pixels(struct shape, struct shape);                   /* n, h, w and levels */

/* All operands from `first` on have operand 0's pixels and, if `channels` is set, its channels. */
bool want_same(const struct node *, int first, bool channels, struct error *);

/* The operand is a vector of c elements: 1 x 1 x 1 x c. */
bool want_vector(const struct node *, int operand, int c, struct error *);

bool unchanged(struct node *, struct error *);                  /* operand 0's shape */
bool dropped(struct node *, struct error *);                    /* the same; drop_attr's rate is from 0 to below 1 */
bool doubled(struct node *, struct error *);                    /* twice h and w; no levels */

/* The shape of max and average pooling.  A tap of the window fits in a byte. */
enum { POOL_KERNEL = 16 };
bool pooled(struct node *, struct error *);
#endif
