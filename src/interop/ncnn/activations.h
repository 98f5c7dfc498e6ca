/* interop/ncnn/activations.h -- activations in ncnn's files; read.h declares the functions that read them. */
#ifndef INTEROP_NCNN_ACTIVATIONS_H
#define INTEROP_NCNN_ACTIVATIONS_H
#include "interop/activations.h"
#include "interop/network.h"

struct ncnn_params { char s[80]; };

/* The parameters of an activation: of a layer of its own, or of the convolution that it is fused into. */
struct ncnn_params ncnn_activation_params(const struct layer *, bool fused);
#endif
