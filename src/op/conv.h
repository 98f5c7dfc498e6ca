/* op/conv.h -- what the ways to compute a convolution share,
 *
 *     y[n,i,j,o] = b[o] + sum over u, v, c of w[o,u,v,c] x[n, i stride - pad + u, j stride - pad + v, c],
 *
 * terms outside the image left out, c running over the channels of o's group.
 *
 * Work is cut into blocks of rows of one image of one level.  The gradient of the weights is a sum over all blocks:
 * they fall into at most PARTS parts, each part is summed in order by one thread, and the parts are added in order. */
#ifndef OP_CONV_H
#define OP_CONV_H
#include "graph/op.h"
#include "kernel/kernels.h"
#include "op/lazy.h"

enum { INPUT, WEIGHT, BIAS, PARTS = 8 };

/* gamma, beta, mean and variance of a norm may follow (attr.conv.norm). */
static inline bool has_bias(const struct node *n) { return n->in > BIAS && n->attr.conv.norm != BIAS; }

struct conv_way {
    bool (*fits)(const struct node *);
    size_t (*packed)(const struct node *);
    size_t (*work)(const struct node *, enum pass);
    size_t (*scratch)(const struct node *, enum pass);
    void (*pack)(const struct call *);
    void (*forward)(const struct call *);
    void (*backward)(const struct call *);              /* of input and weights; the bias is op_conv's */
    int (*parts)(const struct node *);                  /* as op.h has them; NULL: there are none */
    struct range (*part)(const struct node *, int index);
    bool (*reads_once)(const struct node *, bool dx);   /* likewise; NULL: never; or always() */
};
bool always(const struct node *, bool dx);              /* true */
extern const struct conv_way conv_depthwise, conv_strips, conv_tiles, conv_winograd, conv_dense;

/* Rows [row, row + rows) of one image, whose size is h x w; first: the block's first pixel in the tensor. */
struct block { int level, image, row, rows, h, w; ptrdiff_t first; };

int widest(const struct shape *);                       /* width of the widest level */
struct block level_of(const struct shape *, int level); /* its size and first pixel */

struct block rows_of(const struct shape *, int level, int image, int row, int end);     /* [row, end) */

/* Rows a block so that one has about `numbers` numbers, `width` of them a row. */
int block_rows(ptrdiff_t numbers, ptrdiff_t width);
int block_count(const struct shape *, int rows);
struct block block_at(const struct shape *, int rows, int index);

static inline struct range pixels_of(struct block b) { return (struct range){ b.first, b.rows * b.w }; }

/* The values of the rows of the input that a block of the output reads: those from `first` on, ld numbers a pixel. */
struct rows { const real *p; int ld, first; };
struct rows input_rows(const struct call *, struct block output, real *scratch);
size_t input_rows_bytes(const struct node *, int output_rows);

/* The rows of the gradient that reach a block of the input, likewise. */
struct rows gradient_rows(const struct call *, struct block input, real *scratch);
size_t gradient_rows_bytes(const struct node *, int input_rows);

/* Part `part` of y has just been written. */
static inline void hand_over(const struct call *k, int part)
{
    if (k->behind)
        k->behind->node->op->moments(k->behind, part);
}

/* What a pass reads: the input, which may be pending, or the gradient of the output; c channels. */
struct source { const struct call *k; bool gradient; int c; };
void write_source(const struct source *, struct range, real *to, int ld);
/* The numbers of the range, *ld apart, where they lie if nothing is pending, else in scratch of count * c. */
const real *source_values(const struct source *, struct range, real *scratch, int *ld);

/* The norm and activation that end the convolution; nothing, if there are none. */
struct affine finish_of(const struct call *);

/* y = sums after the norm and activation that end the convolution, if any; y may be sums. */
void write_finished(const struct call *, int pixels, const real *sums, int ld, real *y, int ldy);

/* The blocks [from, to) of part `part` of `blocks`. */
struct part { int from, to; };
int part_count(int blocks);
struct part part_at(int blocks, int part);
/* dw = the sum of the parts, `stride` numbers apart, in order; by_tap: they lie [tap][output], not as the weights. */
void sum_parts(const struct call *, const real *parts, int count, ptrdiff_t stride, bool by_tap);
#endif
