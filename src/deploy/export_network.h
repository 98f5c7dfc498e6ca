/* deploy/export_network.h -- exports an inference graph as a network for other programs.
 *
 * A layer of the graph becomes one layer of the network, or one per level; the levels share their weights.  A batch
 * norm becomes an affine layer with the norm's "weight" and "bias" (network_fold folds it into the convolution).  A
 * deferred activation becomes a layer of its own.  Weights computed from parameters alone become constants. */
#ifndef DEPLOY_EXPORT_NETWORK_H
#define DEPLOY_EXPORT_NETWORK_H
#include "graph/graph.h"
#include "interop/network.h"

/* g is bound for evaluation (no batch statistics) with separate memory.  The function evaluates the nodes that depend
 * on parameters alone.  The levels of the graph's output `output` become the network's outputs.  Layers keep the
 * parameters' names.  Fails, naming the layer, if a network has no such layer kind; the caller frees net, also then. */
bool export_network(const struct graph *g, const char *output, struct network *net, struct error *);
#endif
