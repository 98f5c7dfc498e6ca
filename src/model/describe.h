/* model/describe.h -- a graph as JSON, enough to build the network elsewhere, and to train it there:
 *
 *     {"inputs":     [{"id", "name", "shape"}],
 *      "parameters": [{"id", "name", "kind", "shape"}],        trained, frozen or buffer; shape as in files: OIHW
 *      "nodes":      [{"name", "op", "inputs": [ids], "output": id, "shape", "attributes": {...}}],
 *      "outputs":    [{"name", "id"}]}
 *
 * Ids number values.  Shapes of values are [n, h, w, c]; one of several levels has "levels": [[h, w], ...] beside it
 * and its pixels in the order [level][image][y][x].  Nodes are in topological order; op/ops.h defines the ops.  `norm`
 * and `group_norm` end with the activation in their attributes; if `training` is true, a `norm` uses the statistics of
 * the batch and updates the running ones.  tests/oracle reads this format. */
#ifndef MODEL_DESCRIBE_H
#define MODEL_DESCRIBE_H
#include "base/json.h"
#include "graph/graph.h"

cJSON *graph_describe(const struct graph *, const struct params *);     /* cJSON_Delete it; NULL: no memory */

/* Nodes that compute something of their own: not those that the graph adds to move memory. */
bool node_is_layer(const struct node *);

cJSON *shape_describe(const struct shape *);    /* [n, h, w, c] */
#endif
