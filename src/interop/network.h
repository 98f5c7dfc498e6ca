/* interop/network.h -- a network that detects, as files of other programs hold it: a list of layers and their weights.
 * The readers of ONNX and ncnn fill it, their writers take it, and src/deploy turns a model's graph into one and one
 * into a graph that runs.  It is the meeting point: a file format knows nothing of graphs, a graph nothing of files.
 *
 * Maps are NCHW and a layer has one output, so a value is the index of its layer; layers stand in an order in which
 * they can be computed.  What these detectors do has a kind of its own here, however a format spells it: a channel
 * shuffle is one layer, whether it was written as ShuffleChannel or as two reshapes about a transpose. */
#ifndef INTEROP_NETWORK_H
#define INTEROP_NETWORK_H
#include "interop/tensors.h"
#include "kernel/act.h"

enum layer_kind {
    LAYER_INPUT,            /* the image, [n][3][h][w], normalised; always and only layer 0 */
    LAYER_CONSTANT,         /* weight [1][c][h][w], the same for every image: a position embedding */
    LAYER_CONV,             /* weight [out][in / groups][kh][kw], bias [out] or none; kernel, stride, pad, groups */
    LAYER_AFFINE,           /* weight[c] x + bias[c]: a batch norm of running statistics, a learned scale */
    LAYER_ACTIVATION,       /* act, slope */
    LAYER_ADD,              /* x_0 + x_1; x_1 may have one pixel an image, or be a constant */
    LAYER_MUL,              /* x_0 x_1; x_1 may have one pixel an image, or one channel a pixel */
    LAYER_CONCAT,           /* of channels, two operands or more */
    LAYER_CHANNELS,         /* channels [from, to) */
    LAYER_SHUFFLE,          /* y[c * groups + g] = x[g * (channels / groups) + c] */
    LAYER_MAX_POOL,         /* kernel, stride, pad */
    LAYER_AVG_POOL,         /* padding counts as 0 */
    LAYER_GLOBAL_POOL,      /* the mean of an image: 1 x 1 */
    LAYER_BILINEAR,         /* twice the size, half-pixel centres */
    LAYER_NEAREST,          /* twice the size */
    LAYER_NORM,             /* layer norm over the channels of each pixel: weight[c], bias[c], eps */
    LAYER_GROUP_NORM,       /* over the pixels and the channels of a group: weight[c], bias[c], eps, groups */
    LAYER_ATTENTION,        /* softmax(q k^T / sqrt(d)) v among the pixels of an image, d = channels / groups a head:
                               operands q, k, v; groups: the heads */
    LAYER_SIGMOID_OF,       /* channels [from, to) through a sigmoid, the others as they are */
    LAYER_KINDS
};

enum { LAYER_OPERANDS = 8, NO_TENSOR = -1 };

struct layer {
    enum layer_kind kind;
    char *name;                                 /* owned; of the layer, as in the state_dict where it is known */
    int operand[LAYER_OPERANDS], operands;
    int weight, bias;                           /* indices into network.weights, or NO_TENSOR; layers may share one */
    int kernel, stride, pad, groups;
    int from, to;
    enum act act; float slope;
    double eps;
    int out_channels;                           /* of the value: what the operands and weights give */
};

/* {0} is empty. */
struct network {
    struct layer *layers; int count, capacity;
    struct tensors weights;                     /* F32 or F16; under their official names where they are known */
    int outputs[LAYER_OPERANDS], output_count;  /* a level each, finest first: [n][classes + 4 (reg_max + 1)][h][w] */
    int classes, reg_max;                       /* logits of so many classes, then of the distances' bins */
    int strides[LAYER_OPERANDS];                /* of the levels */
    int input_h, input_w;                       /* 0: not said */
};

/* Appends a layer of the kind with the operands, its name copied and the tensors absent; -1 on failure.  The caller
 * fills in what else the kind has. */
int network_add(struct network *, enum layer_kind, const char *name, const int *operands, int count, struct error *);

/* Appends a tensor of floats and says where to write them: zeros until then, released with the network.  Names of
 * layers and tensors need not differ: a writer whose format wants that adds the index.  -1 on failure. */
int network_weights(struct network *, const char *name, int rank, const size_t *dims, float **numbers, struct error *);

/* Checks every index, extent and shape, and fills in out_channels: a network that passes can be walked without care. */
bool network_check(struct network *, const char *path, struct error *);
/* Of one layer, those before it checked already: what a reader asks as it goes. */
bool network_check_layer(struct network *, int layer, const char *path, struct error *);

/* Values are read where they now stand (NULL: where they did), and layers go that no output needs; the input stays. */
bool network_keep_needed(struct network *, const int *stands, struct error *);
void network_free(struct network *);

const char *layer_kind_name(enum layer_kind);
#endif
