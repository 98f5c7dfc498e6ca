/* graph/op.h -- the interface between the graph and its layers: one `const struct op` per layer kind, each in a file of
 * its own in src/op.
 *
 * Tensors are NHWC.  A tensor of several levels (the heads' input) stores its pixels as [level][image][y][x].  Its
 * shape has h = pixels per image over all levels and w = 1, so ops on single pixels need no special case; ops on
 * neighbourhoods process one level after the other (level_view).
 *
 * A value may be deferred: its memory holds p, its value is act(scale * p + shift) (struct deferred).  The graph passes
 * a deferred operand only to ops that accept it (takes_deferred, passes_deferred); for others it inserts a
 * `materialise` node.
 *
 * Backward gets dy, the gradient of each output's value (after a deferred activation), and writes dx, the gradient of
 * each operand's value: it sets dx, or adds to it where `add` says so, if the dx's p is not NULL.  (Exception: the dx
 * of a fused norm, see struct fusible_norm.)  A dx that is set may hold NaN before.  Pixels of a view are ld elements
 * apart; the gaps belong to other values. */
#ifndef GRAPH_OP_H
#define GRAPH_OP_H
#include "base/error.h"
#include "base/real.h"
#include "base/team.h"
#include "kernel/act.h"
#include <stddef.h>
#include <stdint.h>

enum { OP_IN = 8, OP_OUT = 1, LEVELS = 8, PARTS = 8 };

struct levels { int count; int h[LEVELS], w[LEVELS]; };        /* count 0: one level of the shape's own h x w */

/* A convolution's weight has n = outputs, h x w = kernel, c = inputs per group.  A vector has c; n, h and w are 1. */
struct shape { int n, h, w, c; struct levels lv; };

struct view {
    real *p;                            /* NULL: not wanted, or absent */
    int n, h, w, c, ld;                 /* ld: elements from one pixel to the next, >= c */
    const struct levels *lv;            /* of the shape; never NULL in a call */
};

/* A view that is only read. */
struct const_view { const real *p; int n, h, w, c, ld; const struct levels *lv; };

struct range { ptrdiff_t first; int count; };                   /* of pixels, in memory order */

/* A deferred affine map and activation: value = act(scale[c] * p + shift[c]).  scale NULL: not deferred.  The vectors
 * of level l and image i of n start at (l * n + i) * ld; ld is 0 if all pixels share one vector. */
struct deferred { const real *scale, *shift; int ld; enum act act; real slope; };

enum pass { FORWARD, BACKWARD };

struct policy;                          /* op/policy.h; the graph only passes it on */
struct ranks;

struct node {
    const struct op *op;
    char *name;                         /* of the layer, as in the state_dict; owned */
    int number;                         /* index among the nodes that draw random numbers */
    bool auxiliary;                     /* of a branch that only guides training */
    int in, out;                        /* operands and outputs in use */
    int operand[OP_IN], result[OP_OUT]; /* values of the graph */
    struct shape x[OP_IN], y[OP_OUT];
    void *attr;                         /* the op's attributes, op->attr_size bytes; owned; NULL: it has none */
    int parts;                          /* of the batch, for sums over it (graph/parts.h); a power of two <= PARTS */
    int blocks;                         /* of a norm: output blocks of its producer, or 0 */
    bool fused[2];                      /* [pass], of a norm: fused with its producer */
};

/* One evaluation of one node. */
struct call {
    const struct node *node;
    struct const_view x[OP_IN];
    struct view y[OP_OUT], dx[OP_IN], dy[OP_OUT];
    real *changed[OP_IN];               /* elements of the operands that forward changes (op.changes, .unfolds) */
    struct deferred x_deferred[OP_IN], y_deferred[OP_OUT];  /* of operands and outputs */
    real *y_scale, *y_shift;            /* the vectors of y_deferred[0], for the op that makes it deferred to fill in */
    bool add[OP_IN];
    void *save;                         /* the op's own bytes, kept from forward to backward */
    void *packed;                       /* forward only: the packed parameters */
    void *work;                         /* bytes for this call, shared by the threads */
    unsigned char *scratch;             /* scratch_size bytes per thread: call_scratch() */
    size_t scratch_size;
    const struct node *producer;        /* of a norm with node.blocks > 0 */
    const struct call *fused_norm;      /* the call of the norm that is fused with this op, or NULL */
    const struct kernels *kernels;
    const struct team *team;
    const struct ranks *ranks;          /* the processes that share the batch; NULL: this one alone */
    int first_image;                    /* of this process's share, in the batch of all */
    uint64_t key;                       /* of random numbers, from (seed, step, node) */
};

/* Place of an operand within the output, or the output within operand 0, without a copy. */
struct tensor_slice { int channel; ptrdiff_t pixel; };          /* its first channel and first pixel there */

