/* export/export.h -- the network that detects, without what only training needs, in a file for other programs. */
#ifndef EXPORT_EXPORT_H
#define EXPORT_EXPORT_H
#include "export/verify.h"
#include "interop/onnx/onnx.h"

struct export_options {
    bool half;                          /* weights of 16 bits */
    bool fold;                          /* norms and parallel branches go into the convolutions */
    enum onnx_output output; int images; bool any_size;         /* see struct onnx_options */
    const struct policy *policy;        /* of the verification */
};

struct export_format {
    const char *name, *ending;          /* of the name of a file */
    bool must_end;                      /* so; else any ending will do that is not another format's */
    const char *beside;                 /* the ending of the file that is written beside it; NULL: none */
    bool runs_alone;                    /* output, images and any_size count */
    bool (*write)(struct model *, const char *path, const struct export_options *, struct error *);
};
extern const struct export_format export_formats[];

/* The file gets its name once model_verify finds that it detects as the model does: to 1e-4 of the largest output, with
 * weights of 16 bits to 0.05.  Besides weights it holds, where the format has a place for that, what detecting needs:
 * class_names, input_size (width, height, padded to what the network takes), resize and resize_to (of an image, before
 * the padding), mean_bgr and deviation_bgr, strides, reg_max, prior_offset (of the points that boxes are seen from,
 * in strides), folded.  Safetensors files also describe their model (weights/file_config.h).  Exit 2 if the path does
 * not end as the format wants.  left, {0} before, names a temporary file or folder that could not be removed, which is
 * no failure of the export. */
bool model_export(struct model *, const char *path, const struct export_format *, const struct export_options *,
                  struct verification *, struct error *left, struct error *);
#endif
