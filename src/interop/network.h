/* interop/network.h -- the inference network of a detector as exchanged with other programs: a list of layers and their
 * weights.  The ONNX and ncnn readers create it, their writers write it, and src/deploy converts a model's graph to a
 * network and a network to a graph.  File formats know nothing about graphs, and graphs nothing about file formats.
 *
 * Maps are NCHW.  A layer has one output, so the index of a layer identifies its value.  Layers are in topological
 * order.  A kind stands for what a layer computes, in whatever way a format spells it: a channel shuffle is one layer,
 * whether the file has ShuffleChannel or two reshapes around a transpose. */
#ifndef INTEROP_NETWORK_H
#define INTEROP_NETWORK_H
#include "interop/tensors.h"
#include "kernel/act.h"

enum layer_kind {
    LAYER_INPUT,            /* the image, [n][3][h][w], normalised; layer 0 and no other */
    LAYER_CONSTANT,         /* weight [1][c][h][w], equal for all images: a position embedding */
    LAYER_CONV,             /* weight [out][in / groups][kernel][kernel], bias [out] or none; stride, pad, groups */
    LAYER_AFFINE,           /* weight[c] x + bias[c]: a batch norm with running statistics, a learned scale */
    LAYER_ACTIVATION,       /* act, slope */
    LAYER_ADD,              /* x_0 + x_1; x_1 may have one pixel per image, or be a constant */
    LAYER_MUL,              /* x_0 x_1; x_1 may have one pixel per image, or one channel per pixel */
    LAYER_CONCAT,           /* along channels, two operands or more */
    LAYER_CHANNELS,         /* channels [from, to) */
    LAYER_SHUFFLE,          /* y[c * groups + g] = x[g * (channels / groups) + c] */
    LAYER_MAX_POOL,         /* kernel, stride, pad */
    LAYER_AVG_POOL,         /* kernel, stride, pad; padding counts as 0 */
    LAYER_GLOBAL_POOL,      /* the mean over an image's pixels: 1 x 1 */
    LAYER_BILINEAR,         /* doubles the size; half-pixel centres */
    LAYER_NEAREST,          /* doubles the size */
    LAYER_NORM,             /* layer norm over the channels of each pixel: weight[c], bias[c], eps */
    LAYER_GROUP_NORM,       /* over the pixels and the channels of a group: weight[c], bias[c], eps, groups */
    LAYER_ATTENTION,        /* softmax(q k^T / sqrt(d)) v over the pixels of an image, d = channels / groups per head;
                               operands q, k, v; groups: the number of heads */
    LAYER_SIGMOID_OF,       /* a sigmoid of channels [from, to), the others unchanged */
    LAYER_KINDS
};

enum { LAYER_OPERANDS = 8, NO_TENSOR = -1 };

struct layer {
    enum layer_kind kind;
    char *name;                                 /* owned; the state_dict name if known */
    int operand[LAYER_OPERANDS], operands;
    int weight, bias;                           /* indices into network.weights, or NO_TENSOR; layers may share one */
    int kernel, stride, pad, groups;
    int from, to;
    enum act act; float slope;
    double eps;
    int out_channels;                           /* of the value; set by network_check */
};

/* {0} is empty. */
struct network {
    struct layer *layers; int count, capacity;
    struct tensors weights;                     /* F32 or F16; under their state_dict names if known */
    int outputs[LAYER_OPERANDS], output_count;  /* one per level, finest first: [n][classes + 4 (reg_max + 1)][h][w] */
    int classes, reg_max;                       /* channels: class logits, then bin logits of the distances */
    int strides[LAYER_OPERANDS];                /* of the levels */
    int input_h, input_w;                       /* 0: unknown */
};

/* Appends a layer with these operands, a copy of the name and no tensors; -1 on failure.  The caller sets the other
 * fields of its kind. */
int network_add(struct network *, enum layer_kind, const char *name, const int *operands, int count, struct error *);

/* Appends a float tensor of zeros, which network_free releases; *elements points to its data.  Names of layers and
 * tensors need not be unique: a writer whose format requires that adds the index.  -1 on failure. */
int network_add_weights(struct network *, const char *name, int rank, const size_t *dims, float **elements,
                        struct error *);

/* Checks every index, extent and shape, and sets out_channels.  Users of a checked network omit such checks. */
bool network_check(struct network *, const char *path, struct error *);
/* Checks one layer; the layers before it have been checked. */
bool network_check_layer(struct network *, int layer, const char *path, struct error *);

/* Replaces every read of value i by replacement[i] (NULL: none replaced), and removes the layers that no output needs;
 * keeps the input. */
bool network_prune(struct network *, const int *replacement, struct error *);
void network_free(struct network *);

const char *layer_kind_name(enum layer_kind);
#endif