struct op {                             /* omitted fields are 0, the conservative choice */
    const char *name;
    size_t attr_size;                   /* of its attributes (op/ops.h) */
    uint8_t in_min, in_max;
    uint16_t bwd_reads_x, bwd_reads_y;  /* bit i: backward reads operand or output i, so it is kept until then */
    uint16_t takes_deferred;            /* bit i: operand i may be deferred */
    bool passes_deferred;               /* deferred operands give a deferred output with joined vectors */
    /* y[0] is operand 0's memory, and forward fills in the vectors of y_deferred[0].  Returns the rest of
     * y_deferred[0]: its activation, and ld (the channels: a vector per level and image; 0: one vector for all).
     * NULL: not deferred. */
    struct deferred (*makes_deferred)(const struct node *);
    bool draws;                         /* uses random numbers of call.key */
    uint16_t takes_levels;              /* bit i: operand i may have several levels */
    uint16_t changes;                   /* bit i: forward in training writes operand i (running statistics) */
    uint16_t unfolds;                   /* bit i: forward writes operand i too where it unfolds a norm */
    /* Fills node->y from node->x and attr, or fails with the reason. */
    bool (*shape)(struct node *, struct error *);
    /* concat, stack: operand i may be stored in the output at this slice.  Forward copies the others. */
    bool (*operand_in_output)(const struct node *, int operand, struct tensor_slice *);
    /* channels: the output is always stored in operand 0 at this slice. */
    bool (*output_in_operand)(const struct node *, struct tensor_slice *);
    /* Chooses how the node computes, once, when its graph is built.  NULL: there is no choice. */
    void (*plan)(struct node *, const struct policy *, bool training);
    size_t (*save)(const struct node *);                        /* bytes; NULL: none */
    bool saves_for_backward;                                    /* call.save is NULL if backward does not run */
    size_t (*packed)(const struct node *);                      /* bytes that pack writes for forward; NULL: none */
    size_t (*work)(const struct node *, enum pass);             /* bytes for one call; NULL: none */
    size_t (*scratch)(const struct node *, enum pass);          /* bytes per thread; NULL: none */
    void (*pack)(const struct call *);  /* packs parameters for forward; called only after they change */
    void (*forward)(const struct call *);
    void (*backward)(const struct call *);
    double (*macs)(const struct node *);                        /* multiply-adds of the layer's definition */
    const struct fusing_producer *fuses;                        /* a norm can be fused with it; NULL: none */
    const struct fusible_norm *fusible;                         /* a norm that can be fused; NULL: it cannot */
};

/* Fused norms.  In training a producer (a convolution) runs the norm that is its only reader block by block: it calls
 * the norm's moments for each block of y[0] that it has written, and reads dy through the norm's gradient.  This saves
 * the norm one pass over memory in each direction. */
struct fusing_producer {
    int (*blocks)(const struct node *, int end);                /* of y[0] in the parts before `end`; 0 for all parts:
                                                                   no norm can be fused in forward */
    struct range (*block)(const struct node *, int);            /* its pixels; may be empty */
    bool (*reads_dy_once)(const struct node *, bool dx);        /* in backward; dx: the operand's gradient is wanted */
};

struct fusible_norm {
    bool (*needs_moments)(const struct node *);                 /* it normalises with those of the batch */
    void (*moments)(const struct call *, int block);            /* of a block of the producer, in forward */
    /* Writes the gradient of the norm's operand; called after the norm's backward. */
    void (*gradient)(const struct call *, struct range, real *dx, int ld);
};

extern const struct op op_materialise;          /* the one op that the graph inserts by itself */

/* The pixels of all levels and images of a view or const_view. */
#define pixels(v) _Generic((v), struct view: view_pixels, struct const_view: const_view_pixels)(v)
static inline ptrdiff_t view_pixels(struct view v)             { return (ptrdiff_t)v.n * v.h * v.w; }
static inline ptrdiff_t const_view_pixels(struct const_view v) { return (ptrdiff_t)v.n * v.h * v.w; }

static inline struct const_view read_only(struct view v)
{
    return (struct const_view){ v.p, v.n, v.h, v.w, v.c, v.ld, v.lv };
}

static inline int level_count(const struct levels *lv) { return lv->count ? lv->count : 1; }

/* Level l of a view as a view of that level alone. */
static inline struct view level_view(struct view v, int l)
{
    static const struct levels one;
    if (v.lv->count == 0)
        return v;
    for (int i = 0; i < l; i++)
        v.p += v.p ? (ptrdiff_t)v.n * v.lv->h[i] * v.lv->w[i] * v.ld : 0;
    v.h = v.lv->h[l];
    v.w = v.lv->w[l];
    v.lv = &one;
    return v;
}

/* The pixel (y, x) of image n, of a view or const_view of one level. */
#define at(v, n, y, x) _Generic((v), struct view: view_at, struct const_view: const_view_at)(v, n, y, x)
static inline real *view_at(struct view v, int n, int y, int x)
{
    return v.p + (((ptrdiff_t)n * v.h + y) * v.w + x) * v.ld;
}
static inline const real *const_view_at(struct const_view v, int n, int y, int x)
{
    return v.p + (((ptrdiff_t)n * v.h + y) * v.w + x) * v.ld;
}

/* dx += g if add, else dx = g, without reading dx. */
static inline void store(real *dx, bool add, real g) { *dx = add ? *dx + g : g; }

static inline void *call_scratch(const struct call *k) { return k->scratch + k->scratch_size * (size_t)team_thread(); }
#endif
