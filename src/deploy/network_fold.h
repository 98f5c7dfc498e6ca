/* deploy/network_fold.h -- a network made smaller that computes the same.  Both functions want one that has passed
 * network_check, leave one that does, and drop the layers and weights that no output needs.  After a failure, which
 * only lack of memory is, the network is to be freed. */
#ifndef DEPLOY_NETWORK_FOLD_H
#define DEPLOY_NETWORK_FOLD_H
#include "interop/network.h"

/* Affine layers s x + t go into the convolution before them where they alone read it: w' = s w, b' = s b + t, under the
 * names of the convolution.  Convolutions that share weights fold together, if the same affine layer follows each.  A
 * scale without t stays: levels whose convolutions share weights have one each, whether or not a file says that they
 * share.  Slices of all channels and activations that do nothing go. */
bool network_fold(struct network *, struct error *);

/* Sums of parallel convolutions of one input become one (Ding et al., RepVGG, 2021, sec. 3.3): smaller kernels lie in
 * the middle of the largest; an affine layer, or the input itself, is a kernel of 1 x 1.  The convolution is called
 * rbr_reparam in the module that holds the branches. */
bool network_merge(struct network *, struct error *);
#endif
