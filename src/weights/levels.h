/* weights/levels.h -- weights of a detector with fewer levels. */
#ifndef WEIGHTS_LEVELS_H
#define WEIGHTS_LEVELS_H
#include "graph/params.h"
#include "interop/tensors.h"

/* Necks and heads number the layers of their levels from the finest one, so a finer level in the model changes the
 * numbers of all others.  If the maps that the neck of the file reads are the last ones of the model's, raises these
 * numbers in the names of the tensors, and sets *added to the number of finer levels; else 0.  The tensors' names are
 * those of a state_dict; by_name becomes invalid. */
bool raise_levels(const struct params *, struct tensors *, int *added, struct error *);
#endif
