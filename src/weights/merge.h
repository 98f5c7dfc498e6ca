/* weights/merge.h -- merges the parallel branches of a trained model for inference (Ding et al., RepVGG, 2021): the
 * branches of a block, with their norms folded into them, become one equivalent convolution. */
#ifndef WEIGHTS_MERGE_H
#define WEIGHTS_MERGE_H
#include "model/model.h"

/* Opens `merged`, which borrows m's configuration, with the merged weights of `values`, which has m's layout.  Other
 * layers keep their names and weights; the auxiliary branch is omitted.  model_free in any case. */
bool model_merge(struct model *merged, struct model *m, const real *values, struct error *);
#endif
