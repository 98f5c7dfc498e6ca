/* deploy/import_network.h -- imports a network from a file as a graph that runs. */
#ifndef DEPLOY_IMPORT_NETWORK_H
#define DEPLOY_IMPORT_NETWORK_H
#include "graph/graph.h"
#include "interop/network.h"

/* Both functions require a network that has passed network_check.
 *
 * Imports the weights.  params is empty before; params_free releases it, also after a failure. */
bool import_network_params(const struct network *, struct params *, struct error *);

/* Builds a graph with input 0, [n][h][w][3], and output "main", the stacked levels: rows [level][image][y][x].  params
 * come from import_network_params.  Fails, naming the layer, if shapes do not fit at this size or no op implements the
 * layer. */
bool import_network(const struct network *, struct params *, int n, int h, int w, struct graph *, struct error *);
#endif
