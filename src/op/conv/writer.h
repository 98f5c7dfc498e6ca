/* op/conv/writer.h -- writes the results of blocks. */
#ifndef OP_CONV_WRITER_H
#define OP_CONV_WRITER_H
#include "kernel/kernels.h"
#include "op/conv/conv.h"

/* The epilogue: the folded norm and its activation, or the identity. */
struct affine epilogue_of(const struct call *);

/* Writes `count` pixels, from pixel `first` on, of all channels: FORWARD: y = epilogue(sums); sums may be y.
 * BACKWARD: dx = sums, or dx += sums. */
void write_pixels(const struct call *, enum pass, ptrdiff_t first, int count, const real *sums, int ld);

/* dw = the consecutive partial sums of the weight's elements, added in order.  by_tap: they are stored as
 * [tap][output]. */
void sum_weights(const struct call *, real *partials, int count);
void sum_weights_by_tap(const struct call *, real *partials, int count);
#endif
