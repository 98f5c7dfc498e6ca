/* graph/graph.h -- a static list of layers for one batch size and image size, and its memory.
 *
 * A graph is built (builder.h), bound to parameters and a thread team, then run any number of times:
 *     write graph_view(g, input);  graph_forward(g, key);
 *     read graph_view(g, output);  write graph_gradient(g, output);  graph_backward(g, false);
 *     read the parameters' gradients, or graph_gradient(g, input).
 * Nothing allocates after graph_bind, which is called once.  A graph without gradients of parameters packs its weights
 * in its first run, or in that of the first graph it shares packed weights with.  The parameters may not change after
 * that.
 *
 * Time is counted in node steps: node i runs forward at i, the loss at N, node i runs backward at 2N - i.
 * 1. A value's memory lives from the first write to the last read of any value that shares it.
 * 2. The memory of a value is part of its parent's (slot of a concat, half of a split, deferred output of a norm), or
 *    the value is a root.  Gradients alias likewise, with parents of their own.
 *    A value that is cheap to compute is not kept for backward but recomputed before its first reader there.
 *    The producer of a fused norm (op.h) keeps the norm's memory and operand until its own backward.  Until then the
 *    gradient of the producer's output holds that of the norm's output.
 * 3. The first writer of a gradient's area sets it, later writers add.  If a write is partly to written memory, or a
 *    read partly of unwritten memory, the root is zero-initialised and every writer adds. */
#ifndef GRAPH_GRAPH_H
#define GRAPH_GRAPH_H
#include "graph/gradient_sums.h"
#include "graph/op.h"
#include "graph/params.h"
#include "graph/planner.h"

typedef int value;                      /* index into graph.values; VALUE_NONE after a builder's first error */
enum { VALUE_NONE = -1, NODE_NONE = -1, ITEM_NONE = -1 };

/* Storage of a value or gradient: its position in a parent, and in the root of the chain of parents. */
struct storage_alias {
    value parent;                       /* VALUE_NONE: it is a root */
    int channel; ptrdiff_t pixel;       /* of its first element in the parent */
    value root;
    int root_channel; ptrdiff_t root_pixel;
    int item;                           /* of a root: its memory in graph.items, or ITEM_NONE */
};

struct value_info {
    struct shape shape;
    int producer;                       /* node, or -1: an input or a parameter */
    int param;                          /* index into params, or -1 */
    int consumers;
    bool is_deferred;
    struct deferred deferred;           /* of a deferred value; without vectors */
    ptrdiff_t vectors;                  /* of a deferred value: scale in graph.vectors; shift: vector_count more */
    value materialised;                 /* of a deferred value: its materialised copy, or VALUE_NONE */
    bool is_output, wants_gradient;
    bool zero_init;                     /* of a gradient's root: filled with 0 before the first writer */
    struct storage_alias storage, gradient;
    int recomputed;                     /* of a root that backward recomputes: its item there, or ITEM_NONE */
};

struct graph_output { const char *name; value v; };

/* Gradients that backward computes. */
enum gradients { GRADIENTS_NONE, GRADIENTS_PARAMS, GRADIENTS_INPUTS };

/* Weights that are not trained, packed by the first run that reads them.  Starts as {0}; its owner frees memory. */
struct packed_weights { unsigned char *memory; size_t size; bool filled; };

struct graph {
    struct node *nodes;        int node_count, node_capacity;
    struct value_info *values; int value_count, value_capacity;
    struct graph_output *outputs; int output_count, output_capacity;
    enum gradients gradients;
    bool separate;                      /* every item has its own allocation: reference for the planner */
    bool unfused;                       /* no deferred values, no fused norms: reference for both */

    bool *add;                          /* [node][OP_IN]: the node adds to that operand's gradient */
    struct item *items; int item_count;
    int *save, *packed, *work[2];       /* [node]: items, or ITEM_NONE; packed: only if packed in every run */
    int *fused_norm;                    /* [node]: the norm that is fused with it, or NODE_NONE */
    size_t block_size, bound;           /* bytes: of the plan, and the lower bound of any plan */
    ptrdiff_t vector_count;

    const struct params *params;        /* bound, borrowed */
    const real *param_values; real *param_buffers, *param_gradients;
    const struct team *team;
    const struct ranks *ranks;
    const struct kernels *kernels;
    unsigned char *block, **own;        /* the plan's memory, or one allocation per item */
    bool borrowed;                      /* block is the binding's */
    real *vectors;
    unsigned char *scratch; size_t scratch_size;
    struct packed_weights *packed_weights, own_packed_weights;     /* the binding's or NULL; this graph's */
    struct call *calls[2];              /* [pass][node] */
    struct gradient_sums sums;          /* over the processes of a training */
    double *seconds[2];                 /* [pass][node]: the caller's; run time is added; NULL: not measured */
    /* The caller's, or NULL: called when a node's output, and later its gradient, is complete.  For the producer of a
     * fused norm that is the gradient of the norm's output. */
    void (*on_node)(void *data, const struct graph *, int node, enum pass);
    void *on_node_data;
};

struct binding {
    const struct params *params;
    const real *values;                 /* in the layout of params->value: these or averaged weights */
    real *buffers;                      /* the same array, in which training updates running statistics; NULL for a
                                           graph that is not trained, as is: */
    real *gradients;                    /* [params->trained] */
    const struct team *team;
    const struct ranks *ranks;          /* the processes that share the batch in training; NULL: this one alone */
    bool exchange_bf16;                 /* gradients travel between them as bfloat16 */
    const struct kernels *kernels;
    void *block;                        /* graph.block_size bytes, shared by graphs that run one after another;
                                           NULL: the graph allocates its own */
    struct packed_weights *packed_weights;  /* shared by graphs of the same layers, whatever the image size;
                                               NULL: the graph has its own */
};

/* Memory for a plan, in huge pages where the system has them.  block_free takes the same size. */
void *block_new(size_t size, struct error *);
void block_free(void *, size_t size);

bool graph_bind(struct graph *, const struct binding *, struct error *);
void graph_free(struct graph *);

/* Bytes of weights that are packed once; 0 in graphs that are trained. */
size_t graph_packed_bytes(const struct graph *);

/* A replica runs on one thread, concurrently with the other graph and its replicas: it shares the other's nodes, packed
 * weights and per-thread scratch, but has values of its own.  The other must be bound before the replica, packed
 * (graph_pack) before the replica runs, and freed after it.  block as in a binding. */
bool graph_bind_replica(struct graph *, struct graph *other, void *block, struct error *);
void graph_free_replica(struct graph *);
void graph_pack(struct graph *);                                /* packs the weights, as the first run would */

/* Bound graphs only.  graph_view is not for parameters. */
struct view graph_view(const struct graph *, value);
struct const_view graph_read(const struct graph *, value);
struct view graph_gradient(const struct graph *, value);        /* p NULL if no gradient is computed */
value graph_output_named(const struct graph *, const char *name);   /* or VALUE_NONE */

/* Makes runs read the input from the caller's array, without gaps; graphs without gradients only. */
void graph_bind_input(struct graph *, value input, const real *);

void graph_forward(struct graph *, uint64_t key);               /* key: of random numbers, from (seed, step) */
/* Sets the gradients of parameters, or adds to them if accumulate (several batches per step). */
void graph_backward(struct graph *, bool accumulate);

/* Runs forward again and returns the name of the first layer with a non-finite output, or NULL.  The caller writes the
 * inputs again first, as their memory may have been reused. */
const char *graph_find_nonfinite(struct graph *, uint64_t key);

double graph_macs(const struct graph *);
#endif
