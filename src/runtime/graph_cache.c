#include "runtime/graph_cache.h"

#include "base/memory.h"
#include "model/criterion.h"
#include <stdlib.h>

bool graph_cache_init(struct graph_cache *cache, struct model *model, const struct policy *policy,
                      const struct binding *to, const struct loss_config *criterion, struct error *err)
{
    *cache = (struct graph_cache){ .model = model, .policy = policy, .to = *to, .criterion = criterion };
    cache->to.kernels = policy->kernels;
    cache->list = new_array(GRAPH_CACHE_SIZE, sizeof *cache->list, err);
    return cache->list != NULL;
}

static void drop(struct graph_cache *cache, struct cached_graph *p)
{
    for (int i = 0; p->replicas && i < cache->replicas; i++)
        graph_free_replica(&p->replicas[i]);
    free(p->replicas);
    graph_free(&p->graph);
    loss_free(&p->loss);
    *p = (struct cached_graph){0};
}

static void drop_all(struct graph_cache *cache)
{
    while (cache->count > 0)
        drop(cache, &cache->list[--cache->count]);
}

void graph_cache_free(struct graph_cache *cache)
{
    drop_all(cache);
    free(cache->list);
    block_free(cache->block, cache->block_size);
    free(cache->packed_weights.memory);
    *cache = (struct graph_cache){0};
}

static bool same_options(const struct graph_options *a, const struct graph_options *b)
{
    return a->n == b->n && a->h == b->h && a->w == b->w && a->training == b->training
        && a->input_gradient == b->input_gradient && a->detached == b->detached && a->unfused == b->unfused
        && a->separate == b->separate;
}

/* Ensures a block of `size` bytes.  A larger block replaces the old one and drops the graphs that share it. */
static bool grow_block(struct graph_cache *cache, size_t size, struct error *err)
{
    if (size <= cache->block_size)
        return true;
    drop_all(cache);
    block_free(cache->block, cache->block_size);
    cache->block_size = 0;
    cache->block = block_new(size, err);
    if (cache->block)
        cache->block_size = size;
    return cache->block != NULL;
}

/* A free entry; drops the least recently used graph if the cache is full. */
static struct cached_graph *free_entry(struct graph_cache *cache)
{
    struct cached_graph *oldest = &cache->list[0];
    if (cache->count < GRAPH_CACHE_SIZE)
        return &cache->list[cache->count++];
    for (int i = 1; i < GRAPH_CACHE_SIZE; i++)
        if (cache->list[i].used < oldest->used)
            oldest = &cache->list[i];
    drop(cache, oldest);
    return oldest;
}

/* Binds a graph and its replicas.  Replicas run concurrently, so each has its own part of the shared block. */
static bool bind_all(struct graph_cache *cache, struct cached_graph *p, struct error *err)
{
    const size_t size = p->graph.block_size;
    size_t all;
    if (!checked_mul(size, cache->replicas ? (size_t)cache->replicas : 1, &all))
        return fail(err, "the memory plan does not fit the address space");
    bool ok = grow_block(cache, all, err);
    cache->to.block = cache->block;
    cache->to.packed_weights = &cache->packed_weights;
    p->replicas = ok ? new_array((size_t)cache->replicas, sizeof *p->replicas, err) : NULL;
    ok = p->replicas && graph_bind(&p->graph, &cache->to, err);
    for (size_t i = 0; ok && i < (size_t)cache->replicas; i++)
        ok = graph_bind_replica(&p->replicas[i], &p->graph, (unsigned char *)cache->block + i * size, err);
    return ok;
}

static struct cached_graph *make(struct graph_cache *cache, const struct graph_options *o, struct error *err)
{
    struct cached_graph p = { .options = *o };
    p.options.policy = cache->policy;
    const bool ok = model_graph(cache->model, &p.options, &p.graph, err) && bind_all(cache, &p, err)
                 && criterion_grid(cache->model, o->n, o->h, o->w, &p.grid, err)
                 && (!cache->criterion
                     || loss_init(&p.loss, cache->criterion, &p.grid, cache->to.team, cache->to.kernels, err));
    if (!ok) {
        drop(cache, &p);
        return NULL;
    }
    struct cached_graph *entry = free_entry(cache);
    *entry = p;
    return entry;
}

struct cached_graph *graph_cache_find(struct graph_cache *cache, const struct graph_options *options, struct error *err)
{
    struct cached_graph *found = NULL;
    for (int i = 0; i < cache->count && !found; i++)
        if (same_options(&cache->list[i].options, options))
            found = &cache->list[i];
    if (!found)
        found = make(cache, options, err);
    if (found)
        found->used = ++cache->calls;
    return found;
}
