/* deploy/network_split.h -- the reverse of network_merge, for weights. */
#ifndef DEPLOY_NETWORK_SPLIT_H
#define DEPLOY_NETWORK_SPLIT_H
#include "interop/network.h"

/* t holds weights of `net` after network_merge, net is as it was before.  For branches that were merged, adds to t
 * those of net: the first convolution that is as large as the merged one has its numbers, the others have 0, so that
 * the sum is what it was. */
bool network_split(const struct network *net, struct tensors *t, struct error *);
#endif
