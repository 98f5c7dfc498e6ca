/* op/conv/conv.h -- the algorithms of a convolution:
 *
 *     y[n,i,j,o] = b[o] + sum over u, v, c of w[o,u,v,c] x[n, i stride - pad + u, j stride - pad + v, c],
 *
 * with zeros outside the image and c running over the channels of o's group.
 *
 * Each algorithm is an entry of conv_algorithms; op_conv chooses one for a node when its graph is built.  An algorithm
 * packs the weights and computes a block.  All share the partition of y into blocks (graph/parts.h), the reader of
 * operands (reader.h), the writer of results (writer.h), and the loops over blocks (conv.c).
 *
 * The gradient of the weights is a sum over the batch, and therefore over its parts (graph/parts.h).  Each part has
 * `partials` partial sums over consecutive blocks, each by one thread and in order. */
#ifndef OP_CONV_CONV_H
#define OP_CONV_CONV_H
#include "op/ops.h"

enum { INPUT, WEIGHT, BIAS };           /* operands */

/* gamma, beta, mean and variance of a folded norm may follow: conv_attr.norm is the operand gamma, 0 without a norm. */
static inline bool has_bias(const struct node *n) { return n->in > BIAS && conv_attr(n)->norm != BIAS; }

static inline int taps(const struct node *n)    { return n->x[WEIGHT].h * n->x[WEIGHT].w; }
static inline int inputs(const struct node *n)  { return n->x[WEIGHT].c; }         /* per group */
static inline int outputs(const struct node *n) { return n->x[WEIGHT].n; }

/* Bytes rounded up to whole cache lines. */
static inline size_t whole_lines(size_t bytes) { return (bytes + 63) / 64 * 64; }

ptrdiff_t weight_elements(const struct node *);

/* Scale, then shift, of the folded norm. */
real *folded_norm(const struct call *);

/* Partial sums of dw per part of the batch: depends on its shape alone. */
int partials_per_part(const struct node *);

/* Adds the partial sums of each part, `stride` elements apart, into its first, in order. */
void add_within_parts(const struct call *, real *partials, ptrdiff_t stride, int elements);
/* Adds the sums of the parts, `stride` elements apart, into the first, as a tree. */
void add_parts(const struct call *, real *sums, ptrdiff_t stride, int elements);
/* Both: adds all partial sums into the first. */
void add_partials(const struct call *, real *partials, ptrdiff_t stride, int elements);

struct partial {
    real *dw;                           /* [partial_elements]; not initialised: the first block overwrites it */
    bool first, last;                   /* the block is the first, or the last, of the sum */
    int from, end;                      /* the outputs of a group whose weights are wanted: all, unless divides_dw */
    bool with_dx;                       /* dx is wanted, too */
};

struct conv_algorithm {
    const char *name;
    bool direct;                        /* evaluates the sums as defined: no transform, no matrix unit */
    bool (*fits)(const struct node *);                          /* it can compute the node */
    bool (*pays)(const struct node *, bool training);           /* it is faster than the rows below; NULL: always */

    int (*blocks)(const struct node *, int end);                /* the number of blocks of y in the parts before end */
    struct range (*block)(const struct node *, int);            /* its pixels; may be empty */
    bool (*reads_dy_once)(const struct node *, bool dx);        /* see struct fusing_producer; NULL: never */

    size_t (*packed)(const struct node *, enum pass);           /* bytes of the weights packed for y, or for dx */
    ptrdiff_t (*partial_elements)(const struct node *);         /* elements of a partial sum of dw */
    size_t (*scratch)(const struct node *, enum pass);          /* bytes per thread */

    void (*pack)(const struct call *);                          /* for y, to call.packed */
    void (*pack_dx)(const struct call *);                       /* for dx, to call.work */
    int (*forward_jobs)(const struct call *);                   /* the number of calls of forward_block; NULL: one per
                                                                   block.  Jobs that are not blocks fuse no norm. */
    void (*forward_block)(const struct call *, int);            /* writes y of a block, or of a job */
    /* Adds to a partial sum of dw if dw is wanted, and writes dx if that is wanted, too. */
    void (*backward_block)(const struct call *, int, struct partial);
    bool divides_dw;                                            /* it can compute the weights of some outputs alone */
    int (*dx_blocks)(const struct node *, bool dw);             /* separate blocks of dx; 0 or NULL: none.  dw: the
                                                                   same call computes dw */
    void (*dx_block)(const struct call *, int);
    void (*sum)(const struct call *, real *partials);           /* dw = their sum */
};

/* The algorithms, NULL at the end.  If the policy demands none, the first is chosen that fits, pays and, if the policy
 * says so, is direct; the last one always qualifies. */
extern const struct conv_algorithm *const conv_algorithms[];
extern const struct conv_algorithm conv_depthwise, conv_winograd_1d, conv_amx_1x1, conv_amx, conv_winograd, conv_dense;

/* The algorithm with that name, or NULL. */
const struct conv_algorithm *conv_algorithm_named(const char *name);
#endif
