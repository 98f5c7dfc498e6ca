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
    unsigned char *p = item == NOWHERE ? NULL : g->own ? g->own[item] : g->block + g->items[item].place;
    return (real *)(void *)p;
}

static struct view view_at(const struct graph *g, value v, const struct home *home, real *memory, int ld)
{
    const struct value_info *x = &g->values[v];
    return (struct view){ memory ? memory + home->root_pixel * ld + home->root_channel : NULL,
                          x->shape.n, x->shape.h, x->shape.w, x->shape.c, ld, &x->shape.lv };
}

static struct view view_in(const struct graph *g, value v, enum pass pass)
{
    const struct value_info *x = &g->values[v];
    if (x->param >= 0) {
        real *p = (real *)(uintptr_t)(g->param_values + g->params->list[x->param].offset);
        return (struct view){ p, x->shape.n, x->shape.h, x->shape.w, x->shape.c, x->shape.c, &x->shape.lv };
    }
    const struct value_info *root = &g->values[x->here.root];
    const int item = pass == BACKWARD && root->again != NOWHERE ? root->again : root->here.item;
    return view_at(g, v, &x->here, item_memory(g, item), root_ld(g, x->here.root));
}

struct view graph_view(const struct graph *g, value v) { return view_in(g, v, FORWARD); }

struct view graph_gradient(const struct graph *g, value v)
{
    const struct value_info *x = &g->values[v], *root = &g->values[x->gradient.root];
    if (x->param >= 0) {
        const bool wanted = x->wants_gradient && g->param_gradients;
        real *p = wanted ? g->param_gradients + g->params->list[x->param].offset : NULL;
        return (struct view){ p, x->shape.n, x->shape.h, x->shape.w, x->shape.c, x->shape.c, &x->shape.lv };
    }
    return view_at(g, v, &x->gradient, x->wants_gradient ? item_memory(g, root->gradient.item) : NULL,
                   root->shape.c);
}

value graph_output_named(const struct graph *g, const char *name)
{
    for (int i = 0; i < g->output_count; i++)
        if (strcmp(g->outputs[i].name, name) == 0)
            return g->outputs[i].v;
    return VALUE_NONE;
}

static struct lazy lazy_of(const struct graph *g, value v)
{
    const struct value_info *x = &g->values[v];
    struct lazy lazy = x->lazy;
    if (!x->pending)
        return (struct lazy){0};
    lazy.scale = g->vectors + x->vectors;
    lazy.shift = g->vectors + g->vector_count + x->vectors;
    return lazy;
}

enum { HUGE_PAGE = 1 << 21 };

static struct call make_call(const struct graph *g, int i, enum pass pass)
{
    const struct node *n = &g->nodes[i];
    struct call call = { .node = n, .scratch = g->scratch, .scratch_size = g->scratch_size, .kernels = g->kernels,
                         .team = g->team };
    for (int k = 0; k < n->in; k++) {
        call.x[k] = view_in(g, n->operand[k], pass);
        call.lx[k] = lazy_of(g, n->operand[k]);
        if (pass == BACKWARD)
            call.dx[k] = graph_gradient(g, n->operand[k]);
        call.add[k] = g->add[i * OP_IN + k];
    }
    call.y[0] = view_in(g, n->result[0], pass);
    call.ly[0] = lazy_of(g, n->result[0]);
    if (pass == BACKWARD)
        call.dy[0] = graph_gradient(g, n->result[0]);
    call.save = item_memory(g, g->save[i]);
    call.packed = item_memory(g, g->packed[i]);
    call.work = item_memory(g, g->work[pass][i]);
    call.before = n->parts ? &g->nodes[g->values[n->operand[0]].producer] : NULL;
    if (g->behind[i] != NOWHERE && g->nodes[g->behind[i]].led[pass])
        call.behind = &g->calls[pass][g->behind[i]];
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

/* One block, or an allocation an item, where address sanitizers see every overrun. */
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
    if (!mul_size(g->scratch_size, (size_t)g->team->threads, &bytes) || !add_size(bytes, HUGE_PAGE, &bytes))
        return fail(err, "out of memory: scratch for %d threads", g->team->threads);
    bytes = bytes / HUGE_PAGE * HUGE_PAGE;
    g->scratch = aligned_alloc(HUGE_PAGE, bytes);
    if (!g->scratch)
        return fail(err, "out of memory: %zu bytes of scratch", bytes);
    madvise(g->scratch, bytes, MADV_HUGEPAGE);
    return true;
}

