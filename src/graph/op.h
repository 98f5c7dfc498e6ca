/* graph/op.h -- the interface between the graph and its layers.  One op, one file in src/op, one `const struct op`.
 *
 * Tensors are NHWC.  A tensor of several levels (the heads' input) has its pixels in the order [level][image][y][x];
 * its shape then has h = pixels an image over all levels, w = 1, so that what works on single pixels needs no care
 * for levels, and what looks at neighbours takes one level after the other (level_view).
 *
 * A value may be pending: its memory holds p, its value is act(scale * p + shift) (struct lazy).  The graph hands a
 * pending operand only to ops that say so in takes_lazy; for the others it inserts a `materialise` node.
 *
 * Backward gets dy, the gradient of each output's value (after a pending activation), and writes dx, the gradient
 * of each operand's value likewise: it sets, or adds where `add` says so, each dx whose p is not NULL (but that of a
 * norm that is led: see struct op).  A dx that is set may hold NaN before.  Pixels of a view lie ld numbers apart; what
 * lies between them belongs to others. */
#ifndef GRAPH_OP_H
#define GRAPH_OP_H
#include "base/error.h"
#include "base/real.h"
#include "base/team.h"
#include "kernel/act.h"
#include <stddef.h>
#include <stdint.h>

enum { OP_IN = 8, OP_OUT = 1, LEVELS = 8 };

struct levels { int count; int h[LEVELS], w[LEVELS]; };        /* count 0: one level of the shape's own h x w */

/* A weight of a convolution has n = outputs, h x w = kernel, c = inputs a group; a vector has c alone, the rest 1. */
struct shape { int n, h, w, c; struct levels lv; };

struct view {
    real *p;                            /* NULL: not wanted, not there */
    int n, h, w, c, ld;                 /* ld: numbers from one pixel to the next, >= c */
    const struct levels *lv;            /* of the shape; never NULL in a call */
};

struct range { ptrdiff_t first; int count; };                   /* of pixels, in memory order */

/* value = act(scale[c] * p + shift[c]).  scale NULL: not pending.  The vector of level l and image i of n starts
 * at (l * n + i) * ld: ld is 0 where one vector serves all pixels, else the distance of two vectors. */
struct lazy { const real *scale, *shift; int ld; enum act act; real slope; };

enum pass { FORWARD, BACKWARD };

union attr {
    struct {                                        /* kernel size: the weight's h, w */
        int stride, pad, groups;
        bool direct;                                /* no Winograd */
        int pieces;                                 /* of a number on a matrix unit (kernel/tiles.h); 0: not there */
        int norm;                                   /* 0, or the first operand of a norm of constants that ends it: */
        real eps, slope; enum act act;              /* y = act(norm(sums)) */
    } conv;
    struct { real eps, momentum, slope; enum act act; int groups; bool training; } norm;
    struct { enum act act; real slope; } act;
    struct { int kernel, stride, pad; } pool;
    struct { int from, to; } channels;                                          /* [from, to) */
    struct { int h, w; } resize;
    struct { real rate; } drop;                                                 /* 0 <= rate < 1 */
    struct { int heads; real rate; } attention;                                 /* likewise */
};

struct node {
    const struct op *op;
    char *name;                         /* of its layer, as in the state_dict; owned */
    int number;                         /* among those that draw: the same however the graph is to run */
    int in, out;                        /* operands and outputs in use */
    int operand[OP_IN], result[OP_OUT]; /* values of the graph */
    struct shape x[OP_IN], y[OP_OUT];
    union attr attr;
    int parts;                          /* a norm: in which the op before it makes x, or 0 */
    bool led[2];                        /* in that pass, by that op (struct op) */
};

