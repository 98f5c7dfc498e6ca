/* graph/run.c -- binding a graph to memory, and running it. */
#include "base/clock.h"
#include "base/memory.h"
#include "graph/layout.h"
#include "kernel/kernels.h"
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static real *item_memory(const struct graph *g, int item)
{
    unsigned char *p = item == ITEM_NONE ? NULL : g->own ? g->own[item] : g->block + g->items[item].offset;
    return (real *)(void *)p;
}

static struct view view_of(const struct graph *g, value v, const struct storage_alias *alias, real *memory, int ld)
{
    const struct value_info *x = &g->values[v];
    return (struct view){ memory ? memory + alias->root_pixel * ld + alias->root_channel : NULL,
                          x->shape.n, x->shape.h, x->shape.w, x->shape.c, ld, &x->shape.lv };
}

static struct view view_in(const struct graph *g, value v, enum pass pass)
{
    const struct value_info *x = &g->values[v], *root = &g->values[x->storage.root];
    const int item = pass == BACKWARD && root->recomputed != ITEM_NONE ? root->recomputed : root->storage.item;
    return view_of(g, v, &x->storage, item_memory(g, item), root_ld(g, x->storage.root));
}

struct view graph_view(const struct graph *g, value v)
{
    assert(g->values[v].param < 0);
    return view_in(g, v, FORWARD);
}

static struct const_view operand_in(const struct graph *g, value v, enum pass pass)
{
    const struct value_info *x = &g->values[v];
    if (x->param < 0)
        return read_only(view_in(g, v, pass));
    return (struct const_view){ g->param_values + g->params->list[x->param].offset, x->shape.n, x->shape.h, x->shape.w,
                                x->shape.c, x->shape.c, &x->shape.lv };
}

struct const_view graph_read(const struct graph *g, value v) { return operand_in(g, v, FORWARD); }

struct view graph_gradient(const struct graph *g, value v)
{
    const struct value_info *x = &g->values[v], *root = &g->values[x->gradient.root];
    if (x->param >= 0) {
        const bool wanted = x->wants_gradient && g->param_gradients;
        real *p = wanted ? g->param_gradients + g->params->list[x->param].offset : NULL;
        return (struct view){ p, x->shape.n, x->shape.h, x->shape.w, x->shape.c, x->shape.c, &x->shape.lv };
    }
    return view_of(g, v, &x->gradient, x->wants_gradient ? item_memory(g, root->gradient.item) : NULL,
                   root->shape.c);
}

value graph_output_named(const struct graph *g, const char *name)
{
    for (int i = 0; i < g->output_count; i++)
        if (strcmp(g->outputs[i].name, name) == 0)
            return g->outputs[i].v;
    return VALUE_NONE;
}

static struct deferred deferred_of(const struct graph *g, value v)
{
    const struct value_info *x = &g->values[v];
    struct deferred deferred = x->deferred;
    if (!x->is_deferred)
        return (struct deferred){0};
    deferred.scale = g->vectors + x->vectors;
    deferred.shift = g->vectors + g->vector_count + x->vectors;
    return deferred;
}

enum { HUGE_PAGE = 1 << 21 };

static struct call make_call(const struct graph *g, int i, enum pass pass)
{
    const struct node *n = &g->nodes[i];
    struct call call = { .node = n, .scratch = g->scratch, .scratch_size = g->scratch_size, .kernels = g->kernels,
                         .team = g->team, .ranks = g->ranks, .first_image = rank_of(g->ranks) * n->x[0].n };
    for (int k = 0; k < n->in; k++) {
        call.x[k] = operand_in(g, n->operand[k], pass);
        if (((n->op->changes | n->op->unfolds) >> k & 1) && g->param_buffers)
            call.changed[k] = g->param_buffers + g->params->list[g->values[n->operand[k]].param].offset;
        call.x_deferred[k] = deferred_of(g, n->operand[k]);
        if (pass == BACKWARD)
            call.dx[k] = graph_gradient(g, n->operand[k]);
        call.add[k] = g->add[i * OP_IN + k];
    }
    call.y[0] = view_in(g, n->result[0], pass);
    call.y_deferred[0] = deferred_of(g, n->result[0]);
    if (n->op->makes_deferred) {
        call.y_scale = g->vectors + g->values[n->result[0]].vectors;
        call.y_shift = call.y_scale + g->vector_count;
    }
    if (pass == BACKWARD)
        call.dy[0] = graph_gradient(g, n->result[0]);
    call.save = item_memory(g, g->save[i]);
    call.packed = item_memory(g, g->packed[i]);
    call.work = item_memory(g, g->work[pass][i]);
    call.producer = n->blocks ? &g->nodes[g->values[n->operand[0]].producer] : NULL;
    if (g->fused_norm[i] != NODE_NONE && g->nodes[g->fused_norm[i]].fused[pass])
        call.fused_norm = &g->calls[pass][g->fused_norm[i]];
    return call;
}

