/* interop/onnx.h -- networks in ONNX files: those of exporters for these detectors, and our own. */
#ifndef INTEROP_ONNX_H
#define INTEROP_ONNX_H
#include "interop/network.h"

bool onnx_recognises(struct bytes file);

/* Reads operators of version 7 to 20 in whatever way exporters spell the layers of network.h: shuffles as reshapes and
 * transposes, activations as formulas, shapes computed from shapes.  The network ends where the predictions are raw:
 * at the convolutions that are met first on the way back from the outputs, two of a level joined, classes first.
 * classes and reg_max are 0 if the file does not tell classes from boxes by a sigmoid; metadata_props are the metadata
 * of the weights.  Weights point into the file, which must stay as long as the network.  After a failure, too,
 * network_free releases the network.  Exit 1, naming the node, for anything that is not understood. */
bool onnx_read(struct network *, struct bytes file, const char *path, struct error *);
#endif
