/* interop/onnx/fold.h -- arithmetic on constants. */
#ifndef INTEROP_ONNX_FOLD_H
#define INTEROP_ONNX_FOLD_H
#include "interop/onnx/reader.h"

/* Evaluates a node whose inputs are constants.  *known is false, and nothing changed, if it is not such a node. */
bool fold_node(struct onnx_reader *, const struct onnx_node *, bool *known);
bool set_constant(struct onnx_reader *, const struct onnx_node *, const int64_t *list, int count);  /* output 0 */
double tensor_single(const struct tensor *);    /* its only element; NAN if it has another number of elements */
#endif
