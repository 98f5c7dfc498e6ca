/* runtime/detector.h -- detects objects in images with a model. */
#ifndef RUNTIME_DETECTOR_H
#define RUNTIME_DETECTOR_H
#include "data/sample.h"
#include "detect/postprocess.h"
#include "runtime/graph_cache.h"

struct detector {
    struct model *model;                /* borrowed */
    struct model merged;                /* runs instead of a model with parallel branches (weights/merge.h) */
    struct policy policy;
    struct team team;
    struct test_tiles tiles;            /* data.val.tiles; may be changed */
    struct postprocess_config rules;    /* from the section `test` of the configuration; score_thr may be changed */
    struct graph_cache cache;
    struct arena *tmp;                  /* [threads] */
    struct detected *detections;        /* [n][rules.max_kept] of the last batch, best first, in pixels of the source */
    int *count;                         /* [n] detections of each image */
    int capacity;                       /* images for which both arrays have space */
    struct batch own;                   /* of detector_detect_image */
};

/* values: model->params.value or an array with its layout; borrowed, must not change while the detector exists. */
bool detector_init(struct detector *, struct model *, const real *values, const struct policy *, struct error *);
void detector_free(struct detector *);

/* The graph for one image of h x w, valid until the next call. */
struct graph *detector_graph(struct detector *, int h, int w, struct error *);

/* The raw prediction for pixel[h][w][3], normalised: rows as in detect/prior.h, valid until the next call. */
const float *detector_forward(struct detector *, const float *pixel, int h, int w, struct error *);

/* The same for n images: calls on_rows(context, i, rows) once per image, in any order and from any thread.  Each thread
 * computes an image of its own; the last n modulo threads images run one after another on all threads. */
bool detector_forward_each(struct detector *, const float *pixel, int n, int h, int w,
                           void (*on_rows)(void *context, int image, const float *rows), void *context, struct error *);

/* Fills detections and count for every sample of a batch.  Fails if a prediction is not finite, naming the first layer
 * with such an output. */
bool detector_run(struct detector *, const struct batch *, struct error *);

/* The same for one image, resized and normalised as data.val specifies, or for its tiles (runtime/tiled_detector.h);
 * its detections are 0 .. count[0] - 1. */
bool detector_detect_image(struct detector *, const struct image *, struct error *);
#endif
