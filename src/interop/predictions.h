/* interop/predictions.h -- finds the raw predictions in a network read from a file.  Files return them in many shapes:
 * scores separate from boxes, one output per level or all levels in one, scores after a sigmoid.  The reader of a
 * format removes reshapes and transposes and passes the remaining output values; network_find_predictions undoes the
 * rest. */
#ifndef INTEROP_PREDICTIONS_H
#define INTEROP_PREDICTIONS_H
#include "interop/network.h"

/* The stride of layer i in pixels of the input, given the strides of the layers before it.  0: the value has one pixel
 * for any input; -1: its size does not depend on the input's, or the stride is below one pixel. */
int network_stride(const struct network *, int i, const int *strides);

/* Walks back from the file's output values to the logits and bins; sets outputs, strides, classes and reg_max, and
 * removes the layers that these do not need.  Channels that pass through a sigmoid are scores; the other channels of
 * the same stride are bins.  If they are not one value in that order, the function adds a concat of the two. */
bool network_find_predictions(struct network *, const int *values, int count, const char *path, struct error *);
#endif
