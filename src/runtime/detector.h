/* runtime/detector.h -- a model that finds objects in images. */
#ifndef RUNTIME_DETECTOR_H
#define RUNTIME_DETECTOR_H
#include "data/sample.h"
#include "detect/postprocess.h"
#include "runtime/graph_cache.h"

struct detector {
    struct model *model;                /* borrowed */
    struct model merged;                /* of one that has branches to merge: it runs instead */
    struct policy policy;
    struct team team;
    struct postprocess_config rules;    /* of the section test of the configuration; score_thr may be changed */
    struct graph_cache cache;
    struct arena *tmp;                  /* [threads] */
    struct detected *found;             /* [n][rules.max_kept] of the last batch, best first, */
    int *count;                         /* [n] and how many there are of each image: in pixels of the source */
    int room;                           /* images that both have room for */
    struct batch own;                   /* of detector_detect */
};

/* values: laid out as model->params.value, or that itself; borrowed, and not to be changed. */
bool detector_init(struct detector *, struct model *, const real *values, const struct policy *, struct error *);
void detector_free(struct detector *);

/* What computes it for one image of h x w, valid until the next call. */
struct graph *detector_graph(struct detector *, int h, int w, struct error *);

/* The raw prediction of pixel[h][w][3], normalised: rows as detect/prior.h has them, valid until the next call. */
const float *detector_forward(struct detector *, const float *pixel, int h, int w, struct error *);

/* The same for n images: see(context, i, rows) is called once for each, in any order and from any of the threads.  As
 * many images at once as there are threads are computed each on one; what is left over, one after another on all. */
bool detector_each(struct detector *, const float *pixel, int n, int h, int w,
                   void (*see)(void *context, int image, const float *rows), void *context, struct error *);

/* Fills found and count for every sample of a batch.  Fails if a number is not finite, naming the first layer. */
bool detector_run(struct detector *, const struct batch *, struct error *);

/* The same for one image, brought to the network's input as data.val says; found[0 .. count[0] - 1] are its. */
bool detector_detect(struct detector *, const struct image *, struct error *);
#endif
