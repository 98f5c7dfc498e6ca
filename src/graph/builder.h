/* graph/builder.h -- builds graphs by function calls.  After its first error the builder ignores further calls, and
 * graph_build returns the error, so building code needs no error checks. */
#ifndef GRAPH_BUILDER_H
#define GRAPH_BUILDER_H
#include "graph/graph.h"

/* Initialisation of parameters.  Fan-in: inputs per group x kernel area; fan-out: outputs x kernel area. */
struct layer_init {
    enum {
        WEIGHTS_DEFAULT,                /* uniform within +-1 / sqrt(fan-in), biases too: PyTorch's default */
        WEIGHTS_KAIMING,                /* normal, deviation sqrt(2 / fan-out) (He et al. 2015) */
        WEIGHTS_INPUTS,                 /* normal, deviation 1 / inputs per group */
        WEIGHTS_NORMAL,                 /* normal, deviation `deviation` */
        WEIGHTS_XAVIER,                 /* uniform within +-sqrt(6 / (fan-in + fan-out)) (Glorot, Bengio 2010) */
    } weights;
    double deviation, bias, norm_bias;  /* bias: of convolutions, except with WEIGHTS_DEFAULT */
};

enum { SCOPES = 16 };                   /* maximum nesting of names */

struct builder {
    struct graph *graph;
    struct params *params;              /* declared here, or looked up once they are laid out */
    bool training;                      /* batch statistics, gradients of parameters */
    bool unfolding;                     /* norms that were folded get the statistics of the batch (op/norm.c) */
    bool input_gradient;                /* gradients of the inputs, for Grad-CAM; not with training */
    bool unfused;                       /* no deferred values, no fused norms: reference for tests */
    int parts;                          /* of the batch (graph/parts.h); 0: PARTS in training, else 1 */
    bool local_norms;                   /* batch norms do not join the statistics of processes (op/ops.h) */
    const struct policy *policy;        /* of how the nodes compute; NULL: on any machine */
    bool auxiliary;                     /* the nodes guide training only */
    bool fold_norm;                     /* folds norms with running statistics into convolutions */
    bool split_shuffle;                 /* computes a shuffle followed by a split as two half shuffles */
    bool detached;                      /* the auxiliary branch reads features without gradient */
    bool merged;                        /* replaces parallel training branches by one convolution */
    bool branches;                      /* result: the model has such branches */
    struct layer_init init;
    const char *const *freeze;          /* name prefixes of layers that use running statistics in training */
    int freeze_count;
    char scope[512];                    /* "backbone.stage2.0." */
    int numbered;                       /* number of nodes that draw random numbers */
    int depth; size_t begin[SCOPES];    /* where each entered name starts in scope */
    struct error error;
};

void enter(struct builder *, const char *name);                         /* may contain dots */
void enter_index(struct builder *, const char *name, int index);        /* "name.index" */
void leave(struct builder *);                                           /* removes the last entered name */

value graph_input(struct builder *, struct shape);
/* The parameter `name` in the current scope. */
value graph_param(struct builder *, const char *name, struct shape, int rank, enum param_kind, struct init);
/* attr: the op's attributes, which are copied; NULL: all 0. */
value graph_node(struct builder *, const struct op *, const char *name, const value *operands, int count,
                 const void *attr);
/* Adds operands to the node that computes v.  Returns NULL and does nothing if the node has another op, if v has
 * readers or is an output already, or if there are too many operands. */
struct node *graph_extend(struct builder *, const struct op *, value v, const value *operands, int count);
void graph_output(struct builder *, const char *name, value);

const struct value_info *value_of(const struct builder *, value);       /* after an error: an empty value */

/* Records an error of the layer being built; later errors are ignored. */
void builder_fail(struct builder *, const char *format, ...) PRINTF_LIKE(2, 3);

/* Plans lifetimes and memory.  On failure the graph is empty. */
bool graph_build(struct builder *, struct error *);
#endif
