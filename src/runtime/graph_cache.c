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

void shared_block_free(struct shared_block *block)
{
    block_free(block->memory, block->size);
    *block = (struct shared_block){0};
}

static struct shared_block *block_of(struct graph_cache *cache) { return cache->shared ? cache->shared : &cache->own; }

void graph_cache_free(struct graph_cache *cache)
{
    drop_all(cache);
    free(cache->list);
    shared_block_free(&cache->own);
    free(cache->packed_weights.memory);
    *cache = (struct graph_cache){0};
}

static bool same_options(const struct graph_options *a, const struct graph_options *b)
{
    return a->n == b->n && a->h == b->h && a->w == b->w && a->training == b->training
        && a->unfolding == b->unfolding && a->input_gradient == b->input_gradient && a->detached == b->detached
        && a->unfused == b->unfused && a->separate == b->separate;
}

/* Drops the graphs that are bound to a former block. */
static void drop_unbound(struct graph_cache *cache)
{
    const size_t size = block_of(cache)->size;
    if (cache->bound_size != size)
        drop_all(cache);
    cache->bound_size = size;
}

/* Ensures a block of `size` bytes.  A larger block replaces the old one and drops the graphs that share it. */
static bool grow_block(struct graph_cache *cache, size_t size, struct error *err)
{
    struct shared_block *block = block_of(cache);
    if (size > block->size) {
        shared_block_free(block);
        block->memory = block_new(size, err);
        block->size = block->memory ? size : 0;
    }
    drop_unbound(cache);
    return block->memory || size == 0;
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
    cache->to.block = block_of(cache)->memory;
    cache->to.packed_weights = &cache->packed_weights;
    p->replicas = ok ? new_array((size_t)cache->replicas, sizeof *p->replicas, err) : NULL;
    ok = p->replicas && graph_bind(&p->graph, &cache->to, err);
    for (size_t i = 0; ok && i < (size_t)cache->replicas; i++)
        ok = graph_bind_replica(&p->replicas[i], &p->graph, (unsigned char *)block_of(cache)->memory + i * size, err);
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
    p.loss.ranks = cache->to.ranks;
    struct cached_graph *entry = free_entry(cache);
    *entry = p;
    return entry;
}

struct cached_graph *graph_cache_find(struct graph_cache *cache, const struct graph_options *options, struct error *err)
{
    struct cached_graph *found = NULL;
    drop_unbound(cache);
    for (int i = 0; i < cache->count && !found; i++)
        if (same_options(&cache->list[i].options, options))
            found = &cache->list[i];
    if (!found)
        found = make(cache, options, err);
    if (found)
        found->used = ++cache->calls;
    return found;
}

/* ---- inference ---- */

static const float *forward(struct graph *g, const float *pixel)
{
    graph_bind_input(g, MODEL_INPUT, pixel);
    graph_forward(g, 0);
    return graph_view(g, graph_output_named(g, "main")).p;
}

struct cached_graph *graph_cache_find_single(struct graph_cache *cache, int h, int w, struct error *err)
{
    return graph_cache_find(cache, &(struct graph_options){ .n = 1, .h = h, .w = w }, err);
}

const float *graph_cache_infer(struct graph_cache *cache, const float *pixel, int h, int w, struct error *err)
{
    struct cached_graph *p = graph_cache_find_single(cache, h, w, err);
    return p ? forward(&p->graph, pixel) : NULL;
}

struct infer_job {
    struct cached_graph *cached;
    const float *pixel;
    void (*on_rows)(void *context, int image, const float *rows);
    void *context;
};

static void infer_image(const struct infer_job *k, struct graph *g, int i)
{
    const struct graph_options *o = &k->cached->options;
    k->on_rows(k->context, i, forward(g, k->pixel + (ptrdiff_t)i * o->h * o->w * 3));
}

static void infer_on_replica(const void *job, int i)
{
    const struct infer_job *k = job;
    infer_image(k, &k->cached->replicas[team_thread()], i);
}

bool graph_cache_infer_each(struct graph_cache *cache, const float *pixel, int n, int h, int w,
                            void (*on_rows)(void *context, int image, const float *rows), void *context,
                            struct error *err)
{
    const struct infer_job job = { graph_cache_find_single(cache, h, w, err), pixel, on_rows, context };
    const int concurrent = cache->replicas ? n - n % cache->replicas : 0;
    if (!job.cached)
        return false;
    graph_pack(&job.cached->graph);
    team_for(cache->to.team, concurrent, infer_on_replica, &job);
    for (int i = concurrent; i < n; i++)
        infer_image(&job, &job.cached->graph, i);
    return true;
}