/* One evaluation of one node. */
struct call {
    const struct node *node;
    struct view x[OP_IN], y[OP_OUT], dx[OP_IN], dy[OP_OUT];
    struct lazy lx[OP_IN], ly[OP_OUT];  /* pending on the way in and out */
    bool add[OP_IN];
    void *save;                         /* the op's own bytes, kept from forward to backward */
    void *packed;                       /* forward only: what pack has made of the parameters */
    void *work;                         /* bytes for this call, shared by the threads */
    unsigned char *scratch;             /* bytes for each thread: call_scratch() */
    size_t scratch_size;
    const struct node *before;          /* a norm's, if it has parts */
    const struct call *behind;          /* the norm's that this op leads, or NULL */
    const struct kernels *kernels;
    const struct team *team;
    uint64_t key;                       /* of random numbers: of (seed, step, node) */
};

/* Where an operand lies within the output, or the output within operand 0: no copy is made. */
struct slice { int channel; ptrdiff_t pixel; };                 /* its first channel and first pixel there */

struct op {                             /* what a row leaves out is 0, always the safe answer */
    const char *name;
    uint8_t in_min, in_max;
    uint16_t bwd_reads_x, bwd_reads_y;  /* bit i: backward reads operand or output i, so it is kept until then */
    uint16_t takes_lazy;                /* bit i: operand i may be pending */
    bool passes_lazy;                   /* forward moves nothing: pending operands give a pending output (joined) */
    bool pends;                         /* y[0] is operand 0's memory with a new pending ly[0] that forward fills in */
    bool vectors_per_image;             /* of what pends: a vector for each level and image, not one for all */
    bool draws;                         /* random numbers, of call.key */
    uint16_t takes_levels;              /* bit i: operand i may have several levels */
    uint16_t changes;                   /* bit i: forward in training writes operand i (running statistics) */
    /* Fills node->y from node->x and attr, or says what does not fit. */
    bool (*shape)(struct node *, struct error *);
    /* concat, stack: operand i may live in the output at this slice.  Forward copies those that do not. */
    bool (*operand_in_output)(const struct node *, int operand, struct slice *);
    /* channels: the output always lives in operand 0 at this slice. */
    bool (*output_in_operand)(const struct node *, struct slice *);
    size_t (*save)(const struct node *);                        /* bytes; NULL: none */
    bool saves_for_backward;                                    /* call.save is NULL where that does not run */
    size_t (*packed)(const struct node *);                      /* bytes that pack writes for forward; NULL: none */
    size_t (*work)(const struct node *, enum pass);             /* bytes for one call; NULL: none */
    size_t (*scratch)(const struct node *, enum pass);          /* bytes a thread; NULL: none */
    void (*pack)(const struct call *);  /* parameters as forward wants them; again only when they have changed */
    void (*forward)(const struct call *);
    void (*backward)(const struct call *);
    double (*macs)(const struct node *);                        /* multiply-adds of the layer's definition */

    /* In training an op leads the norm that alone reads what it makes: has it look at each part that has just been
     * written, and reads dy through it.  So the norm has one pass over memory less each way. */
    int (*parts)(const struct node *);                          /* the op's: of y[0]; or 0 */
    struct range (*part)(const struct node *, int index);       /* likewise; may be empty */
    bool (*reads_once)(const struct node *, bool dx);           /* likewise: backward reads dy once; dx: it is wanted */
    void (*moments)(const struct call *, int part);                             /* the norm's, in forward */
    void (*gradient)(const struct call *, struct range, real *dx, int ld);      /* the norm's, after its backward */
};

extern const struct op op_materialise;          /* the one op that the graph inserts by itself */

/* Pixels of all levels and images. */
static inline ptrdiff_t pixels(struct view v) { return (ptrdiff_t)v.n * v.h * v.w; }

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

/* The pixel (y, x) of image n, of a view of one level. */
static inline real *at(struct view v, int n, int y, int x)
{
    return v.p + (((ptrdiff_t)n * v.h + y) * v.w + x) * v.ld;
}

/* dx += g if add, else dx = g, without reading dx. */
static inline void store(real *dx, bool add, real g) { *dx = add ? *dx + g : g; }

static inline void *call_scratch(const struct call *k) { return k->scratch + k->scratch_size * (size_t)team_self(); }
#endif
