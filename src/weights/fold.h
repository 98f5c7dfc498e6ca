/* weights/fold.h -- the parameters that inference needs, and batch norms folded into the convolutions before them:
 * s = gamma / sqrt(var + eps),  w' = s w,  b' = beta + s (b - mean).
 *
 * A norm folds if it is the only reader of the convolution's output and no other node uses the parameters of the two.
 * In memory the layout is unchanged: b' becomes the norm's beta, and the rest of the norm is the identity (gamma 1,
 * mean 0, var 1 - eps, so that s is exactly 1).  A file omits the norm, and b' is the convolution's `bias`. */
#ifndef WEIGHTS_FOLD_H
#define WEIGHTS_FOLD_H
#include "interop/tensors.h"
#include "model/model.h"

struct fold {
    int weight, bias;                   /* indices into params; bias -1: the convolution has none */
    int gamma, beta, mean, var;
    double eps;
};

struct inference {
    bool *needed;                       /* [params.count] true: the network without auxiliary branch reads it */
    struct fold *folds; int fold_count;
};

bool inference_of(struct inference *, struct model *, struct error *);
void inference_free(struct inference *);

/* Both arrays are laid out as params->value and may be the same. */
void fold_norms(const struct inference *, const struct params *, const real *from, real *to);

/* Adds the needed parameters as float tensors with their official names, in the model's order.  folded: `array` was
 * folded; folded norms are omitted.  t must be empty; it owns the elements. */
bool inference_to_tensors(const struct inference *, const struct params *, const real *array, bool folded,
                          struct tensors *t, struct error *);

/* The reverse, for tensors of a file under the model's names: if a convolution has a bias but its norm is missing, adds
 * a norm that only adds this bias.  Indexes t. */
bool inference_unfold(const struct inference *, const struct params *, struct tensors *t, const char *path,
                      struct error *);
#endif
