/* interop/onnx/reader.h -- shared by the parts of the reader: the interpretation of each value of the file.
 * A value is a constant, or a layer's map in some layout, perhaps with a pending elementwise expression. */
#ifndef INTEROP_ONNX_READER_H
#define INTEROP_ONNX_READER_H
#include "interop/activations.h"
#include "interop/network.h"
#include "interop/onnx/file.h"
#include "interop/onnx/layout.h"

/* scale gate(x) x + shift, or scale gate(x) + shift without times_x: the intermediate results of activations that a
 * file spells out. */
struct expression {
    enum gate gate;
    bool times_x;
    double scale, shift;
};

enum read_value_kind {
    VALUE_UNREAD, VALUE_CONSTANT, VALUE_MAP,
    VALUE_SCORES, VALUE_ATTENTION,              /* pending.scale q^T k of the pixels of a head, and its softmax */
    VALUE_MEAN, VALUE_CENTRED, VALUE_SQUARES, VALUE_VARIANCE, VALUE_DEVIATION   /* steps of a norm over channels */
};

struct read_value {
    enum read_value_kind kind;
    struct tensor constant;                     /* without a name */
    int origin;                                 /* the value of the file that names the constant */
    const struct onnx_node *by;                 /* the node that writes the value; NULL: an input */
    int layer, key;                             /* key: of VALUE_SCORES and VALUE_ATTENTION, the layer of k */
    bool transposed;                            /* of VALUE_ATTENTION: k's pixels come first */
    struct map_layout layout;
    struct expression pending;                  /* of VALUE_VARIANCE and VALUE_DEVIATION: shift is epsilon */
};

/* A layer's map, its stride in pixels of the input, and the number of nodes that read it in any layout. */
struct layer_size { struct map map; double stride; int readers; };

struct onnx_reader {
    struct onnx_file file;
    struct network *net;
    struct read_value *values;                  /* [file.value_count] */
    int *weight_of;                             /* [file.value_count] index into net->weights, or NO_TENSOR */
    int *readers;                               /* [file.value_count] number of node inputs that read the value */
    struct layer_size *layer_sizes; int size_count, size_capacity;      /* of each layer */
    size_t work;                                /* elements that constant folding may still compute */
    struct error *err;
};

/* fail(), with the file and the node before the text. */
bool node_fails(const struct onnx_reader *, const struct onnx_node *, const char *text);

/* Subtracts from the remaining work; false, with an error, if too little is left. */
bool reader_spend(struct onnx_reader *, const struct onnx_node *, size_t elements);

/* Input i of a node, or NULL if it is absent. */
struct read_value *node_input(const struct onnx_reader *, const struct onnx_node *, int i);
const struct tensor *node_constant(const struct onnx_reader *, const struct onnx_node *, int i);     /* or NULL */

/* Integers: input i, a constant of rank 0 or 1, or the attribute of older operator versions.  Returns their number; -1
 * if both are absent or there are more than max. */
int node_ints(const struct onnx_reader *, const struct onnx_node *, int i, const char *attribute, int64_t *out,
              int max);

/* ---- constants (fold.c) ---- */

/* Evaluates a node whose inputs are constants.  *known is false, and nothing changed, if it is no such node. */
bool fold_node(struct onnx_reader *, const struct onnx_node *, bool *known);
bool set_constant(struct onnx_reader *, const struct onnx_node *, const int64_t *list, int count);  /* output 0 */
double tensor_single(const struct tensor *);    /* its only element; NAN if it has another number of elements */

/* ---- expressions (activations.c) ---- */

/* Reads a node whose operator is an activation without attributes.  *known: it is one. */
bool read_activation(struct onnx_reader *, const struct onnx_node *, bool *known);

extern const struct expression identity_expression;

/* Adds the layers of the pending expression; the value's layer becomes the last of them. */
bool materialise(struct onnx_reader *, struct read_value *);

/* Sets output 0 to factor x + term. */
bool expression_affine(struct onnx_reader *, const struct onnx_node *, const struct read_value *x, double factor,
                       double term);
