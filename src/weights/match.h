/* weights/match.h -- assigns the weights of an imported network to an equivalent model by structure, not by name. */
#ifndef WEIGHTS_MATCH_H
#define WEIGHTS_MATCH_H
#include "interop/network.h"
#include "model/model.h"

/* Adds the weights to *weights under the names of the model, as in a file whose norms are folded into convolutions; the
 * model is not changed.  If a convolution of the network is the merged form of parallel branches, the branch with the
 * largest kernel gets its weights and the other branches get zeros.  Folds the norms of the network.  If network and
 * model differ, the error names the first differing layer of each. */
bool match_weights_by_structure(struct model *, struct network *, const char *path, struct tensors *weights,
                                struct error *);
#endif
