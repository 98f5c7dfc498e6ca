/* export/export.h -- exports the network for inference, without training-only parts, to a file for other programs. */
#ifndef EXPORT_EXPORT_H
#define EXPORT_EXPORT_H
#include "export/verify.h"
#include "interop/onnx/onnx.h"

struct export_options {
    bool half;                          /* 16-bit weights */
    bool fold;                          /* fold norms and parallel branches into the convolutions */
    enum onnx_output output; int images; bool any_size;         /* see struct onnx_options */
    double score_threshold;             /* of the best F1, stored as metadata; negative: unknown */
    const struct policy *policy;        /* of the verification */
};

struct export_format {
    const char *name, *suffix;          /* suffix: of a file name */
    bool needs_suffix;                  /* false: any suffix that is not another format's is valid, too */
    const char *companion_suffix;       /* suffix of a second file; NULL: there is one file */
    bool is_network;                    /* the options output, images and any_size apply */
    bool (*write)(struct model *, const char *path, const struct export_options *, struct error *);
};
extern const struct export_format export_formats[];

/* Writes a temporary file and renames it to path after model_verify: outputs may differ by 1e-4 of the largest output,
 * with 16-bit weights by 0.05 of it.  If the format has metadata, the file also contains the parameters of inference:
 * class_names, input_size (width, height, padded as the network requires), resize and resize_to (of an image, before
 * the padding), mean_bgr and deviation_bgr, strides, reg_max, prior_offset (of the prior centres, in strides), folded,
 * score_threshold.  Safetensors files also describe their model (weights/file_config.h).  Exit 2 if the path lacks a
 * suffix that the format needs.  leftover, {0} before, names a temporary file or folder that could not be removed; the
 * export succeeds nevertheless. */
bool model_export(struct model *, const char *path, const struct export_format *, const struct export_options *,
                  struct verification *, struct error *leftover, struct error *);
#endif
