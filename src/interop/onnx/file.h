/* interop/onnx/file.h -- an ONNX file taken apart: nodes and values, with every name resolved, nothing interpreted.
 * Field numbers are those of onnx.proto, IR version 3 and later.  All points into the file. */
#ifndef INTEROP_ONNX_FILE_H
#define INTEROP_ONNX_FILE_H
#include "interop/tensors.h"

struct slice { const char *p; int size; };      /* text in the file, without a 0 at its end; print it as %.*s */
bool slice_is(struct slice, const char *text);

enum { ONNX_NO_VALUE = -1, ONNX_NODES = 1 << 14, ONNX_VALUES = 1 << 16, ONNX_NODE_OUTPUTS = 64 };

/* What a name stands for: exactly one of a node's output, a tensor of the file, an input of the graph. */
struct onnx_value {
    struct slice name;
    int node, output;                           /* that writes it, or ONNX_NO_VALUE */
    struct bytes tensor, info;                  /* TensorProto, ValueInfoProto; empty if it is no such */
};

struct onnx_node {
    struct slice op, name;
    struct bytes body;                          /* NodeProto; attributes are looked up in it */
    const int *inputs; int input_count;         /* values; ONNX_NO_VALUE: left out */
    const int *outputs; int output_count;
};

/* {0} is empty. */
struct onnx_file {
    const char *path;
    int opset;                                  /* of the standard operators */
    struct onnx_node *nodes; int node_count;    /* each after those that it reads */
    struct onnx_value *values; int value_count;
    int *edges, edge_count;                     /* what inputs and outputs of nodes point into */
    int *outputs; int output_count;             /* of the graph: values */
    struct bytes model;                         /* ModelProto */
};
bool onnx_open(struct onnx_file *, struct bytes file, const char *path, struct error *);
void onnx_close(struct onnx_file *);

/* Attributes: what is absent, or of another type, gives the last argument, -1 or false. */
int64_t onnx_int(const struct onnx_node *, const char *name, int64_t absent);
double onnx_float(const struct onnx_node *, const char *name, double absent);
int onnx_ints(const struct onnx_node *, const char *name, int64_t *out, int most);  /* their number; -1 also if more */
bool onnx_says(const struct onnx_node *, const char *name, const char *text, bool absent);
struct bytes onnx_tensor_attribute(const struct onnx_node *, const char *name);      /* TensorProto, or empty */

/* The tensor of a TensorProto, nameless; data that the file does not hold as it is in memory gets a block of owner. */
bool onnx_tensor(struct tensor *, struct bytes proto, struct tensors *owner, struct error *);

/* Extents of a ValueInfoProto; 0: not said.  -1 if it is no tensor or has more than most. */
int onnx_dims(struct bytes info, int64_t *dims, int most);

/* metadata_props, as metadata of out. */
bool onnx_metadata(const struct onnx_file *, struct tensors *out, struct error *);
#endif
