/* deploy/graph_of_network.h -- a network, whoever made it, as a graph that runs. */
#ifndef DEPLOY_GRAPH_OF_NETWORK_H
#define DEPLOY_GRAPH_OF_NETWORK_H
#include "graph/graph.h"
#include "interop/network.h"

/* Both want a network that has passed network_check.
 *
 * The weights, laid out with their values.  params is empty before; params_free releases it, after a failure too. */
bool network_params(const struct network *, struct params *, struct error *);

/* A graph with the input 0, [n][h][w][3], and the output "main", its levels stacked: rows [level][image][y][x].  params
 * are those of network_params.  Fails, naming the layer, where something does not go together at this size or has no
 * op here. */
bool network_graph(const struct network *, struct params *, int n, int h, int w, struct graph *, struct error *);
#endif