static size_t packs_bytes(const struct graph *g, int i)
{
    const struct node *n = &g->nodes[i];
    return n->op->packed && g->packed[i] == NOWHERE ? plan_aligned(n->op->packed(n)) : 0;
}

size_t graph_packed_bytes(const struct graph *g)
{
    size_t bytes = 0;
    for (int i = 0; i < g->node_count; i++)
        bytes += packs_bytes(g, i);
    return bytes;
}

static struct packs *packs_of(struct graph *g) { return g->packs ? g->packs : &g->own_packs; }

static bool take_packs(struct graph *g, struct packs *shared, struct error *err)
{
    const size_t size = graph_packed_bytes(g);
    g->packs = shared;
    struct packs *packs = packs_of(g);
    if (!packs->memory)
        *packs = (struct packs){ aligned_alloc(PLAN_ALIGN, size + PLAN_ALIGN), size, false };
    assert(packs->size == size);                        /* the same layers */
    return packs->memory || fail(err, "out of memory: %zu bytes of packed weights", size);
}

void graph_pack(struct graph *g)
{
    struct packs *packs = packs_of(g);
    if (packs->filled)                                  /* threads that run graphs beside each other only read it */
        return;
    for (int i = 0; i < g->node_count; i++)
        if (packs_bytes(g, i))
            g->nodes[i].op->pack(&g->calls[FORWARD][i]);
    packs->filled = true;
}

/* Memory for values, and the calls, which know where those and the rest of the memory are. */
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
    unsigned char *packed = packs_of(g)->memory;
    for (int i = 0; ok && i < g->node_count; packed += packs_bytes(g, i++))
        if (packs_bytes(g, i))
            g->calls[FORWARD][i].packed = packed;
    return ok;
}

bool graph_bind(struct graph *g, const struct binding *to, struct error *err)
{
    assert(!g->calls[FORWARD]);
    g->params = to->params;
    g->param_values = to->values;
    g->param_gradients = to->gradients;
    g->team = to->team;
    g->kernels = to->kernels;
    return take_scratch(g, err) && take_packs(g, to->packs, err) && bind_values(g, to->block, err);
}

bool graph_bind_beside(struct graph *g, struct graph *other, void *block, struct error *err)
{
    static const struct team alone = { 1 };
    *g = *other;
    g->packs = packs_of(other);
    g->team = &alone;
    g->block = NULL;
    g->own = NULL;
    g->vectors = NULL;
    g->calls[FORWARD] = g->calls[BACKWARD] = NULL;
    return bind_values(g, block, err);
}

void graph_free_beside(struct graph *g)
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
    for (int i = 0; i < g->node_count; i++)
        free(g->nodes[i].name);
    free(g->nodes);
    free(g->values);
    free(g->outputs);
    free(g->add);
    free(g->items);
    free(g->save);
    free(g->packed);
    free(g->behind);
    free(g->own_packs.memory);
    free(g->work[FORWARD]);
    free(g->work[BACKWARD]);
    free(g->scratch);
    graph_free_beside(g);
}

void graph_read_from(struct graph *g, value input, const real *p)
{
    for (int i = 0; i < g->node_count; i++)
        for (int k = 0; k < g->nodes[i].in; k++) {
            const value v = g->nodes[i].operand[k];
            const struct home *home = &g->values[v].here;
            if (g->values[v].param < 0 && home->root == input)
                g->calls[FORWARD][i].x[k] = view_at(g, v, home, (real *)(uintptr_t)p, root_ld(g, input));
        }
}

/* The joined vectors of a concat of pending values. */
static void join_vectors(const struct graph *g, const struct node *n)
{
    const struct value_info *y = &g->values[n->result[0]];
    ptrdiff_t to = y->vectors;
    if (!n->op->passes_lazy || n->op->output_in_operand || !y->pending)
        return;
    for (int k = 0; k < n->in; k++) {
        const struct value_info *x = &g->values[n->operand[k]];
        const size_t bytes = (size_t)x->shape.c * sizeof(real);
        memcpy(g->vectors + to, g->vectors + x->vectors, bytes);
        memcpy(g->vectors + g->vector_count + to, g->vectors + g->vector_count + x->vectors, bytes);
        to += x->shape.c;
    }
}

