/* runtime/cost.h -- the figures by which networks are compared. */
#ifndef RUNTIME_COST_H
#define RUNTIME_COST_H
#include "model/model.h"

struct cost {
    int h, w;                           /* of the input: data.val.input_size, rounded up as batches are */
    double conv_macs;                   /* multiply-adds of convolutions and linear layers that one image takes */
    ptrdiff_t inference_params;         /* of what detects, running statistics not counted */
    ptrdiff_t training_params;          /* of all that trains */
    int priors, channels;               /* rows of the prediction for an image, and numbers in a row */
};

/* Exit 2 if the input size does not suit the model. */
bool model_cost(struct cost *, struct model *, struct error *);
#endif
