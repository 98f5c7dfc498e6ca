/* weights/fold.h -- what of a model's parameters detecting needs, and batch norms folded into the convolutions before
 * them:  s = gamma / sqrt(var + eps),  w' = s w,  b' = beta + s (b - mean).
 *
 * A norm folds if it alone reads the convolution's output and nothing else uses the parameters of the two.  In memory
 * the layout stays: b' becomes the norm's beta and all else the norm does is nothing (gamma 1, mean 0, var 1 - eps,
 * so that s is 1 to the last bit).  In a file the norm is gone and b' is the convolution's `bias`. */
#ifndef WEIGHTS_FOLD_H
#define WEIGHTS_FOLD_H
#include "interop/tensors.h"
#include "model/model.h"

struct fold {
    int weight, bias;                   /* indices into params; bias -1: the convolution has none of its own */
    int gamma, beta, mean, var;
    double eps;
};

struct inference {
    bool *needed;                       /* [params.count] the network without its auxiliary branch reads it */
    struct fold *folds; int fold_count;
};

bool inference_of(struct inference *, struct model *, struct error *);
void inference_free(struct inference *);

/* Both arrays are laid out as params->value and may be the same. */
void fold_norms(const struct inference *, const struct params *, const real *from, real *to);

/* The parameters needed, under their official names, float, in the model's order; norms that fold are left out where
 * `array` has been folded.  t is empty before; it owns the numbers. */
bool inference_give(const struct inference *, const struct params *, const real *array, bool folded, struct tensors *t,
                    struct error *);

/* The reverse for tensors of a file under the model's names: where a convolution comes with a bias but without its
 * norm, the norm that does nothing else is added.  Indexes t. */
bool inference_unfold(const struct inference *, const struct params *, struct tensors *t, const char *path,
                      struct error *);
#endif
