/* weights/match.h -- the weights of a network, whose names may be lost, for a model that computes the same. */
#ifndef WEIGHTS_MATCH_H
#define WEIGHTS_MATCH_H
#include "interop/network.h"
#include "model/model.h"

/* Adds them to t as a file of folded weights would hold them; of branches that were merged into one convolution the
 * largest has its numbers and the others 0.  Folds the network.  Exit 1 names a layer of each where the two differ. */
bool model_match(struct model *, struct network *, const char *path, struct tensors *t, struct error *);
#endif
