/* interop/onnx/onnx.h -- networks in ONNX files: those of exporters for these detectors, and our own. */
#ifndef INTEROP_ONNX_H
#define INTEROP_ONNX_H
#include "interop/network.h"

bool onnx_recognises(struct bytes file);

/* Reads operators of version 7 to 20 in whatever way exporters spell the layers of network.h: shuffles as reshapes and
 * transposes, activations as formulas, shapes computed from shapes.  The network ends where the predictions are raw:
 * at the convolutions that are met first on the way back from the outputs, two of a level joined, classes first.
 * classes and reg_max are 0 if the file does not tell classes from boxes by a sigmoid; metadata_props are the metadata
 * of the weights.  Weights point into the file, which must stay as long as the network.  After a failure, too,
 * network_free releases the network.  Exit 1, naming the node, for anything that is not understood. */
bool onnx_read(struct network *, struct bytes file, const char *path, struct error *);

enum onnx_output {
    ONNX_RAW,                   /* output [n][P][classes + 4 (reg_max + 1)]: scores after the sigmoid, then bins, as the
                                   original's exports have them; P priors, level after level, finest first */
    ONNX_DECODED,               /* boxes [n][P][4], x1 y1 x2 y2 in pixels of the input and cut to it; scores
                                   [n][P][classes] */
    ONNX_SUPPRESSED             /* boxes [k][4], scores [k], labels [k] of one image, best first */
};

struct onnx_options {
    bool half;                  /* weights of convolutions are stored in 16 bits; all is computed in 32 */
    int images;                 /* 0: any number */
    bool any_size;              /* heights and widths that every level halves evenly; else the network's input_h, _w */
    enum onnx_output output;
    double prior_offset;        /* detect/prior.h: 0 or 0.5 */
    double score_thr, iou_thr; int kept;        /* of ONNX_SUPPRESSED: scores above the one survive, boxes that overlap
                                                   more than the other do not; so many at most */
    bool class_agnostic;                        /* boxes of different classes suppress each other, too */
};

/* Writes operators of version 13 (17 where a layer norm wants it) from `data`, [n][3][h][w], normalised.  The metadata
 * of the network's weights become metadata_props; tensors keep their names, those of equal name get their index.  The
 * bytes depend on network and options alone.  Fails, and writes nothing, if a weight is too large for 16 bits, the
 * network does not know its classes or the size that it should have, or if images that are many or of any size are
 * asked for where that cannot be (one image is suppressed at a time; a position embedding has one size). */
bool onnx_write(const char *path, const struct network *, const struct onnx_options *, struct error *);
#endif
