/* op/conv/writer.h -- stores computed blocks in y, dx and dw. */
#ifndef OP_CONV_WRITER_H
#define OP_CONV_WRITER_H
#include "kernel/kernels.h"
#include "op/conv/conv.h"

/* The epilogue of y: the folded norm and its activation, or the identity. */
struct affine epilogue_of(const struct call *);

/* Writes all channels of the pixels first .. first + count - 1; rows of sums, from pixel `first` on, are ld elements
 * apart.
 *     FORWARD    y = epilogue(sums); sums may be y itself
 *     BACKWARD   dx = sums, or dx += sums if call.add says so */
void write_pixels(const struct call *, enum pass, ptrdiff_t first, int count, const real *sums, int ld);

/* dw = the sum of the partial sums.  They have the layout of the weight, [output][tap][input], or of a depthwise weight
 * by tap, [tap][output]. */
void sum_weight_gradients(const struct call *, real *partials);
void sum_weight_gradients_by_tap(const struct call *, real *partials);
#endif
