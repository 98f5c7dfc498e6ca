/* interop/onnx/emit.h -- nodes, constants and declarations of an ONNX graph, one after another. */
#ifndef INTEROP_ONNX_EMIT_H
#define INTEROP_ONNX_EMIT_H
#include "base/file.h"
#include "interop/tensors.h"

struct label { char s[24]; };                           /* the name of a value that has none of its own */

/* {0} is empty.  Failures are kept by the texts. */
struct emitter {
    struct text nodes, tensors, declared;
    const char *name;                                   /* of the nodes that follow: their layer's, then their number */
    int count, labels;                                  /* of nodes and of names given out */
};
void emitter_free(struct emitter *);

/* A node of the operator and the operands, a list that ends with NULL ("": left out), and what it writes, under that
 * name or, if NULL, a new one, which is returned.  Attributes are text: `axis=1`, `pads=[1,1]`, `mode='linear'`, and
 * with a tilde for floats, `alpha~0.1`; a blank between two; NULL: none.
 *
 * Nodes stand in the order of the calls: a call among the arguments of another must be the only one there. */
struct label emit(struct emitter *, const char *out, const char *op, const char *const *operands,
                  const char *attributes, ...) PRINTF_LIKE(5, 6);

/* The same without attributes: of one operand, of two. */
struct label emit_one(struct emitter *, const char *op, const char *x);
struct label emit_two(struct emitter *, const char *op, const char *x, const char *y);

struct label emit_channels(struct emitter *, const char *x, int from, int to);

/* The so many largest numbers of a list, falling, written as out; what is returned are their places in the list. */
struct label emit_largest(struct emitter *, const char *out, const char *x, const char *count);

/* Constants; emit_tensor writes under the name of its own, with other extents if dims is not NULL. */
struct label emit_ints(struct emitter *, const int64_t *, int count);
struct label emit_float(struct emitter *, float);
struct label emit_floats(struct emitter *, const float *, int rank, const size_t *dims);
void emit_tensor(struct emitter *, const char *name, const struct tensor *, int rank, const size_t *dims);

/* Declares what goes in or out, floats or whole numbers; an extent is a number or the name of one that is open. */
enum direction { EMIT_INPUT = 11, EMIT_OUTPUT = 12 };
struct extent { int64_t number; const char *name; };
void emit_declare(struct emitter *, enum direction, const char *name, bool whole, const struct extent *, int rank);
#endif
