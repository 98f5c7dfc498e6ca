/* graph/layout.h -- from a list of nodes to homes, lifetimes and a plan of memory; the invariants are in graph.h. */
#ifndef GRAPH_LAYOUT_H
#define GRAPH_LAYOUT_H
#include "graph/graph.h"

/* Fills everything of the graph that depends on its nodes; marks the parameters that a trained graph uses. */
bool layout(struct graph *, struct params *, struct error *);

/* Whether node i runs backward. */
bool runs_backward(const struct graph *, int node);

/* Numbers from one pixel to the next in the memory of a root.  Where nothing but speed is asked for, pixels of values
 * begin at cache lines; inputs and outputs, which others read, have no gaps. */
int root_ld(const struct graph *, value root);
#endif
