/* deploy/network_match.h -- matches the layers of a file's network to those of a model where the file has no names.
 * Both networks compute the same, so the operands of a matched pair of layers match too, starting from the outputs.
 * Operands of sums and products may be swapped, and outputs may be in any order: hashes of the subgraphs decide. */
#ifndef DEPLOY_NETWORK_MATCH_H
#define DEPLOY_NETWORK_MATCH_H
#include "interop/network.h"

/* Both networks have passed network_check and network_fold; `theirs` may continue after the raw predictions.  Adds the
 * weights of `theirs` to out, in float, under the names of `own`.  Fails, with out unchanged, if the networks differ,
 * and names a layer of each. */
bool network_match(const struct network *own, const struct network *theirs, const char *path, struct tensors *out,
                   struct error *);
#endif
