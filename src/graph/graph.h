/* graph/graph.h -- a static list of layers for one batch size and one size of image, and its memory.
 *
 * A graph is built (builder.h), then bound to parameters and a team, then run any number of times:
 *     write into graph_view(g, input);  graph_forward(g, key);
 *     read graph_view(g, output);  write graph_gradient(g, output);  graph_backward(g, false);
 *     read the parameters' gradients, or graph_gradient(g, input).
 * Nothing allocates after graph_bind, which is called once.  A graph that makes no gradients of parameters reads them
 * in its first run, or in that of the first graph it shares packed weights with: they may not change after it.
 *
 * Time runs in whole steps: node i runs forward at i, the loss stands at N, node i runs backward at 2N - i.
 * 1. A value's memory lives from the first write to the last read of any value that shares it.
 * 2. A value lives in its parent (a concat's slot, a split's whole, what a norm leaves pending) or is a root.
 *    Gradients do likewise, with parents of their own.
 *    What costs little is not kept for backward, but computed again before its first reader there.
 *    What leads a norm (op.h) keeps what that has and reads until its own backward; till then the gradient of what it
 *    makes is that of the norm's output.
 * 3. The first writer of a part of a gradient sets it, later ones add.  Where a writer's part is partly written, or
 *    a reader's not wholly, the root starts from zero and everybody adds. */
#ifndef GRAPH_GRAPH_H
#define GRAPH_GRAPH_H
#include "graph/op.h"
#include "graph/params.h"
#include "graph/planner.h"

typedef int value;                      /* index into graph.values; VALUE_NONE after a builder's first error */
enum { VALUE_NONE = -1, NOWHERE = -1 };

/* Where a value's numbers or gradient are: within a parent, and resolved to a root. */
struct home {
    value parent;                       /* VALUE_NONE: its own root */
    int channel; ptrdiff_t pixel;       /* of its first number in the parent */
    value root;
    int root_channel; ptrdiff_t root_pixel;
    int item;                           /* of a root: its memory in graph.items, or NOWHERE */
};

struct value_info {
    struct shape shape;
    int producer;                       /* node, or -1: an input or a parameter */
    int param;                          /* index into params, or -1 */
    int consumers;
    bool pending;
    struct lazy lazy;                   /* of a pending value */
    ptrdiff_t vectors;                  /* of a pending value: its scale in graph.vectors, shift half of all behind */
    value materialised;                 /* of a pending value: its materialised twin, or VALUE_NONE */
    bool is_output, wants_gradient, from_zero;
    struct home here, gradient;
    int again;                          /* of a root that backward computes again: its memory there, or NOWHERE */
};

struct graph_output { const char *name; value v; };

/* What backward makes gradients of, with all that depends on it. */
enum gradients { GRADIENTS_NONE, GRADIENTS_PARAMS, GRADIENTS_INPUTS };

/* Weights that nothing trains, packed by the first run that reads them.  {0}: not yet; free(memory) in the end. */
struct packs { unsigned char *memory; size_t size; bool filled; };

struct graph {
    struct node *nodes;        int node_count, node_capacity;
    struct value_info *values; int value_count, value_capacity;
    struct graph_output *outputs; int output_count, output_capacity;
    enum gradients gradients;
    bool separate;                      /* every value has memory of its own: the planner's oracle */
    bool unfused;                       /* no two nodes share a pass over memory: the oracle of those that do */

    bool *add;                          /* [node][OP_IN]: a later writer of that operand's gradient */
    struct item *items; int item_count;
    int *save, *packed, *work[2];       /* [node]: items, or NOWHERE; packed: of what every run packs */
    int *behind;                        /* [node]: the norm that it leads, or NOWHERE */
    size_t block_size, bound;           /* bytes: as planned, and the least that any plan could take */
    ptrdiff_t vector_count;

    const struct params *params;        /* bound, borrowed */
    const real *param_values; real *param_gradients;
    const struct team *team;
    const struct kernels *kernels;
    unsigned char *block, **own;        /* the plan's memory, or every item's */
    bool borrowed;                      /* block is the binding's */
    real *vectors;
    unsigned char *scratch; size_t scratch_size;
    struct packs *packs, own_packs;     /* the binding's, or NULL */
    struct call *calls[2];              /* [pass][node] */
    double *seconds[2];                 /* [pass][node] the caller's: what each takes is added; NULL: unmeasured */
    /* The caller's, or NULL: called when a node's output has been computed, and when its gradient is whole, but
     * for what a norm leaves (op.h). */
    void (*watch)(void *watcher, const struct graph *, int node, enum pass);
    void *watcher;
};

struct binding {
    const struct params *params;
    const real *values;                 /* laid out as params->value: that itself, or averages */
    real *gradients;                    /* [params->trained]; NULL for a graph that is not trained */
    const struct team *team;
    const struct kernels *kernels;
    void *block;                        /* graph.block_size bytes that graphs may share, one running after another;
                                           NULL: the graph takes its own */
    struct packs *packs;                /* for graphs of the same layers, whatever the size of image; NULL: likewise */
};

/* Memory for a plan: whole pages, huge ones where the system has them; block_free wants the same size. */
void *block_new(size_t size, struct error *);
void block_free(void *, size_t size);

bool graph_bind(struct graph *, const struct binding *, struct error *);
void graph_free(struct graph *);

/* What is packed once, in bytes; 0 in graphs that are trained. */
size_t graph_packed_bytes(const struct graph *);

/* A graph that runs on one thread beside others of its kind: the other's nodes, but values of its own.  Scratch is the
 * thread's in all of them, what is packed belongs to the other: that is bound, packs before this runs, and is freed
 * after it.  block as in a binding. */
bool graph_bind_beside(struct graph *, struct graph *other, void *block, struct error *);
void graph_free_beside(struct graph *);
void graph_pack(struct graph *);                                /* as the first run does */

struct view graph_view(const struct graph *, value);            /* bound graphs only */
struct view graph_gradient(const struct graph *, value);        /* p NULL where no gradient is wanted */
value graph_output_named(const struct graph *, const char *name);   /* or VALUE_NONE */

/* Runs read the input there, without gaps, instead of in graph_view(g, input); graphs without gradients only. */
void graph_read_from(struct graph *, value input, const real *);

void graph_forward(struct graph *, uint64_t key);               /* key: random numbers of (seed, step) */
/* Sets the gradients of parameters, or adds to them if accumulate (gradients of several batches in one step). */
void graph_backward(struct graph *, bool accumulate);

/* The name of the first layer whose output is not finite, running forward once more; NULL if all are.  The inputs must
 * be written again before: others may have had their memory. */
const char *graph_blame(struct graph *, uint64_t key);

double graph_macs(const struct graph *);
#endif
