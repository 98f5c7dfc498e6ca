/* op/conv/unit.h -- helpers of the algorithms on a matrix unit (kernel/amx.h). */
#ifndef OP_CONV_UNIT_H
#define OP_CONV_UNIT_H
#include "kernel/amx.h"
#include "op/conv/reader.h"
#include "op/conv/writer.h"

enum { DW_TILE = AMX_BLOCK * AMX_BLOCK };               /* elements of a tile of dw */

/* Bump allocation of `size` bytes from memory at base; *bytes counts the bytes in use.  base NULL: only counts. */
void *take(unsigned char *base, size_t *bytes, size_t size);
struct bf16 take_bf16(unsigned char *base, size_t *bytes, int count, ptrdiff_t elements);

void transpose_bf16(const struct call *, int n, int c, struct bf16 from, int ld, struct bf16 to, int ldto);
/* Splits n rows to pairs, padded with zeros to `length` rows. */
void split_pairs(const struct call *, int n, int c, const real *x, int ldx, struct bf16, int length, ptrdiff_t panel);

/* Elements of a partial sum of dw: tiles [c / AMX_BLOCK][o / AMX_BLOCK][tap] of [c][o]. */
ptrdiff_t tile_elements(const struct node *);
void sum_tiles(const struct call *, real *partials);            /* dw = their sum */
#endif
