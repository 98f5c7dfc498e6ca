/* interop/state_dict.h -- converts the weight names of any checkpoint to those of the model. */
#ifndef INTEROP_STATE_DICT_H
#define INTEROP_STATE_DICT_H
#include "interop/tensors.h"

/* Removes the prefixes that wrappers add (`model.`, `module.`, `avg_model.`, and `ema.` of our own checkpoints),
 * however nested, and the tensors of our optimiser (`moment1.`, `moment2.`).  If a weight exists plain and averaged
 * (`avg_model.`, `ema.`), the averaged one remains.  The order is unchanged.  Fails if two tensors get the same name;
 * path is for this message.  tensors_free releases the tensors, also after a failure. */
bool normalise_weight_names(struct tensors *, const char *path, struct error *);
#endif
