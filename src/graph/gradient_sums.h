/* graph/gradient_sums.h -- adds up, over the processes of a training, the gradients that are sums over the batch: those
 * of parameters, and of weights computed from parameters.
 *
 * A node writes its process's share into a buffer.  The shares of consecutive nodes form a piece (ranks/exchange.h),
 * which is added while earlier nodes run backward.  The sums are then added to the gradients, in the order in which the
 * nodes of a process alone would add them. */
#ifndef GRAPH_GRADIENT_SUMS_H
#define GRAPH_GRADIENT_SUMS_H
#include "graph/op.h"
#include "ranks/exchange.h"

struct graph;

/* A gradient in the buffer; add: it is added to what the gradient holds. */
struct gradient_share { int node, operand; ptrdiff_t offset; int count, piece; bool add; };

struct gradient_sums {
    const struct ranks *ranks;          /* NULL: a process alone, which needs none of this */
    struct gradient_share *shares; int count;           /* in the order of backward */
    bool *varies;                       /* [values] it depends on the images */
    real *buffer, *wire;
    struct exchange exchange;
    int written, piece_first, applied;  /* shares that nodes have written; the first of the open piece; added up */
};

/* bf16: between processes (ranks/exchange.h). */
bool gradient_sums_init(struct gradient_sums *, const struct graph *, const struct ranks *, bool bf16,
                        struct error *);
void gradient_sums_free(struct gradient_sums *);

/* Around backward of a node: directs its shares into the buffer, then begins a piece if there is enough of them. */
void gradient_sums_before(struct gradient_sums *, const struct graph *, int node, struct call *);
void gradient_sums_after(struct gradient_sums *, const struct graph *);
void gradient_sums_end(struct gradient_sums *, const struct graph *);  /* after backward: all gradients are complete */
#endif
