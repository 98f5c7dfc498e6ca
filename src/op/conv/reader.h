/* op/conv/reader.h -- reads the left operand of a pass: the input, which may be deferred, or dy, also through a fused
 * norm. */
#ifndef OP_CONV_READER_H
#define OP_CONV_READER_H
#include "graph/partition.h"
#include "op/conv/conv.h"

struct operand_reader { const struct call *k; enum pass pass; int c; };         /* of c channels; BACKWARD: dy */

struct operand_reader reader_of(const struct call *, enum pass);

void reader_copy(const struct operand_reader *, struct range, real *to, int ld);
/* The range's pixels, *ld elements apart: in place if possible, else in scratch of count * c elements. */
const real *reader_read(const struct operand_reader *, struct range, real *scratch, int *ld);

/* The values of the input rows that a block of the output reads, from row `first` on; ld elements per pixel. */
struct row_values { const real *p; int ld, first; };
struct row_values input_rows(const struct call *, struct block output, real *scratch);
size_t input_rows_bytes(const struct node *, int output_rows);

/* Likewise the rows of dy that depend on a block of the input. */
struct row_values gradient_rows(const struct call *, struct block input, real *scratch);
size_t gradient_rows_bytes(const struct node *, int input_rows);
#endif
