/* deploy/network_split.h -- reverses network_merge for weights. */
#ifndef DEPLOY_NETWORK_SPLIT_H
#define DEPLOY_NETWORK_SPLIT_H
#include "interop/network.h"

/* t holds the weights of a network after network_merge; net is the network before it.  Adds the weights of the branches
 * to t: the first convolution as large as the merged one gets the merged weights, all other branches get 0.  The sum of
 * the branches equals the merged convolution. */
bool network_split(const struct network *net, struct tensors *t, struct error *);
#endif
