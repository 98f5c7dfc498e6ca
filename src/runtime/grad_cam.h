/* runtime/grad_cam.h -- which places of an image speak for what is found in it: Grad-CAM (Selvaraju et al. 2017, eq. 1
 * and 2).  Of a layer with the output A, c channels of Z pixels, and a score S of the image
 *
 *     alpha[k] = 1 / Z sum over pixels of dS / dA[k]        map = max(sum over k of alpha[k] A[k], 0)
 *
 * S is the sum of the class logits, of any prior and class, whose sigmoid exceeds score_thr; of the largest alone if
 * none does.  Batch norms use their running statistics. */
#ifndef RUNTIME_GRAD_CAM_H
#define RUNTIME_GRAD_CAM_H
#include "data/sample.h"
#include "runtime/graph_cache.h"

struct heat {
    char name[24];                      /* "stride8" of a level of the neck; "" of a layer that was asked for */
    int node;                           /* of the graph */
    int h, w, c;
    float *value;                       /* [h][w][c] */
    float *map;                         /* [h][w] */
};

struct grad_cam {
    struct model *model;                /* borrowed */
    struct policy policy;
    struct team team;
    const char *layer;                  /* as `nanodet info` calls it, the last of that name; NULL: the neck's levels */
    double score_thr;                   /* 0 < score_thr < 1 */
    struct graph_cache cache;
    struct batch batch;
    struct heat heats[FEATURES]; int count;     /* of the last image */
    struct error error;                 /* of what ran within a graph */
};

/* {0} before.  Exit 2 names the layer nearest to one that does not exist. */
bool grad_cam_init(struct grad_cam *, struct model *, const char *layer, double score_thr, const struct policy *,
                   struct error *);
void grad_cam_free(struct grad_cam *);

/* Fills heats for an image, brought to the network's input as data.val says. */
bool grad_cam_look(struct grad_cam *, const struct image *, struct error *);

/* A map, bilinearly, at every pixel of the image looked at last, as parts of the largest value there:
 * out[height][width] from 0 to 1. */
void grad_cam_spread(const struct grad_cam *, const struct heat *, float *out);
#endif