void *block_new(size_t size, struct error *err)
{
    void *block = mmap(NULL, size + 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED) {
        fail(err, "out of memory: %zu bytes for the network's values", size);
        return NULL;
    }
    madvise(block, size + 1, MADV_HUGEPAGE);
    return block;
}

void block_free(void *block, size_t size)
{
    if (block)
        munmap(block, size + 1);
}

/* One block, or one allocation per item, so that address sanitizers detect every overrun. */
static bool take_memory(struct graph *g, void *block, struct error *err)
{
#ifdef DEBUG_MEMORY
    g->separate = true;
#endif
    if (g->separate) {
        g->own = new_array((size_t)g->item_count, sizeof *g->own, err);
        bool ok = g->own != NULL;
        for (int i = 0; ok && i < g->item_count; i++) {
            const size_t bytes = plan_aligned(g->items[i].size);
            ok = (g->own[i] = aligned_alloc(PLAN_ALIGN, bytes)) != NULL
              || fail(err, "out of memory: %zu bytes for a value of the network", bytes);
        }
        return ok;
    }
    g->borrowed = block != NULL;
    g->block = block ? block : block_new(g->block_size, err);
    return g->block != NULL;
}

static bool take_scratch(struct graph *g, struct error *err)
{
    size_t bytes = 0;
    g->scratch_size = 0;
    for (int i = 0; i < g->node_count; i++)
        for (int pass = FORWARD; pass <= BACKWARD; pass++)
            if (g->nodes[i].op->scratch && (pass == FORWARD || runs_backward(g, i))) {
                const size_t need = g->nodes[i].op->scratch(&g->nodes[i], (enum pass)pass);
                g->scratch_size = need > g->scratch_size ? need : g->scratch_size;
            }
    g->scratch_size = plan_aligned(g->scratch_size + 1);
    if (!checked_mul(g->scratch_size, (size_t)g->team->threads, &bytes) || !checked_add(bytes, HUGE_PAGE, &bytes))
        return fail(err, "out of memory: scratch for %d threads", g->team->threads);
    bytes = bytes / HUGE_PAGE * HUGE_PAGE;
    g->scratch = aligned_alloc(HUGE_PAGE, bytes);
    if (!g->scratch)
        return fail(err, "out of memory: %zu bytes of scratch", bytes);
    madvise(g->scratch, bytes, MADV_HUGEPAGE);
    return true;
}

static size_t packed_bytes(const struct graph *g, int i)
{
    const struct node *n = &g->nodes[i];
    return n->op->packed && g->packed[i] == ITEM_NONE ? plan_aligned(n->op->packed(n)) : 0;
}

size_t graph_packed_bytes(const struct graph *g)
{
    size_t bytes = 0;
    for (int i = 0; i < g->node_count; i++)
        bytes += packed_bytes(g, i);
    return bytes;
}

static struct packed_weights *packed_weights_of(struct graph *g)
{
    return g->packed_weights ? g->packed_weights : &g->own_packed_weights;
}

static bool take_packed_weights(struct graph *g, struct packed_weights *shared, struct error *err)
{
    const size_t size = graph_packed_bytes(g);
    g->packed_weights = shared;
    struct packed_weights *packed = packed_weights_of(g);
    if (!packed->memory)
        *packed = (struct packed_weights){ aligned_alloc(PLAN_ALIGN, size + PLAN_ALIGN), size, false };
    assert(packed->size == size);                        /* the same layers */
    return packed->memory || fail(err, "out of memory: %zu bytes of packed weights", size);
}

void graph_pack(struct graph *g)
{
    struct packed_weights *packed = packed_weights_of(g);
    if (packed->filled)                                  /* replicas only read packed weights */
        return;
    for (int i = 0; i < g->node_count; i++)
        if (packed_bytes(g, i))
            g->nodes[i].op->pack(&g->calls[FORWARD][i]);
    packed->filled = true;
}

