/* interop/ncnn/ncnn.h -- networks as ncnn keeps them: layers as text in X.param, their weights in X.bin beside it, in
 * the order of the layers and without names (github.com/Tencent/ncnn, docs/developer-guide: operators.md and
 * param-and-model-file-structure.md). */
#ifndef INTEROP_NCNN_H
#define INTEROP_NCNN_H
#include "interop/network.h"

/* Of either file: the text's first line, or the flag before the first weights. */
bool ncnn_recognises(struct bytes file);

/* Reads either file, given its content, and the other beside it.  Takes what onnx2ncnn and pnnx write for these
 * detectors and what ncnn_write does: weights of 32 or 16 bits; int8 and quantised tables are refused, as is a layer
 * that network.h has no kind for, with its line.  The outputs of the network are the levels behind the file's
 * (interop/predictions.h).  After a failure, too, network_free releases the network. */
bool ncnn_read(struct network *, struct bytes file, const char *path, struct error *);

/* The same from memory.  The tensors point into weights. */
bool ncnn_parse(struct network *, struct bytes text, struct bytes weights, const char *path, struct error *);

struct ncnn_options {
    bool half;                  /* weights of 16 bits; biases keep 32, as ncnn wants them */
    bool separate;              /* blobs as the demos of NanoDet (not Plus) know them: input.1, then for each stride S
                                   cls_pred_stride_S, [pixels][classes], and dis_pred_stride_S, [pixels][bins];
                                   without: data and output, [pixels of all levels][classes, bins] */
};

/* Writes path, X.param, and X.bin beside it.  Scores are put out after the sigmoid, as the original's exports do, and
 * activations are part of the convolutions before them.  What the format has no place for, such as the names of
 * classes, is not written.  The bytes depend on the network and the options alone.  Fails, and writes nothing, if a
 * weight is too large for 16 bits, or if an attention is met and the network does not know its input's size. */
bool ncnn_write(const char *path, const struct network *, const struct ncnn_options *, struct error *);
#endif
