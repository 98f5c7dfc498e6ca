/* interop/ncnn/ncnn.h -- reads and writes networks as ncnn files: layers as text in X.param, their weights in X.bin, in
 * the order of the layers and without names (github.com/Tencent/ncnn, docs/developer-guide: operators.md and
 * param-and-model-file-structure.md). */
#ifndef INTEROP_NCNN_NCNN_H
#define INTEROP_NCNN_NCNN_H
#include "base/file.h"
#include "interop/network.h"

/* Recognises either file, by the text's first line or the flag before the first weights. */
bool is_ncnn(struct bytes file);

/* Reads a network from one of the two files, given its content, and from the other file in the same folder.  Supports
 * the output of onnx2ncnn, pnnx and ncnn_write for these detectors, with float32 or float16 weights.  Refuses int8
 * weights, quantisation tables and layers without a kind in network.h, naming the line.  The network's outputs are its
 * raw predictions (interop/predictions.h).  network_free releases the network, also after a failure. */
bool ncnn_read(struct network *, struct bytes file, const char *path, struct error *);

/* The same from memory.  The tensors point into `weights`. */
bool ncnn_parse(struct network *, struct bytes text, struct bytes weights, const char *path, struct error *);

struct ncnn_options {
    bool half;                  /* float16 weights; ncnn requires float32 biases */
    bool separate;              /* the blobs of NanoDet's (not Plus) demos: input.1, then for each stride S
                                   cls_pred_stride_S, [pixels][classes], and dis_pred_stride_S, [pixels][bins];
                                   else: data and output, [pixels of all levels][classes, bins] */
};

/* Writes path, X.param, and X.bin in the same folder.  Scores are after the sigmoid, as in NanoDet's exports.
 * Activations are fused into the convolutions before them.  The format has no class names.  The bytes depend only on
 * the network and the options.  Fails, and writes nothing, if a weight exceeds float16, or if the network has an
 * attention but an unknown input size. */
bool ncnn_write(const char *path, const struct network *, const struct ncnn_options *, struct error *);
#endif