/* Allocates memory for values and prepares the calls of all nodes. */
static bool bind_values(struct graph *g, void *block, struct error *err)
{
    g->vectors = new_array(2 * (size_t)g->vector_count, sizeof *g->vectors, err);
    bool ok = g->vectors && take_memory(g, block, err);
    for (int pass = FORWARD; ok && pass <= BACKWARD; pass++) {
        g->calls[pass] = new_array((size_t)g->node_count, sizeof *g->calls[pass], err);
        ok = g->calls[pass] != NULL;
        for (int i = 0; ok && i < g->node_count; i++)
            g->calls[pass][i] = make_call(g, i, (enum pass)pass);
    }
    unsigned char *packed = packed_weights_of(g)->memory;
    for (int i = 0; ok && i < g->node_count; packed += packed_bytes(g, i++))
        if (packed_bytes(g, i))
            g->calls[FORWARD][i].packed = packed;
    return ok;
}

bool graph_bind(struct graph *g, const struct binding *to, struct error *err)
{
    assert(!g->calls[FORWARD]);
    g->params = to->params;
    g->param_values = to->values;
    g->param_buffers = to->buffers;
    g->param_gradients = to->gradients;
    g->team = to->team;
    g->ranks = to->gradients ? to->ranks : NULL;
    g->kernels = to->kernels;
    return take_scratch(g, err) && take_packed_weights(g, to->packed_weights, err) && bind_values(g, to->block, err)
        && gradient_sums_init(&g->sums, g, g->ranks, to->exchange_bf16, err);
}

bool graph_bind_replica(struct graph *g, struct graph *other, void *block, struct error *err)
{
    static const struct team alone = { 1 };
    *g = *other;
    g->packed_weights = packed_weights_of(other);
    g->team = &alone;
    g->block = NULL;
    g->own = NULL;
    g->vectors = NULL;
    g->calls[FORWARD] = g->calls[BACKWARD] = NULL;
    return bind_values(g, block, err);
}

void graph_free_replica(struct graph *g)
{
    for (int i = 0; g->own && i < g->item_count; i++)
        free(g->own[i]);
    if (!g->borrowed)
        block_free(g->block, g->block_size);
    free(g->own);
    free(g->vectors);
    free(g->calls[FORWARD]);
    free(g->calls[BACKWARD]);
    *g = (struct graph){0};
}

void graph_free(struct graph *g)
{
    for (int i = 0; i < g->node_count; i++) {
        free(g->nodes[i].attr);
        free(g->nodes[i].name);
    }
    free(g->nodes);
    free(g->values);
    free(g->outputs);
    free(g->add);
    free(g->items);
    free(g->save);
    free(g->packed);
    free(g->fused_norm);
    free(g->own_packed_weights.memory);
    free(g->work[FORWARD]);
    free(g->work[BACKWARD]);
    free(g->scratch);
    gradient_sums_free(&g->sums);
    graph_free_replica(g);
}

void graph_bind_input(struct graph *g, value input, const real *p)
{
    for (int i = 0; i < g->node_count; i++)
        for (int k = 0; k < g->nodes[i].in; k++) {
            const value v = g->nodes[i].operand[k];
            const struct storage_alias *alias = &g->values[v].storage;
            struct const_view *x = &g->calls[FORWARD][i].x[k];
            if (g->values[v].param < 0 && alias->root == input)
                x->p = p + alias->root_pixel * x->ld + alias->root_channel;
        }
}

/* Joins the vectors of a concat of deferred values. */
static void join_vectors(const struct graph *g, const struct node *n)
{
    const struct value_info *y = &g->values[n->result[0]];
    ptrdiff_t to = y->vectors;
    if (!n->op->passes_deferred || n->op->output_in_operand || !y->is_deferred)
        return;
    for (int k = 0; k < n->in; k++) {
        const struct value_info *x = &g->values[n->operand[k]];
        const size_t bytes = (size_t)x->shape.c * sizeof(real);
        memcpy(g->vectors + to, g->vectors + x->vectors, bytes);
        memcpy(g->vectors + g->vector_count + to, g->vectors + g->vector_count + x->vectors, bytes);
        to += x->shape.c;
    }
}

/* Fills memory that is no longer in use with NaN in debug builds, to expose reads. */
static void poison_dead_items(const struct graph *g, int time)
{
#ifdef DEBUG_MEMORY
    for (int i = 0; i < g->item_count; i++)
        for (size_t j = 0; g->items[i].to == time && j < g->items[i].size / sizeof(real); j++)
            item_memory(g, i)[j] = (real)NAN;
#else
    (void)g, (void)time;
#endif
}

static void zero_new_gradients(const struct graph *g, int time)
{
    for (int v = 0; v < g->value_count; v++) {
        const struct value_info *x = &g->values[v];
        if (x->zero_init && x->gradient.root == v && g->items[x->gradient.item].from == time)
            memset(item_memory(g, x->gradient.item), 0, g->items[x->gradient.item].size);
    }
}

