/* graph/params.h -- the parameters of a model: named tensors in flat parallel arrays [trained | frozen | buffers].
 * Gradients and moments cover the trained part, values and averages all.  Names are those of the official state_dict.
 * Convolution weights are OHWI here and OIHW in files.
 *
 * 1. Every tensor is declared before params_layout; its offset never changes afterwards.
 * 2. A tensor starts at a multiple of PARAM_ALIGN; the gaps are 0 in every array and stay 0. */
#ifndef GRAPH_PARAMS_H
#define GRAPH_PARAMS_H
#include "base/error.h"
#include "base/real.h"
#include "graph/op.h"
#include <stddef.h>
#include <stdint.h>

enum { PARAM_ALIGN = 16 };              /* elements: a cache line of floats */

/* Initial values of a tensor.  They depend only on the seed and the tensor's name. */
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
    bool is_norm;                       /* weight or bias of a normalisation; see `no_norm_decay` */
    bool used;                          /* influences an output: it gets gradients and decay */
    struct init init;
    ptrdiff_t offset, count;            /* in elements, in every array */
};

struct params {
    struct param *list; int count, capacity;
    ptrdiff_t trained, total;           /* elements of the trained part, and of all */
    real *value;                        /* [total] */
};

void params_free(struct params *);
int params_find(const struct params *, const char *name);               /* index, or -1 */

/* Declares a tensor, or finds it.  Returns its index, or -1 if it was declared with another shape. */
int params_declare(struct params *, const char *name, struct shape, int rank, enum param_kind, struct init,
                   struct error *);

/* Freezes the tensors whose names start with one of the prefixes (misuse if a prefix matches none), assigns offsets and
 * allocates zeroed values. */
bool params_layout(struct params *, const char *const *freeze, int freeze_count, struct error *);

/* Fills value by each tensor's init, with random numbers of (seed, name). */
void params_init(const struct params *, uint64_t seed);

/* The first tensor with a non-finite element in an array of `length` elements in the layout of value, or NULL. */
const struct param *params_find_nonfinite(const struct params *, const real *array, ptrdiff_t length);

/* The dimensions of the tensor in files, and how many: none, [c], [n, c], [n, 1, c] or, for a convolution's weight,
 * [n, c, h, w]. */
int param_dims(const struct param *, size_t dims[4]);

/* Copies a tensor out of or into an array in the layout of value, converting between OHWI and the order of files. */
void param_to_file(const struct param *, const real *array, float *out);
void param_from_file(const struct param *, const float *in, real *array);
#endif
