/* interop/onnx/reader.h -- the interpretation of each value of an ONNX file; the base of all parts of the reader.
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

/* A layer's map, its stride in pixels of the input, and the number of nodes that use it in any layout. */
struct layer_size { struct map map; double stride; int uses; };

struct onnx_reader {
    struct onnx_file file;
    struct network *net;
    struct read_value *values;                  /* [file.value_count] */
    int *weight_of;                             /* [file.value_count] index into net->weights, or NO_TENSOR */
    int *uses;                               /* [file.value_count] number of node inputs that use the value */
    struct layer_size *layer_sizes; int size_count, size_capacity;      /* of each layer */
    size_t work;                                /* elements that constant folding may still compute */
    struct error *err;
};

/* fail(), with the file and the node before the text. */
bool fail_node(const struct onnx_reader *, const struct onnx_node *, const char *text);

/* Subtracts from the remaining work; false, with an error, if too little is left. */
bool reader_spend(struct onnx_reader *, const struct onnx_node *, size_t elements);

/* Input i of a node, or NULL if it is absent. */
struct read_value *node_input(const struct onnx_reader *, const struct onnx_node *, int i);
const struct tensor *node_constant(const struct onnx_reader *, const struct onnx_node *, int i);     /* or NULL */

/* Integers: input i, a constant of rank 0 or 1, or the attribute of older operator versions.  Returns their number; -1
 * if both are absent or there are more than max. */
int node_ints(const struct onnx_reader *, const struct onnx_node *, int i, const char *attribute, int64_t *out,
              int max);

/* The value at input i, with its pending expression; NULL, with an error, if it is not a map. */
struct read_value *node_value(struct onnx_reader *, const struct onnx_node *, int i);

/* The row of the node's operator in a table whose rows begin with their name, or NULL. */
const void *find_operator_row(const struct onnx_node *, const void *rows, size_t row_size);

/* ---- layers ---- */

/* Reads a node whose operator is an activation without attributes.  *known: it is one. */
bool read_activation(struct onnx_reader *, const struct onnx_node *, bool *known);

extern const struct expression identity_expression;

enum { MAP_SIDE_MAX = 1 << 14 };                /* max height and width of a layer's map */

/* Appends a layer with a map of this size; -1 on failure. */
int add_layer(struct onnx_reader *, const struct onnx_node *, enum layer_kind, const int *operands, int count,
              struct map, double stride);
/* Names weights after a value; false: no memory. */
bool name_weights(struct onnx_reader *, int weights, int value);
/* The constant at input i as weights, under its own name; NO_TENSOR, with an error, if its shape differs. */
int weights_of_input(struct onnx_reader *, const struct onnx_node *, int i, int rank, const size_t *dims);

/* Sets output i to that layer in the layout [n][c][h][w]; false if the layer is -1. */
bool set_layer(struct onnx_reader *, const struct onnx_node *, int i, int layer);
/* Sets output i to that value, a layer in any layout and with any pending expression. */
void set_value(struct onnx_reader *, const struct onnx_node *, int i, const struct read_value *);
#endif
