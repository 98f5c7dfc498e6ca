/* interop/onnx/file.h -- parses an ONNX file into nodes and values with resolved names; interprets no operator.  Field
 * numbers are those of onnx.proto, IR version 3 and later.  All pointers point into the file. */
#ifndef INTEROP_ONNX_FILE_H
#define INTEROP_ONNX_FILE_H
#include "base/file.h"
#include "interop/tensors.h"

struct text_slice { const char *p; int size; };      /* text in the file, not 0-terminated; print it with %.*s */
bool slice_is(struct text_slice, const char *text);

enum { ONNX_NO_VALUE = -1, ONNX_NODES = 1 << 14, ONNX_VALUES = 1 << 16, ONNX_NODE_OUTPUTS = 64 };

/* The value of a name: exactly one of a node's output, a tensor of the file, an input of the graph. */
struct onnx_value {
    struct text_slice name;
    int node, output;                           /* the node that writes it, or ONNX_NO_VALUE, and its output */
    struct bytes tensor, info;                  /* TensorProto, ValueInfoProto; empty if it is another kind */
};

struct onnx_node {
    struct text_slice op, name;
    struct bytes body;                          /* NodeProto, with the attributes */
    const int *inputs; int input_count;         /* values; ONNX_NO_VALUE: absent */
    const int *outputs; int output_count;
};

/* {0} is empty. */
struct onnx_file {
    const char *path;
    int opset;                                  /* version of the standard operators */
    struct onnx_node *nodes; int node_count;    /* in topological order */
    struct onnx_value *values; int value_count;
    int *edges, edge_count;                     /* inputs and outputs of nodes point into it */
    int *outputs; int output_count;             /* values that the graph returns */
    struct bytes model;                         /* ModelProto */
};
bool onnx_open(struct onnx_file *, struct bytes file, const char *path, struct error *);
void onnx_close(struct onnx_file *);

/* Attributes.  An absent attribute, or one of another type, gives the last argument, -1 or false. */
int64_t onnx_int(const struct onnx_node *, const char *name, int64_t absent);
double onnx_float(const struct onnx_node *, const char *name, double absent);
int onnx_ints(const struct onnx_node *, const char *name, int64_t *out,
              int max);  /* returns their number; -1 if absent or above max */
bool onnx_says(const struct onnx_node *, const char *name, const char *text, bool absent);
struct bytes onnx_tensor_attribute(const struct onnx_node *, const char *name);      /* TensorProto, or empty */

/* The tensor of a TensorProto, without a name.  Data that the file stores in another form than memory is copied to a
 * block of owner. */
bool onnx_load_tensor(struct tensor *, struct bytes proto, struct tensors *owner, struct error *);

/* Extents of a ValueInfoProto, 0: dynamic; returns the rank, -1 if it is not a tensor or has a rank above max. */
int onnx_dims(struct bytes info, int64_t *dims, int max);

/* metadata_props, as metadata of out. */
bool onnx_load_metadata(const struct onnx_file *, struct tensors *out, struct error *);
#endif
