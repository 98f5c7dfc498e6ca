/* op/conv_tiles.h -- what the ways of convolution on a matrix unit (kernel/tiles.h) share. */
#ifndef OP_CONV_TILES_H
#define OP_CONV_TILES_H
#include "kernel/tiles.h"
#include "op/conv.h"

enum { SQUARE = TILE_SIDE * TILE_SIDE };

static inline int taps(const struct node *n)    { return n->x[WEIGHT].h * n->x[WEIGHT].w; }
static inline int inputs(const struct node *n)  { return n->x[WEIGHT].c; }
static inline int outputs(const struct node *n) { return n->x[WEIGHT].n; }

/* Room behind what has been taken already of memory that starts at base; base NULL: it is only counted. */
void *take(unsigned char *base, size_t *bytes, size_t size);
struct pieces take_pieces(unsigned char *base, size_t *bytes, int count, ptrdiff_t numbers);

void turn(const struct call *, int n, int c, struct pieces from, int ld, struct pieces to, int ldto);
/* n rows as pairs of `length` rows, those that lack zero. */
void split_pairs(const struct call *, int n, int c, const real *x, int ldx, struct pieces, int length, ptrdiff_t panel);

/* A part of dw: squares [c / TILE_SIDE][o / TILE_SIDE][tap] of [c][o]. */
ptrdiff_t part_numbers(const struct node *);
/* dw = the sum of the parts, one behind the other, in order. */
void sum_squares(const struct call *, const real *parts, int count);
#endif
