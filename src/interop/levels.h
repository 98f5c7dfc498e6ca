/* interop/levels.h -- which values of a network are its predictions.  Files put them out in many shapes: scores apart
 * from boxes, a level each or all in one, after a sigmoid.  The reader of a format takes reshapes and transposes away
 * and says which values are left; here the rest is undone. */
#ifndef INTEROP_LEVELS_H
#define INTEROP_LEVELS_H
#include "interop/network.h"

/* Pixels of the input from one pixel of layer i to the next, where steps holds those of the layers before it; 0: its
 * value is one pixel whatever the input; -1: it does not depend on the input's size, or is less than one pixel. */
int network_step(const struct network *, int i, const int *steps);

/* Walks back from the values that the file puts out to the logits and bins behind them; sets outputs, strides, classes
 * and reg_max, and removes the layers that they do not need.  Channels through a sigmoid are scores, the others of the
 * same stride are bins; where they are not all of one value in that order, a concat of the two is added. */
bool network_find_levels(struct network *, const int *values, int count, const char *path, struct error *);
#endif