/* What is not in use holds NaN in debug builds, so that reading it shows. */
static void fill_dead(const struct graph *g, int time)
{
#ifdef DEBUG_MEMORY
    for (int i = 0; i < g->item_count; i++)
        for (size_t j = 0; g->items[i].to == time && j < g->items[i].size / sizeof(real); j++)
            item_memory(g, i)[j] = (real)NAN;
#else
    (void)g, (void)time;
#endif
}

static void zero_gradients_born(const struct graph *g, int time)
{
    for (int v = 0; v < g->value_count; v++) {
        const struct value_info *x = &g->values[v];
        if (x->from_zero && x->gradient.root == v && g->items[x->gradient.item].from == time)
            memset(item_memory(g, x->gradient.item), 0, g->items[x->gradient.item].size);
    }
}

static void forward_node(struct graph *g, int i, uint64_t key)
{
    struct call *call = &g->calls[FORWARD][i];
    call->key = key ^ (uint64_t)g->nodes[i].number * UINT64_C(0x9e3779b97f4a7c15);
    if (g->packed[i] != NOWHERE)
        g->nodes[i].op->pack(call);
    if (g->nodes[i].op->forward)
        g->nodes[i].op->forward(call);
    join_vectors(g, &g->nodes[i]);
    if (g->watch)
        g->watch(g->watcher, g, i, FORWARD);
}

void graph_forward(struct graph *g, uint64_t key)
{
    double *seconds = g->seconds[FORWARD];
    assert(g->calls[FORWARD]);                          /* bound */
    graph_pack(g);
    for (int i = 0; i < g->node_count; i++) {
        const double start = seconds ? clock_seconds() : 0;
        forward_node(g, i, key);
        if (seconds)
            seconds[i] += clock_seconds() - start;
        fill_dead(g, i);
    }
    zero_gradients_born(g, g->node_count);
}

static bool finite_view(struct view v)
{
    for (ptrdiff_t i = 0; i < pixels(v); i++)
        for (int c = 0; c < v.c; c++)
            if (!isfinite(v.p[i * v.ld + c]))
                return false;
    return true;
}

const char *graph_blame(struct graph *g, uint64_t key)
{
    for (int i = 0; i < g->node_count; i++) {
        forward_node(g, i, key);
        if (!finite_view(graph_view(g, g->nodes[i].result[0])))
            return g->nodes[i].name;
    }
    return NULL;
}

/* What backward of node i is the first to read and was not kept. */
static void compute_again(const struct graph *g, int i)
{
    for (int k = 0; k < g->nodes[i].in; k++) {
        const struct value_info *x = &g->values[g->values[g->nodes[i].operand[k]].here.root];
        if (x->again == NOWHERE || g->items[x->again].from != 2 * g->node_count - i)
            continue;
        struct call call = g->calls[BACKWARD][x->producer];
        call.packed = g->calls[FORWARD][x->producer].packed;
        call.work = NULL;
        call.behind = NULL;
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
    if (g->watch)
        g->watch(g->watcher, g, i, BACKWARD);
    g->nodes[i].op->backward(call);
}

void graph_backward(struct graph *g, bool accumulate)
{
    double *seconds = g->seconds[BACKWARD];
    assert(g->calls[BACKWARD] && g->gradients);
    for (int i = g->node_count - 1; i >= 0; i--) {
        const int time = 2 * g->node_count - i;
        const double start = seconds ? clock_seconds() : 0;
        zero_gradients_born(g, time);
        compute_again(g, i);
        backward_node(g, i, accumulate);
        if (seconds)
            seconds[i] += clock_seconds() - start;
        fill_dead(g, time);
    }
}

double graph_macs(const struct graph *g)
{
    double sum = 0;
    for (int i = 0; i < g->node_count; i++)
        sum += g->nodes[i].op->macs ? g->nodes[i].op->macs(&g->nodes[i]) : 0;
    return sum;
}
