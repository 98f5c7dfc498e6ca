/* interop/onnx/onnx.h -- reads and writes networks as ONNX files: those of common exporters, and our own. */
#ifndef INTEROP_ONNX_ONNX_H
#define INTEROP_ONNX_ONNX_H
#include "base/file.h"
#include "interop/network.h"

bool is_onnx(struct bytes file);

/* Reads operator versions 7 to 20.  Recognises the layers of network.h however exporters spell them: shuffles as
 * reshapes and transposes, activations as formulas, shapes computed from shapes.  The network ends at the raw
 * predictions: the first convolutions on the paths back from the outputs, two of a level concatenated, classes first.
 * classes and reg_max are 0 if no sigmoid separates classes from boxes.  metadata_props become the metadata of the
 * weights.  Weights point into the file, which must outlive the network.  network_free releases the network, also after
 * a failure.  Exit 1, naming the node, if a node is not supported. */
bool onnx_read(struct network *, struct bytes file, const char *path, struct error *);

enum onnx_output {
    ONNX_RAW,                   /* output [n][P][classes + 4 (reg_max + 1)]: scores after the sigmoid, then bin logits,
                                   as in NanoDet's exports; P priors, level by level, finest first */
    ONNX_DECODED,               /* boxes [n][P][4], x1 y1 x2 y2 in pixels of the input, clipped to it; scores
                                   [n][P][classes] */
    ONNX_SUPPRESSED             /* after NMS: boxes [k][4], scores [k], labels [k] of one image, best first */
};

struct onnx_options {
    bool half;                  /* stores convolution weights as float16; computation is in float32 */
    int images;                 /* 0: any number */
    bool any_size;              /* any height and width divisible by the largest stride; else input_h x input_w */
    enum onnx_output output;
    double prior_offset;        /* detect/prior.h: 0 or 0.5 */
    double score_thr, iou_thr; int kept;        /* of ONNX_SUPPRESSED: the score and IoU thresholds and the
                                                   max number of detections */
    bool class_agnostic;                        /* boxes of different classes suppress each other */
};

/* Writes operator version 13 (17 if there is a layer norm).  The input is `data`, [n][3][h][w], normalised.  The
 * metadata of the network's weights become metadata_props.  Tensors keep their names; duplicate names get the index
 * appended.  The bytes depend only on the network and the options.  Fails, and writes nothing, if a weight exceeds
 * float16, if the network's classes or required input size are unknown, if images is not 1 with ONNX_SUPPRESSED, or if
 * any_size is set for a network with a position embedding. */
bool onnx_write(const char *path, const struct network *, const struct onnx_options *, struct error *);
#endif
