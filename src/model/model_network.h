/* model/model_network.h -- exports a model's inference network. */
#ifndef MODEL_MODEL_NETWORK_H
#define MODEL_MODEL_NETWORK_H
#include "interop/network.h"
#include "model/model.h"

/* Exports with the weights `values`, laid out as params.value, for inputs of the size in data.val.  Nothing is folded.
 * The caller calls network_free, also after a failure. */
bool model_export_network(struct model *, const real *values, struct network *, struct error *);
#endif
