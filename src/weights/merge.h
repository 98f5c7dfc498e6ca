/* weights/merge.h -- the model to detect with, of one that is trained with parallel branches (Ding et al., RepVGG,
 * 2021): each block is the one convolution that its branches, their norms folded into them, amount to. */
#ifndef WEIGHTS_MERGE_H
#define WEIGHTS_MERGE_H
#include "model/model.h"

/* Opens `merged`, which borrows m's configuration, and gives it the numbers of `values`, laid out as m's.  What other
 * than such blocks there is keeps names and numbers; the auxiliary branch is left out.  model_free in any case. */
bool model_merge(struct model *merged, struct model *m, const real *values, struct error *);
#endif
