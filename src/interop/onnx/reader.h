/* interop/onnx/reader.h -- what the parts of the reader share: what became of each value of the file.
 * A value is a constant, or a layer's map under a view, perhaps with an elementwise formula pending on it. */
#ifndef INTEROP_ONNX_READER_H
#define INTEROP_ONNX_READER_H
#include "interop/network.h"
#include "interop/onnx/file.h"
#include "interop/onnx/view.h"

/* scale G(x) x + shift, or without the x: what activations that are spelled out pass through. */
struct form {
    enum gate {
        GATE_ONE,               /* 1 */
        GATE_RELU6,             /* min(max(x + 3, 0), 6) */
        GATE_SIGMOID,           /* 1 / (1 + exp(-x)) */
        GATE_ERF,               /* erf(x / sqrt 2) */
        GATE_ONE_ERF            /* 1 + erf(x / sqrt 2) */
    } gate;
    bool times_x;
    double scale, shift;
};

enum seen_kind {
    SEEN_NOT, SEEN_CONSTANT, SEEN_MAP,
    SEEN_PRODUCTS, SEEN_SHARES,                 /* form.scale q^T k of the pixels of a head, and its softmax */
    SEEN_MEAN, SEEN_CENTRED, SEEN_SQUARES, SEEN_VARIANCE, SEEN_DEVIATION        /* steps of a norm over the channels */
};

struct seen {
    enum seen_kind kind;
    struct tensor constant;                     /* nameless, */
    int origin;                                 /* but it has that value's name */
    const struct onnx_node *by;                 /* the node whose value it is; NULL: an input */
    int layer, key;                             /* key: the layer of k */
    bool turned;                                /* SHARES with k's pixels first */
    struct view view;
    struct form form;                           /* of VARIANCE and DEVIATION: shift is epsilon */
};

struct reader {
    struct onnx_file file;
    struct network *net;
    struct seen *seen;                          /* [file.value_count] */
    int *weight_of;                             /* [file.value_count] its numbers, as they are, in net->weights; or
                                                   NO_TENSOR */
    int *readers;                               /* [file.value_count] inputs of nodes that it is */
    struct place {                              /* of each layer: the extents of its value, pixels of the input from */
        struct map map; double stride;          /* one of its own to the next, and how many nodes read it, whatever */
        int readers;                            /* view they have of it */
    } *places; int place_count, place_capacity;
    size_t work;                                /* numbers that may still be computed here */
    struct error *err;
};

/* fail(), with the file and the node before the text. */
bool node_fails(const struct reader *, const struct onnx_node *, const char *text);

/* Takes numbers from the work that a file may ask for; false, with an error, if too little is left. */
bool reader_spend(struct reader *, const struct onnx_node *, size_t numbers);

/* Input i of a node, or NULL where it is left out. */
struct seen *node_input(const struct reader *, const struct onnx_node *, int i);
const struct tensor *node_constant(const struct reader *, const struct onnx_node *, int i);     /* or NULL */

/* Whole numbers: input i, a constant of one extent or none; or the attribute, as older operators have it; -1 if there
 * is neither or it holds more than most. */
int node_ints(const struct reader *, const struct onnx_node *, int i, const char *attribute, int64_t *out, int most);

/* ---- constants (onnx_fold.c) ---- */

/* Computes a node of constants; *known is false, and nothing happened, if it is of no such kind. */
bool fold_node(struct reader *, const struct onnx_node *, bool *known);
bool set_constant(struct reader *, const struct onnx_node *, const int64_t *numbers, int count);  /* output 0 */
double tensor_single(const struct tensor *);    /* its only number */

/* ---- formulas (onnx_forms.c) ---- */

extern const struct form plain_form;

/* Makes the layers that a pending formula stands for: the value is the last of them from now on. */
bool seen_settle(struct reader *, struct seen *);

/* Output 0 is factor x + term. */
bool form_number(struct reader *, const struct onnx_node *, const struct seen *x, double factor, double term);
/* Output 0 is the product of two values of one layer; false, with nothing done, if that is no formula known here. */
bool form_product(struct reader *, const struct onnx_node *, const struct seen *, const struct seen *);

/* Numbers for the channels of a layer's value, named after the layer; NO_TENSOR on failure. */
int add_vector(struct reader *, int layer, const char *ending, const float *values);

/* A layer scale[c] x + shift[c], shift may be NULL; -1 on failure. */
int add_affine(struct reader *, const struct onnx_node *, int of, const float *scale, const float *shift);

/* The value at input i, formula and all; NULL, with an error, if it is no map. */
struct seen *node_value(struct reader *, const struct onnx_node *, int i);

/* ---- layers (onnx_read.c) ---- */

/* Appends a layer whose value has so large a map; -1 on failure. */
int add_layer(struct reader *, const struct onnx_node *, enum layer_kind, const int *operands, int count,
              struct map, double stride);
/* Gives weights the name of a value; false: no memory. */
bool name_weights(struct reader *, int weights, int value);
/* The constant at input i as weights, under its own name; NO_TENSOR, with an error, if it is none of that
 * shape. */
int weights_of_input(struct reader *, const struct onnx_node *, int i, int rank, const size_t *dims);

/* The settled value at input i, seen as [n][c][h][w]; NULL on failure. */
struct seen *node_map(struct reader *, const struct onnx_node *, int i);
/* The settled value at input i, and its extent that is the channels; NULL on failure. */
struct seen *node_channels(struct reader *, const struct onnx_node *, int i, int *dim);
/* Output i is that layer, seen as [n][c][h][w]; false if it is -1. */
bool set_layer(struct reader *, const struct onnx_node *, int i, int layer);
/* Output i is that value, a layer under some view or formula. */
void set_view(struct reader *, const struct onnx_node *, int i, const struct seen *);

/* The handlers of the nodes that are no arithmetic on constants; a table ends with {0}. */
struct handler { const char *name; bool (*read)(struct reader *, const struct onnx_node *); };
extern const struct handler layer_handlers[], form_handlers[], elementwise_handlers[], reorder_handlers[],
                            attention_handlers[], norm_handlers[];

/* Attention (onnx_attention.c) and norms spelled out (onnx_norm.c) take these operators first: *known is false, and
 * nothing happened, if the operands are no part of one. */
bool attention_scale(struct reader *, const struct onnx_node *, bool *known);           /* Mul, Div */
bool attention_turn(struct reader *, const struct onnx_node *, bool *known);            /* Transpose */
bool norm_step(struct reader *, const struct onnx_node *, bool *known);     /* Add, Sub, Div, ReduceMean */
const void *node_row(const struct onnx_node *, const void *rows, size_t row_size);      /* of its operator, or NULL */
/* ---- predictions (onnx_heads.c) ---- */

enum { HEADS_MOST = 2 * LAYER_OPERANDS };

/* The convolutions that predict, with the factor that may follow; layer: set by set_outputs. */
struct heads {
    struct head { int value, layer; bool sigmoid; } list[HEADS_MOST]; int count;
    int64_t from, to; bool cut;                 /* which of their channels alone pass through a sigmoid, if cut */
};

/* Walks from the outputs back to the first convolution on each way.  What lies behind it is the network, what lies
 * before it turns predictions into whatever the file offers.  mark_needed: which nodes they depend on. */
bool find_heads(const struct reader *, struct heads *);
void mark_needed(const struct reader *, const struct heads *, bool *needed);

/* Once all that are needed are read: the predictions of a level are those of one stride, classes before distances. */
bool set_outputs(struct reader *, struct heads *);
#endif
