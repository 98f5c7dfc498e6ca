/* runtime/cost.h -- multiply-adds and parameter counts of a model. */
#ifndef RUNTIME_COST_H
#define RUNTIME_COST_H
#include "model/model.h"

struct cost {
    int h, w;                           /* of the input: data.val.input_size, rounded up as batches are */
    double conv_macs;                   /* multiply-adds per image of convolutions and linear layers */
    ptrdiff_t inference_params;         /* of the network for inference, without running statistics */
    ptrdiff_t training_params;          /* of the network for training, without running statistics */
    int priors, channels;               /* rows of the prediction for an image, and values per row */
};

/* Exit 2 if the model cannot take the input size. */
bool model_cost(struct cost *, struct model *, struct error *);
#endif
