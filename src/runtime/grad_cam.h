/* runtime/grad_cam.h -- heatmaps of the image regions that contribute to the detections: Grad-CAM (Selvaraju et al.
 * 2017, eq. 1 and 2).  For a layer with the output A, c channels of Z pixels, and a score S of the image
 *
 *     alpha[k] = 1 / Z sum over pixels of dS / dA[k]        map = max(sum over k of alpha[k] A[k], 0)
 *
 * S is the sum of the class logits, over all priors and classes, whose sigmoid exceeds score_thr; the largest logit if
 * none does.  Batch norms use their running statistics. */
#ifndef RUNTIME_GRAD_CAM_H
#define RUNTIME_GRAD_CAM_H
#include "data/sample.h"
#include "runtime/graph_cache.h"

struct layer_heatmap {
    char name[24];                      /* "stride8" for a level of the neck; "" for the requested layer */
    int node;                           /* of the graph */
    int h, w, c;
    float *value;                       /* [h][w][c] */
    float *map;                         /* [h][w] */
};

struct grad_cam {
    struct model *model;                /* borrowed */
    struct policy policy;
    struct team team;
    const char *layer;                  /* a name in `nanodet info`, its last layer; NULL: the neck's levels */
    double score_thr;                   /* 0 < score_thr < 1 */
    struct graph_cache cache;
    struct batch batch;
    struct layer_heatmap heatmaps[FEATURES]; int count;     /* of the last image */
    struct error error;                 /* of the callback within a graph */
};

/* *cam must be {0}.  Exit 2 if the layer does not exist; the error suggests the nearest name. */
bool grad_cam_init(struct grad_cam *, struct model *, const char *layer, double score_thr, const struct policy *,
                   struct error *);
void grad_cam_free(struct grad_cam *);

/* Fills heatmaps for an image, resized and normalised as data.val specifies. */
bool grad_cam_run(struct grad_cam *, const struct image *, struct error *);

/* Interpolates a map bilinearly at every pixel of the last image and divides it by its largest value there:
 * out[height][width] from 0 to 1. */
void grad_cam_upsample(const struct grad_cam *, const struct layer_heatmap *, float *out);
#endif
