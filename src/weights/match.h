/* weights/match.h -- matches the weights of an imported network, without their names, to an equivalent model. */
#ifndef WEIGHTS_MATCH_H
#define WEIGHTS_MATCH_H
#include "interop/network.h"
#include "model/model.h"

/* Adds the weights to t as in a file of folded weights; if branches were merged into one convolution, the largest
 * branch gets its weights and the others 0.  Folds the network.  Exit 1 names a layer of each if the two differ. */
bool model_match(struct model *, struct network *, const char *path, struct tensors *t, struct error *);
#endif
