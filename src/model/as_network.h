/* model/as_network.h -- the network that a model detects with, as other programs get it. */
#ifndef MODEL_AS_NETWORK_H
#define MODEL_AS_NETWORK_H
#include "interop/network.h"
#include "model/model.h"

/* With the weights of `values`, laid out as params.value; for inputs of the size in data.val.  Nothing is folded.
 * network_free in any case. */
bool model_network(struct model *, const real *values, struct network *, struct error *);

/* Adds to t, as a file of folded weights would hold them, the weights of a network that computes what this model does,
 * found by its structure; of branches that were merged into one convolution the largest has its numbers and the others
 * 0.  Folds the network.  Exit 1 names a layer of each where the two differ. */
bool model_match(struct model *, struct network *, const char *path, struct tensors *t, struct error *);
#endif
