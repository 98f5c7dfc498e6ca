/* interop/onnx/heads.h -- the predictions of a network. */
#ifndef INTEROP_ONNX_HEADS_H
#define INTEROP_ONNX_HEADS_H
#include "interop/onnx/reader.h"

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