/* Sets output 0 to the product of two values of one layer; false, with nothing changed, if no known expression has this
 * form. */
bool expression_product(struct onnx_reader *, const struct onnx_node *, const struct read_value *,
                        const struct read_value *);

/* A vector over the channels of a layer, named LAYER.ending; NO_TENSOR on failure. */
int add_vector(struct onnx_reader *, int layer, const char *ending, const float *values);

/* Adds a layer scale[c] x + shift[c], shift may be NULL; -1 on failure. */
int add_affine(struct onnx_reader *, const struct onnx_node *, int of, const float *scale, const float *shift);

/* The value at input i, with its pending expression; NULL, with an error, if it is no map. */
struct read_value *node_value(struct onnx_reader *, const struct onnx_node *, int i);

/* ---- layers (read.c) ---- */

/* Appends a layer with a map of this size; -1 on failure. */
int add_layer(struct onnx_reader *, const struct onnx_node *, enum layer_kind, const int *operands, int count,
              struct map, double stride);
/* Names weights after a value; false: no memory. */
bool name_weights(struct onnx_reader *, int weights, int value);
/* The constant at input i as weights, under its own name; NO_TENSOR, with an error, if its shape differs. */
int weights_of_input(struct onnx_reader *, const struct onnx_node *, int i, int rank, const size_t *dims);

/* The value at input i, materialised, in the layout [n][c][h][w]; NULL on failure. */
struct read_value *node_map(struct onnx_reader *, const struct onnx_node *, int i);
/* The value at input i, materialised, and the dimension that holds its channels; NULL on failure. */
struct read_value *node_channels(struct onnx_reader *, const struct onnx_node *, int i, int *dim);
/* Sets output i to that layer in the layout [n][c][h][w]; false if the layer is -1. */
bool set_layer(struct onnx_reader *, const struct onnx_node *, int i, int layer);
/* Sets output i to that value, a layer in any layout and with any pending expression. */
void set_value(struct onnx_reader *, const struct onnx_node *, int i, const struct read_value *);

/* The handlers of all nodes that are not constant; a table ends with {0}. */
struct handler { const char *name; bool (*read)(struct onnx_reader *, const struct onnx_node *); };
extern const struct handler layer_handlers[], activation_handlers[], elementwise_handlers[], reorder_handlers[],
                            attention_handlers[], norm_handlers[];

/* Attention (attention.c) and spelled-out norms (norm.c) get these operators first.  *known is false, and nothing
 * changed, if the operands are not part of one. */
bool attention_scale(struct onnx_reader *, const struct onnx_node *, bool *known);          /* Mul, Div */
bool attention_transpose(struct onnx_reader *, const struct onnx_node *, bool *known);      /* Transpose */
bool norm_step(struct onnx_reader *, const struct onnx_node *, bool *known);    /* Add, Sub, Div, ReduceMean */
const void *node_row(const struct onnx_node *, const void *rows,
                     size_t row_size);  /* of the node's operator, or NULL */

/* ---- predictions (heads.c) ---- */

enum { HEADS_MAX = 2 * LAYER_OPERANDS };

/* The convolutions that predict, including a factor that follows; layer: set by set_outputs. */
struct prediction_heads {
    struct prediction_head { int value, layer; bool sigmoid; } list[HEADS_MAX]; int count;
    int64_t from, to; bool cut;                 /* if cut: only channels [from, to) pass through a sigmoid */
};

/* Walks from the outputs back to the first convolution on each path.  The convolutions and all nodes before them are
 * the network; the nodes after them post-process its predictions.  mark_needed marks the nodes that the heads depend
 * on. */
bool find_heads(const struct onnx_reader *, struct prediction_heads *);
void mark_needed(const struct onnx_reader *, const struct prediction_heads *, bool *needed);

/* Sets the network's outputs after all needed nodes are read.  The predictions of a level have one stride, classes
 * before distances. */
bool set_outputs(struct onnx_reader *, struct prediction_heads *);
#endif
