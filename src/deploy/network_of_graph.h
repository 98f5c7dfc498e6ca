/* deploy/network_of_graph.h -- what a graph computes when it detects, as a network for other programs.
 *
 * A layer of the graph becomes one of the network, or one for each level of what it computes; those of a level share
 * their weights.  Batch norms become affine layers called "weight" and "bias" as the norms' own (fold.h brings them
 * into the convolutions), pending activations layers of their own.  Weights that are computed from parameters alone
 * are numbers in the network. */
#ifndef DEPLOY_NETWORK_OF_GRAPH_H
#define DEPLOY_NETWORK_OF_GRAPH_H
#include "graph/graph.h"
#include "interop/network.h"

/* g evaluates (no batch statistics) and is bound, its memory separate; what is computed from parameters alone is
 * computed here.  The levels of its output `output` are the network's outputs.  Names are the parameters'.  Fails,
 * naming the layer, if a network has no such layer; net is then to be freed, too. */
bool network_of_graph(const struct graph *g, const char *output, struct network *net, struct error *);
#endif
