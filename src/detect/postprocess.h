/* detect/postprocess.h -- converts the network's predictions to detections in the source image. */
#ifndef DETECT_POSTPROCESS_H
#define DETECT_POSTPROCESS_H
#include "base/memory.h"
#include "data/geometry.h"
#include "detect/prior.h"

struct detected { float box[4], score; int label; };    /* x1, y1, x2, y2 */

struct postprocess_config {
    int classes, reg_max;           /* 1 <= reg_max <= REG_MAX_LIMIT */
    double score_thr, iou_thr;      /* 0 < score_thr < 1; NanoDet: 0.05 and 0.6 */
    int max_kept;                   /* >= 1; NanoDet: 100 */
    const struct kernels *kernels;
    bool class_agnostic;            /* see detect/nms.h */
};

/* Decodes the boxes of one image (prediction_box), clips them to the network's input, and takes each class whose score
 * sigmoid(logit) exceeds score_thr; then applies non-maximum suppression.  pred holds the rows of all images (prior.h,
 * prediction.h).  Writes out[max_kept], best first, in pixels of the network's input, and their number to *count.
 * Borrows postprocess_bytes from tmp and gives them back on return.  Fails if a prediction is not finite or tmp is too
 * small. */
bool postprocess(const struct postprocess_config *, const struct prior_grid *, int image, const float *pred,
                 struct arena *tmp, struct detected *out, int *count, struct error *);
size_t postprocess_bytes(const struct postprocess_config *, const struct prior_grid *);     /* SIZE_MAX: overflow */

/* Maps detections back to the source image: inverts the source-to-input matrix, takes the bounding rectangle of the
 * four mapped corners and clips it to the source.  Fails, with nothing changed, if the matrix has no inverse. */
bool detected_to_source(struct detected *, int count, const struct matrix *to_input, struct image_size source,
                        struct error *);
#endif
