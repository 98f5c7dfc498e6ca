/* graph/layout.h -- storage aliases, lifetimes and the memory plan of a list of nodes; invariants are in graph.h. */
#ifndef GRAPH_LAYOUT_H
#define GRAPH_LAYOUT_H
#include "graph/graph.h"

/* Fills the fields of the graph that follow from its nodes, and marks the parameters that a trained graph uses. */
bool layout(struct graph *, struct params *, struct error *);

/* True if node i runs backward. */
bool runs_backward(const struct graph *, int node);

/* Elements from one pixel to the next in the memory of a root.  In graphs without gradients the pixels of intermediate
 * values start at cache lines; inputs and outputs have no gaps. */
int root_ld(const struct graph *, value root);
#endif
