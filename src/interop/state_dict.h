/* interop/state_dict.h -- the names of weights as the model knows them, whoever saved them. */
#ifndef INTEROP_STATE_DICT_H
#define INTEROP_STATE_DICT_H
#include "interop/tensors.h"

/* Strips what wrappers put before a name (`model.`, `module.`, `avg_model.`, and the `ema.` of our own
 * checkpoints, one after another), drops our optimiser's `moment1.` and `moment2.`, and of a weight that is there
 * plain and averaged keeps the averaged one.  Order is kept.  Fails if two tensors then have one name. */
bool state_dict_normalise(struct tensors *, const char *path, struct error *);
#endif
