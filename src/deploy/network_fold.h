/* deploy/network_fold.h -- rewrites a network to a smaller equivalent one.  Both functions require a network that has
 * passed network_check and leave one that does.  They remove the layers and weights that no output needs.  They fail
 * only for lack of memory; the caller then frees the network. */
#ifndef DEPLOY_NETWORK_FOLD_H
#define DEPLOY_NETWORK_FOLD_H
#include "interop/network.h"

/* Folds an affine layer s x + t into the convolution before it, if no other layer reads the convolution: w' = s w,
 * b' = s b + t, under the convolution's names.  Convolutions that share weights fold together, if the same affine layer
 * follows each.  A scale without t remains, since levels with shared convolution weights have one scale each.  Removes
 * slices of all channels and identity activations. */
bool network_fold(struct network *, struct error *);

/* Merges the sum of parallel convolutions of one input into one convolution (Ding et al., RepVGG, 2021, sec. 3.3).
 * Smaller kernels are centred in the largest; an affine layer or the input itself counts as a 1 x 1 kernel.  The merged
 * convolution is named rbr_reparam in the module that holds the branches. */
bool network_merge(struct network *, struct error *);
#endif