static void forward_node(struct graph *g, int i, uint64_t key)
{
    struct call *call = &g->calls[FORWARD][i];
    call->key = key ^ (uint64_t)g->nodes[i].number * UINT64_C(0x9e3779b97f4a7c15);
    if (g->packed[i] != ITEM_NONE)
        g->nodes[i].op->pack(call);
    if (g->nodes[i].op->forward)
        g->nodes[i].op->forward(call);
    join_vectors(g, &g->nodes[i]);
    if (g->on_node)
        g->on_node(g->on_node_data, g, i, FORWARD);
}

struct forward_run { struct graph *g; uint64_t key; };

static void run_forward(void *context)
{
    const struct forward_run *run = context;
    struct graph *g = run->g;
    double *seconds = g->seconds[FORWARD];
    for (int i = 0; i < g->node_count; i++) {
        const double start = seconds ? clock_seconds() : 0;
        forward_node(g, i, run->key);
        if (seconds)
            seconds[i] += clock_seconds() - start;
        poison_dead_items(g, i);
    }
    zero_new_gradients(g, g->node_count);
}

void graph_forward(struct graph *g, uint64_t key)
{
    assert(g->calls[FORWARD]);                          /* bound */
    graph_pack(g);
    team_run(g->team, run_forward, &(struct forward_run){ g, key });
}

static bool finite_view(struct view v)
{
    for (ptrdiff_t i = 0; i < pixels(v); i++)
        for (int c = 0; c < v.c; c++)
            if (!isfinite(v.p[i * v.ld + c]))
                return false;
    return true;
}

const char *graph_find_nonfinite(struct graph *g, uint64_t key)
{
    const char *name = NULL;
    for (int i = 0; i < g->node_count; i++) {           /* all nodes, since other processes run them, too */
        forward_node(g, i, key);
        if (!name && !finite_view(graph_view(g, g->nodes[i].result[0])))
            name = g->nodes[i].name;
    }
    return name;
}

/* Recomputes the values that backward of node i is the first to read. */
static void recompute_values(const struct graph *g, int i)
{
    for (int k = 0; k < g->nodes[i].in; k++) {
        const struct value_info *x = &g->values[g->values[g->nodes[i].operand[k]].storage.root];
        if (x->recomputed == ITEM_NONE || g->items[x->recomputed].from != 2 * g->node_count - i)
            continue;
        struct call call = g->calls[BACKWARD][x->producer];
        call.packed = g->calls[FORWARD][x->producer].packed;
        call.work = NULL;
        call.fused_norm = NULL;
        g->nodes[x->producer].op->forward(&call);
    }
}

static void backward_node(struct graph *g, int i, bool accumulate)
{
    struct call *call = &g->calls[BACKWARD][i];
    if (!runs_backward(g, i))
        return;
    for (int k = 0; k < g->nodes[i].in; k++)
        if (g->values[g->nodes[i].operand[k]].param >= 0)
            call->add[k] = accumulate || g->add[i * OP_IN + k];
    call->key = g->calls[FORWARD][i].key;
    if (g->on_node)
        g->on_node(g->on_node_data, g, i, BACKWARD);
    gradient_sums_before(&g->sums, g, i, call);
    g->nodes[i].op->backward(call);
    gradient_sums_after(&g->sums, g);
}

struct backward_run { struct graph *g; bool accumulate; };

static void run_backward(void *context)
{
    const struct backward_run *run = context;
    struct graph *g = run->g;
    double *seconds = g->seconds[BACKWARD];
    for (int i = g->node_count - 1; i >= 0; i--) {
        const int time = 2 * g->node_count - i;
        const double start = seconds ? clock_seconds() : 0;
        zero_new_gradients(g, time);
        recompute_values(g, i);
        backward_node(g, i, run->accumulate);
        if (seconds)
            seconds[i] += clock_seconds() - start;
        poison_dead_items(g, time);
    }
    gradient_sums_end(&g->sums, g);
}

void graph_backward(struct graph *g, bool accumulate)
{
    assert(g->calls[BACKWARD] && g->gradients);
    team_run(g->team, run_backward, &(struct backward_run){ g, accumulate });
}

double graph_macs(const struct graph *g)
{
    double sum = 0;
    for (int i = 0; i < g->node_count; i++)
        sum += g->nodes[i].op->macs ? g->nodes[i].op->macs(&g->nodes[i]) : 0;
    return sum;
}
