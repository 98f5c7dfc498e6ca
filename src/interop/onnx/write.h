/* interop/onnx/write.h -- shared by the parts of the writer. */
#ifndef INTEROP_ONNX_WRITE_H
#define INTEROP_ONNX_WRITE_H
#include "interop/onnx/emit.h"
#include "interop/onnx/onnx.h"

enum { ONNX_REG_MAX = 255 };

/* Appends the post-processing of the predictions and declares the outputs.  level[i] is the name of the raw predictions
 * net->outputs[i]. */
void emit_outputs(struct emitter *, const struct network *, const struct onnx_options *, const char *const *level);
#endif
