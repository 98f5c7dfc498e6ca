/* export/verify.h -- compares the outputs of an exported file with those of its model. */
#ifndef EXPORT_VERIFY_H
#define EXPORT_VERIFY_H
#include "model/model.h"

struct verification {
    int images; bool generated;         /* the first images of data.val, or generated scenes if it has none */
    double max_output, max_error;       /* largest absolute output of the model; largest difference of the file's */
};

/* Runs the file, a network or weights for this model, and the model on the same images.  Fails if an output differs by
 * more than `tolerance` times the largest output. */
bool model_verify(struct model *, const char *path, double tolerance, const struct policy *, struct verification *,
                  struct error *);
#endif
