/* interop/onnx/write.h -- what the parts of the writer share. */
#ifndef INTEROP_ONNX_WRITE_H
#define INTEROP_ONNX_WRITE_H
#include "interop/onnx/onnx.h"
#include "interop/onnx/emit.h"

enum { ONNX_REG_MAX = 255 };

/* Writes what comes after the levels: level[i] names the map of raw predictions of net->outputs[i].  Declares the
 * outputs. */
void emit_outputs(struct emitter *, const struct network *, const struct onnx_options *, const char *const *level);
#endif
