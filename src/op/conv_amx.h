/* op/conv_amx.h -- helpers of the convolution algorithms on a matrix unit (kernel/amx.h). */
#ifndef OP_CONV_AMX_H
#define OP_CONV_AMX_H
#include "kernel/amx.h"
#include "op/conv.h"

enum { DW_TILE = AMX_BLOCK * AMX_BLOCK };               /* elements of a tile of dw */

static inline int taps(const struct node *n)    { return n->x[WEIGHT].h * n->x[WEIGHT].w; }
static inline int inputs(const struct node *n)  { return n->x[WEIGHT].c; }
static inline int outputs(const struct node *n) { return n->x[WEIGHT].n; }

/* Bump allocation of `size` bytes from memory at base; *bytes counts the bytes in use.  base NULL: only counts. */
void *take(unsigned char *base, size_t *bytes, size_t size);
struct bf16 take_bf16(unsigned char *base, size_t *bytes, int count, ptrdiff_t elements);

void transpose_bf16(const struct call *, int n, int c, struct bf16 from, int ld, struct bf16 to, int ldto);
/* Splits n rows to pairs, padded with zeros to `length` rows. */
void split_pairs(const struct call *, int n, int c, const real *x, int ldx, struct bf16, int length, ptrdiff_t panel);

/* Elements of a partial sum of dw: tiles [c / AMX_BLOCK][o / AMX_BLOCK][tap] of [c][o]. */
ptrdiff_t partial_elements(const struct node *);
/* dw = the consecutive partial sums, added in order. */
void sum_dw_tiles(const struct call *, const real *partials, int count);
#endif
