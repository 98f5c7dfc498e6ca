/* model/as_network.h -- the network that a model detects with, as other programs get it. */
#ifndef MODEL_AS_NETWORK_H
#define MODEL_AS_NETWORK_H
#include "interop/network.h"
#include "model/model.h"

/* With the weights of `values`, laid out as params.value; for inputs of the size in data.val.  Nothing is folded.
 * network_free in any case. */
bool model_network(struct model *, const real *values, struct network *, struct error *);
#endif
