/* interop/onnx/expression.h -- pending elementwise expressions of values; activations.c implements it. */
#ifndef INTEROP_ONNX_EXPRESSION_H
#define INTEROP_ONNX_EXPRESSION_H
#include "interop/onnx/reader.h"

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

/* The value at input i, materialised, in the layout [n][c][h][w]; NULL on failure. */
struct read_value *node_map(struct onnx_reader *, const struct onnx_node *, int i);
/* The value at input i, materialised, and the dimension that holds its channels; NULL on failure. */
struct read_value *node_channels(struct onnx_reader *, const struct onnx_node *, int i, int *dim);
#endif
