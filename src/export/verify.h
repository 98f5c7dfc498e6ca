/* export/verify.h -- an exported file read back and run beside the model that it is of. */
#ifndef EXPORT_VERIFY_H
#define EXPORT_VERIFY_H
#include "model/model.h"

struct verification {
    int images; bool generated;         /* the first of data.val, or scenes that were drawn where it has none */
    double largest, worst;              /* absolute: of the model's outputs, and how far the file's are off */
};

/* Runs what the file holds, a network as it is or weights in this model, and the model on the same images.  Fails if an
 * output is off by more than `tolerance` times the largest. */
bool model_verify(struct model *, const char *path, double tolerance, const struct policy *, struct verification *,
                  struct error *);
#endif
