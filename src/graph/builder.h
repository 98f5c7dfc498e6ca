/* graph/builder.h -- graphs are written as functions.  The builder keeps its first error, goes on doing nothing,
 * and graph_build returns it: code that builds has no ifs for errors. */
#ifndef GRAPH_BUILDER_H
#define GRAPH_BUILDER_H
#include "graph/graph.h"

/* How the parameters of layers being built start.  Fan-in: inputs a group x kernel area; fan-out: outputs x area. */
struct layer_init {
    enum {
        WEIGHTS_DEFAULT,                /* uniform within +-1 / sqrt(fan-in), biases too: PyTorch's own */
        WEIGHTS_KAIMING,                /* normal, deviation sqrt(2 / fan-out) (He et al. 2015) */
        WEIGHTS_INPUTS,                 /* normal, deviation 1 / inputs a group */
        WEIGHTS_NORMAL,                 /* normal, deviation `deviation` */
        WEIGHTS_XAVIER,                 /* uniform within +-sqrt(6 / (fan-in + fan-out)) (Glorot, Bengio 2010) */
    } weights;
    double deviation, bias, norm_bias;  /* bias: of convolutions, but for WEIGHTS_DEFAULT */
};

enum { SCOPES = 16 };                   /* names within names, at most */

struct builder {
    struct graph *graph;
    struct params *params;              /* declared into, or looked up once they are laid out */
    bool training;                      /* batch statistics, gradients of parameters */
    bool input_gradient;                     /* gradients of the inputs; excludes training */
    bool unfused;                       /* nothing stays pending: the oracle of what does */
    bool direct;                        /* no Winograd */
    int pieces;                         /* of a number in convolutions on a matrix unit (kernel/tiles.h), or 0 */
    bool fold_norm;                     /* norms with constant statistics become part of the convolution before */
    bool split_shuffle;                       /* a split after a shuffle: each half is shuffled separately */
    bool detached;                      /* the auxiliary branch reads features without gradient */
    bool merged;                        /* branches that are trained in parallel are one convolution */
    bool branches;                      /* set: there are such, as branches */
    struct layer_init init;
    const char *const *freeze;          /* prefixes of names; what they fit normalises by running statistics */
    int freeze_count;
    char scope[512];                    /* "backbone.stage2.0." */
    int numbered;                       /* nodes that draw random numbers */
    int depth; size_t begin[SCOPES];    /* of each name that was entered, its place in scope */
    struct error error;
};

void enter(struct builder *, const char *name);                         /* which may have dots */
void enter_index(struct builder *, const char *name, int index);        /* "name.index" */
void leave(struct builder *);                                           /* what the last enter not yet left added */

value graph_input(struct builder *, struct shape);
/* The parameter `name` in the current scope. */
value graph_param(struct builder *, const char *name, struct shape, int rank, enum param_kind, struct init);
value graph_node(struct builder *, const struct op *, const char *name, const value *operands, int count,
                 union attr attr);
/* Gives the node that made v, which nobody reads yet, more operands: v is then what it makes of them.  NULL, and
 * nothing done, if it is of another op, read or an output already, or has no room for them. */
struct node *graph_extend(struct builder *, const struct op *, value v, const value *operands, int count);
void graph_output(struct builder *, const char *name, value);

const struct value_info *value_of(const struct builder *, value);       /* after an error: of an empty value */

/* Says what went wrong in the layer being built; the first call counts. */
void builder_fail(struct builder *, const char *format, ...) PRINTF_LIKE(2, 3);

/* Plans lifetimes and memory.  On failure the graph is empty. */
bool graph_build(struct builder *, struct error *);
#endif
