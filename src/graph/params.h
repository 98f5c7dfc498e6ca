/* graph/params.h -- the model: named tensors in flat parallel arrays.  They lie as [trained | frozen | buffers]:
 * gradients and moments cover the first part, values and averages all.  Names are those of the official state_dict;
 * weights of convolutions lie as OHWI here and as OIHW in files.
 *
 * 1. Every tensor is declared before params_layout; its place never changes after.
 * 2. A tensor's numbers start at a multiple of PARAM_ALIGN; the gaps are 0 in every array and stay 0. */
#ifndef GRAPH_PARAMS_H
#define GRAPH_PARAMS_H
#include "base/error.h"
#include "base/real.h"
#include "graph/op.h"
#include <stddef.h>
#include <stdint.h>

enum { PARAM_ALIGN = 16 };              /* numbers: a cache line of floats */

/* How a tensor starts.  The numbers depend on the seed and the tensor's name alone. */
struct init {
    enum { INIT_CONSTANT, INIT_NORMAL, INIT_UNIFORM } kind;
    double a;                           /* the constant, the deviation, or the bound: from -a to a */
};

enum param_kind { PARAM_TRAINED, PARAM_FROZEN, PARAM_BUFFER };

struct param {
    char *name;
    struct shape shape;                 /* OHWI; a vector has c alone */
    int rank;                           /* of the tensor in files, see param_dims; below 4, h and w are 1 */
    enum param_kind kind;
    bool is_norm;                       /* weight or bias of a normalisation: `no_norm_decay` spares it */
    bool used;                          /* takes part in some output: it gets gradients and decay */
    struct init init;
    ptrdiff_t offset, count;            /* in every array, in numbers */
};

struct params {
    struct param *list; int count, capacity;
    ptrdiff_t trained, total;           /* numbers: length of the first part, of all */
    real *value;                        /* [total] */
};

void params_free(struct params *);
int params_find(const struct params *, const char *name);               /* index, or -1 */

/* The index of the tensor, declared now or before; -1 if it was declared before with another shape. */
int params_declare(struct params *, const char *name, struct shape, int rank, enum param_kind, struct init,
                   struct error *);

/* Marks as frozen what starts with one of the prefixes (misuse if a prefix fits none), fixes every offset and gives
 * zeroed memory to value. */
bool params_layout(struct params *, const char *const *freeze, int freeze_count, struct error *);

/* Fills value by each tensor's `init`, with random numbers of (seed, name). */
void params_start(const struct params *, uint64_t seed);

/* The first tensor with an element that is not finite in an array whose first `length` numbers are laid out as value;
 * NULL: there is none. */
const struct param *params_find_nonfinite(const struct params *, const real *array, ptrdiff_t length);

/* The dimensions of the tensor in files, and how many: none, [c], [n, c], [n, 1, c] or, for a convolution's weight,
 * [n, c, h, w]. */
int param_dims(const struct param *, size_t dims[4]);

/* Copies a tensor out of or into an array laid out as value, between OHWI and the order of files. */
void param_to_file(const struct param *, const real *array, float *out);
void param_from_file(const struct param *, const float *in, real *array);
#endif
