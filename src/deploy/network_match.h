/* deploy/network_match.h -- which layer of a file's network is which of the model's, where names are lost: both compute
 * the same, so the layers before a pair of outputs form pairs too, operand by operand.  Operands of sums and products
 * may be swapped, outputs may stand in any order: those go together that everything before them says are alike. */
#ifndef DEPLOY_NETWORK_MATCH_H
#define DEPLOY_NETWORK_MATCH_H
#include "interop/network.h"

/* Both networks have passed network_check and network_fold; what follows the raw predictions in theirs may be there.
 * Adds to out the weights of theirs under the names of own, in float.  Fails, out as it was, where the networks differ,
 * naming a layer of each. */
bool network_match(const struct network *own, const struct network *theirs, const char *path, struct tensors *out,
                   struct error *);
#endif
