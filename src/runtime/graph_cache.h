/* runtime/graph_cache.h -- bound graphs for the most recent batch and image sizes.  They run one after another, so they
 * share one block of memory.  Inference graphs also share one copy of the packed weights. */
#ifndef RUNTIME_GRAPH_CACHE_H
#define RUNTIME_GRAPH_CACHE_H
#include "detect/loss.h"
#include "model/model.h"

enum { GRAPH_CACHE_SIZE = 16 };                    /* graphs in the cache */

struct cached_graph {
    struct graph_options options;
    struct graph graph;
    struct graph *replicas;             /* [cache.replicas] */
    struct prior_grid grid;
    struct loss loss;                   /* of training graphs */
    long used;                          /* last use, counted in calls of graph_cache_find */
};

/* Memory for the values of graphs.  Caches that share it run in turn: a run overwrites the outputs of the others.  It
 * only grows. */
struct shared_block { void *memory; size_t size; };
void shared_block_free(struct shared_block *);

struct graph_cache {
    struct model *model;                /* borrowed, as are the policy and the targets of `to` */
    const struct policy *policy;
    struct binding to;
    const struct loss_config *criterion;        /* NULL: graphs without loss */
    int replicas;                         /* replicas per graph, one per thread; set before the first call, or 0 */
    struct shared_block *shared;        /* borrowed; set before the first call; NULL: the cache has its own block */
    struct shared_block own;
    size_t bound_size;                  /* the block's when the graphs were bound to it */
    struct cached_graph *list; int count;
    struct packed_weights packed_weights;
    long calls;
};

/* The binding's kernels are the policy's. */
bool graph_cache_init(struct graph_cache *, struct model *, const struct policy *, const struct binding *,
                      const struct loss_config *, struct error *);
void graph_cache_free(struct graph_cache *);

/* The graph with these options, built if it is not cached; valid until the next call for this cache or one that shares
 * its block.  NULL and an error on failure. */
struct cached_graph *graph_cache_find(struct graph_cache *, const struct graph_options *, struct error *);

/* The graph that infers one image of h x w. */
struct cached_graph *graph_cache_find_single(struct graph_cache *, int h, int w, struct error *);

/* Runs the graph that infers one image of h x w on each of n images pixel[n][h][w][3], normalised, and calls
 * on_rows(context, i, rows) once per image, in any order and from any thread; rows are the prediction for image i as in
 * detect/prior.h.  Each replica computes an image of its own; the last n modulo replicas images, or all without
 * replicas, run one after another on all threads. */
bool graph_cache_infer_each(struct graph_cache *, const float *pixel, int n, int h, int w,
                            void (*on_rows)(void *context, int image, const float *rows), void *context,
                            struct error *);
/* The same for one image: its rows, valid until the next run, or NULL. */
const float *graph_cache_infer(struct graph_cache *, const float *pixel, int h, int w, struct error *);
#endif
