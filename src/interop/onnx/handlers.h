/* interop/onnx/handlers.h -- the operators that become layers: tables of handlers, attention, norms. */
#ifndef INTEROP_ONNX_HANDLERS_H
#define INTEROP_ONNX_HANDLERS_H
#include "interop/onnx/reader.h"

/* The handlers of all nodes that are not constant; a table ends with {0}. */
struct handler { const char *name; bool (*read)(struct onnx_reader *, const struct onnx_node *); };
extern const struct handler layer_handlers[], activation_handlers[], elementwise_handlers[], reorder_handlers[],
                            attention_handlers[], norm_handlers[];

/* Attention (attention.c) and spelled-out norms (norm.c) get these operators first.  *known is false, and nothing
 * changed, if the operands are not part of one. */
bool attention_scale(struct onnx_reader *, const struct onnx_node *, bool *known);          /* Mul, Div */
bool attention_transpose(struct onnx_reader *, const struct onnx_node *, bool *known);      /* Transpose */
bool norm_step(struct onnx_reader *, const struct onnx_node *, bool *known);    /* Add, Sub, Div, ReduceMean */
#endif
