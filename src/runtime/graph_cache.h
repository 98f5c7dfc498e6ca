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

struct graph_cache {
    struct model *model;                /* borrowed, as are the policy and the targets of `to` */
    const struct policy *policy;
    struct binding to;
    const struct loss_config *criterion;        /* NULL: graphs without loss */
    int replicas;                         /* replicas per graph, one per thread; set before the first call, or 0 */
    struct cached_graph *list; int count;
    void *block; size_t block_size;
    struct packed_weights packed_weights;
    long calls;
};

/* The binding's kernels are the policy's. */
bool graph_cache_init(struct graph_cache *, struct model *, const struct policy *, const struct binding *,
                      const struct loss_config *, struct error *);
void graph_cache_free(struct graph_cache *);

/* The graph with these options, built if it is not cached; valid until the next call.  NULL and an error on failure. */
struct cached_graph *graph_cache_find(struct graph_cache *, const struct graph_options *, struct error *);
#endif
