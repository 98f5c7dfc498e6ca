/* op/conv.h -- the code that the algorithms of a convolution share:
 *
 *     y[n,i,j,o] = b[o] + sum over u, v, c of w[o,u,v,c] x[n, i stride - pad + u, j stride - pad + v, c],
 *
 * with zeros outside the image and c running over the channels of o's group.
 *
 * Work is divided into blocks of rows of one image of one level.  The gradient of the weights is a sum over all blocks.
 * It is computed as at most MAX_PARTIALS partial sums over consecutive blocks, each by one thread and in order; the
 * partial sums are then added in order. */
#ifndef OP_CONV_H
#define OP_CONV_H
#include "graph/op.h"
#include "kernel/kernels.h"
#include "op/operands.h"

enum { INPUT, WEIGHT, BIAS, MAX_PARTIALS = 8 };

/* gamma, beta, mean and variance of a folded norm may follow (attr.conv.norm). */
static inline bool has_bias(const struct node *n) { return n->in > BIAS && n->attr.conv.norm != BIAS; }

struct conv_algorithm {
    bool (*fits)(const struct node *);
    size_t (*packed)(const struct node *);
    size_t (*work)(const struct node *, enum pass);
    size_t (*scratch)(const struct node *, enum pass);
    void (*pack)(const struct call *);
    void (*forward)(const struct call *);
    void (*backward)(const struct call *);              /* of input and weights; op_conv handles the bias */
    int (*output_blocks)(const struct node *);                  /* see struct op; NULL: none */
    struct range (*output_block)(const struct node *, int index);
    bool (*reads_dy_once)(const struct node *, bool dx);        /* NULL: never */
};
bool always(const struct node *, bool dx);              /* true */
extern const struct conv_algorithm conv_depthwise, conv_winograd_1d, conv_amx, conv_winograd, conv_dense;

/* Rows [row, row + rows) of an image of h x w pixels; first: the block's first pixel in the tensor. */
struct block { int level, image, row, rows, h, w; ptrdiff_t first; };

int max_level_width(const struct shape *);                       /* pixels */
struct block level_block(const struct shape *, int level); /* all rows: size and first pixel */

struct block row_block(const struct shape *, int level, int image, int row, int end);     /* [row, end) */

/* Rows per block for blocks of about `elements` elements, `width` per row. */
int block_rows(ptrdiff_t elements, ptrdiff_t width);
int block_count(const struct shape *, int rows);
struct block block_at(const struct shape *, int rows, int index);

static inline struct range pixels_of(struct block b) { return (struct range){ b.first, b.rows * b.w }; }

/* The values of the input rows that a block of the output reads, from row `first` on; ld elements per pixel. */
struct row_values { const real *p; int ld, first; };
struct row_values input_rows(const struct call *, struct block output, real *scratch);
size_t input_rows_bytes(const struct node *, int output_rows);

/* Likewise the rows of dy that depend on a block of the input. */
struct row_values gradient_rows(const struct call *, struct block input, real *scratch);
size_t gradient_rows_bytes(const struct node *, int input_rows);

/* Reports a written block of y to the fused norm, if any. */
static inline void block_done(const struct call *k, int block)
{
    if (k->fused_norm)
        k->fused_norm->node->op->norm_moments(k->fused_norm, block);
}

/* Reads the left operand of a pass, c channels: the input, which may be deferred, or dy, also through a fused norm. */
struct operand_reader { const struct call *k; bool gradient; int c; };          /* gradient: dy */
void reader_copy(const struct operand_reader *, struct range, real *to, int ld);
/* The range's pixels, *ld elements apart: in place if possible, else in scratch of count * c elements. */
const real *reader_read(const struct operand_reader *, struct range, real *scratch, int *ld);

/* The epilogue: the folded norm and its activation, or the identity. */
struct affine epilogue_of(const struct call *);

/* y = epilogue(sums); y may be sums. */
void apply_epilogue(const struct call *, int pixels, const real *sums, int ld, real *y, int ldy);

/* The blocks [from, to) of a partial sum. */
struct block_span { int from, to; };
int partial_count(int blocks);
struct block_span partial_at(int blocks, int index);
/* dw = the partial sums, `stride` elements apart, added in order.  by_tap: they are stored as [tap][output]. */
void sum_partials(const struct call *, const real *partials, int count, ptrdiff_t stride, bool by_tap);
#endif
