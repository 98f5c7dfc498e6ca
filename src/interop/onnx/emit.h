/* interop/onnx/emit.h -- appends nodes, constants and declarations to an ONNX graph. */
#ifndef INTEROP_ONNX_EMIT_H
#define INTEROP_ONNX_EMIT_H
#include "base/strbuf.h"
#include "interop/tensors.h"

struct value_name { char s[24]; };                      /* a generated name */

/* {0} is empty.  The texts remember failures. */
struct emitter {
    struct strbuf nodes, tensors, declared;
    const char *name;                                   /* prefix of the nodes' names; a number follows it */
    int count, names;                                   /* the number of nodes and of generated names */
};
void emitter_free(struct emitter *);

/* Appends a node of operator `op`.  `operands` ends with NULL; "" is an absent operand.  The result is named `out`, or
 * gets a new name if out is NULL; the function returns the new name.  Attributes are text, separated by blanks:
 * `axis=1`, `pads=[1,1]`, `mode='linear'`, with a tilde for floats, `alpha~0.1`; NULL: none.
 *
 * Nodes are in the order of the calls, so the arguments of a call may contain at most one other call. */
struct value_name emit(struct emitter *, const char *out, const char *op, const char *const *operands,
                       const char *attributes, ...) PRINTF_LIKE(5, 6);

/* The same without attributes, with one and with two operands. */
struct value_name emit_one(struct emitter *, const char *op, const char *x);
struct value_name emit_two(struct emitter *, const char *op, const char *x, const char *y);

struct value_name emit_channels(struct emitter *, const char *x, int from, int to);

/* Writes the `count` largest elements of a list to out, descending, and returns their indices in the list. */
struct value_name emit_largest(struct emitter *, const char *out, const char *x, const char *count);

/* Constants.  emit_tensor writes the tensor under `name`, with extents `dims`. */
struct value_name emit_ints(struct emitter *, const int64_t *, int count);
struct value_name emit_float(struct emitter *, float);
struct value_name emit_floats(struct emitter *, const float *, int rank, const size_t *dims);
void emit_tensor(struct emitter *, const char *name, const struct tensor *, int rank, const size_t *dims);

/* Declares an input or output, of floats or (whole) of 64-bit integers.  An extent is a number, or a name if it is
 * dynamic. */
enum direction { EMIT_INPUT = 11, EMIT_OUTPUT = 12 };
struct extent { int64_t number; const char *name; };
void emit_declare(struct emitter *, enum direction, const char *name, bool whole, const struct extent *, int rank);
#endif
