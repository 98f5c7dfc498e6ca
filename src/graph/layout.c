#include "graph/layout.h"

#include "base/memory.h"
#include <assert.h>
#include <limits.h>
#include <stdlib.h>

static struct value_info *operand(const struct graph *g, int node, int k)
{
    return &g->values[g->nodes[node].operand[k]];
}

static struct value_info *output(const struct graph *g, int node) { return &g->values[g->nodes[node].result[0]]; }

bool runs_backward(const struct graph *g, int node)
{
    return g->gradients && g->nodes[node].op->backward && output(g, node)->wants_gradient;
}

static bool same_place(const struct storage_alias *a, const struct storage_alias *b)
{
    return a->root == b->root && a->root_channel == b->root_channel && a->root_pixel == b->root_pixel;
}

static ptrdiff_t pixels_of(struct shape s) { return (ptrdiff_t)s.n * s.h * s.w; }

/* A gradient is computed only if a trained parameter, or an input, lies upstream and an output downstream. */
static bool want_gradients(struct graph *g, struct params *params, struct error *err)
{
    bool *reached = new_array((size_t)g->value_count, sizeof *reached, err);
    if (!reached)
        return false;
    for (int i = 0; i < g->value_count; i++) {
        const int p = g->values[i].param;
        g->values[i].wants_gradient = g->gradients == GRADIENTS_PARAMS ? p >= 0 && params->list[p].kind == PARAM_TRAINED
                                    : g->gradients == GRADIENTS_INPUTS && p < 0 && g->values[i].producer < 0;
    }
    for (int i = 0; i < g->node_count; i++)
        for (int k = 0; k < g->nodes[i].in; k++)
            if (operand(g, i, k)->wants_gradient && g->nodes[i].op->backward)
                output(g, i)->wants_gradient = true;
    for (int i = 0; i < g->value_count; i++)
        reached[i] = g->values[i].is_output;
    for (int i = g->node_count - 1; i >= 0; i--)
        for (int k = 0; k < g->nodes[i].in; k++)
            if (reached[g->nodes[i].result[0]] && g->nodes[i].op->backward)
                reached[g->nodes[i].operand[k]] = true;
    for (int i = 0; i < g->value_count; i++) {
        struct value_info *v = &g->values[i];
        v->wants_gradient = v->wants_gradient && reached[i];
        if (v->param >= 0 && v->wants_gradient)
            params->list[v->param].used = true;
    }
    free(reached);
    return true;
}

/* The root of v if v covers it entirely, so that the memory can be moved as a whole; else VALUE_NONE. */
static value movable_root(const struct graph *g, value v)
{
    for (;;) {
        const struct value_info *x = &g->values[v];
        if (x->storage.parent == VALUE_NONE)
            return v;
        const struct shape outer = g->values[x->storage.parent].shape;
        if (x->storage.channel || x->storage.pixel || outer.c != x->shape.c || pixels_of(outer) != pixels_of(x->shape))
            return VALUE_NONE;
        v = x->storage.parent;
    }
}

static void alias_in_output(struct graph *g, int i, int k)
{
    const struct node *n = &g->nodes[i];
    struct tensor_slice slice = {0};
    if (!n->op->operand_in_output || !n->op->operand_in_output(n, k, &slice))
        return;
    struct value_info *x = operand(g, i, k);
    const value top = x->param >= 0 ? VALUE_NONE : movable_root(g, n->operand[k]);
    if (top != VALUE_NONE && g->values[top].producer >= 0 && !g->values[top].is_output) {
        g->values[top].storage.parent = n->result[0];
        g->values[top].storage.channel = slice.channel;
        g->values[top].storage.pixel = slice.pixel;
    }
    if (x->gradient.parent == VALUE_NONE && x->wants_gradient && output(g, i)->wants_gradient && !x->is_output
        && x->param < 0) {
        x->gradient.parent = n->result[0];
        x->gradient.channel = slice.channel;
        x->gradient.pixel = slice.pixel;
    }
}

/* Finds the parent of each value and gradient. */
static void find_aliases(struct graph *g)
{
    for (int i = 0; i < g->node_count; i++) {
        const struct node *n = &g->nodes[i];
        struct value_info *x = operand(g, i, 0), *y = output(g, i);
        struct tensor_slice slice = {0};
        if (n->op->makes_deferred) {
            y->storage.parent = n->operand[0];
            if (x->consumers == 1 && !x->is_output)
                x->gradient.parent = n->result[0];      /* backward writes dx over dy */
        } else if (n->op->output_in_operand && n->op->output_in_operand(n, &slice)) {
            y->storage.parent = y->gradient.parent = n->operand[0];
            y->storage.channel = y->gradient.channel = slice.channel;
            y->storage.pixel = y->gradient.pixel = slice.pixel;
            if (!n->op->backward)                       /* detached */
                y->gradient.parent = VALUE_NONE;
        } else if (n->op == &op_materialise && !x->is_output && x->gradient.parent == VALUE_NONE && y->wants_gradient)
            x->gradient.parent = n->result[0];          /* both are the gradient of the same value */
        for (int k = 0; k < n->in; k++)
            alias_in_output(g, i, k);
    }
}

/* Invariant 2 of graph.h. */
static void resolve_alias(const struct graph *g, value v, struct storage_alias *alias, bool gradient)
{
    ptrdiff_t pixel = 0;
    int channel = 0;
    value root = v;
    for (;;) {
        const struct storage_alias *at = gradient ? &g->values[root].gradient : &g->values[root].storage;
        if (at->parent == VALUE_NONE)
            break;
        channel += at->channel;
        pixel += at->pixel;
        root = at->parent;
    }
    alias->root = root;
    alias->root_channel = channel;
    alias->root_pixel = pixel;
    assert(channel + g->values[v].shape.c <= g->values[root].shape.c
           && pixel + pixels_of(g->values[v].shape) <= pixels_of(g->values[root].shape));
}

/* A rectangle (pixels x channels) of a root's gradient that has been written. */
struct written_area { value root; ptrdiff_t from, to; int low, high; };

struct written_areas { struct written_area *list; int count, capacity; };

static struct written_area area_of(const struct graph *g, value v)
{
    const struct value_info *x = &g->values[v];
    const struct storage_alias *a = &x->gradient;
    return (struct written_area){ a->root, a->root_pixel, a->root_pixel + pixels_of(x->shape),
                                  a->root_channel, a->root_channel + x->shape.c };
}

static double area(struct written_area p) { return (double)(p.to - p.from) * (p.high - p.low); }

/* Area of p that the disjoint rectangles in the list cover. */
static double covered_area(const struct written_areas *written, struct written_area p)
{
    double sum = 0;
    for (int i = 0; i < written->count; i++) {
        const struct written_area q = written->list[i];
        const struct written_area both = { p.root, p.from > q.from ? p.from : q.from, p.to < q.to ? p.to : q.to,
                                           p.low > q.low ? p.low : q.low, p.high < q.high ? p.high : q.high };
        if (q.root == p.root && both.from < both.to && both.low < both.high)
            sum += area(both);
    }
    return sum;
}

/* Records that p is written; *add: it has been written before. */
static bool run_log_write(struct graph *g, struct written_areas *written, struct written_area p, bool *add,
                          struct error *err)
{
    const double have = covered_area(written, p);
    *add = have > 0;
    if (have > 0 && have < area(p))
        g->values[p.root].zero_init = true;             /* the unwritten rest need not be recorded */
    if (have > 0)
        return true;
    if (!grow_array(&written->list, written->count, &written->capacity, sizeof *written->list, err))
        return false;
    written->list[written->count++] = p;
    return true;
}

/* True if backward of node i writes the gradient of operand k.  It does not if the two gradients alias: the slot of a
 * concat, the whole of a split, or the same memory. */
static bool writes_gradient(const struct graph *g, int i, int k)
{
    const struct node *n = &g->nodes[i];
    const struct value_info *x = operand(g, i, k);
    struct storage_alias inner = x->gradient, outer = output(g, i)->gradient;
    struct tensor_slice slice = {0};
    if (n->op->operand_in_output && n->op->operand_in_output(n, k, &slice)) {
        outer.root_channel += slice.channel;
        outer.root_pixel += slice.pixel;
    } else if (n->op->output_in_operand && n->op->output_in_operand(n, &slice)) {
        inner.root_channel += slice.channel;
        inner.root_pixel += slice.pixel;
    }
    return x->wants_gradient && !same_place(&inner, &outer);
}

static bool find_writers(struct graph *g, struct error *err)
{
    struct written_areas written = {0};
    bool ok = true, set;
    for (int i = 0; ok && i < g->output_count; i++)
        if (g->values[g->outputs[i].v].wants_gradient)
            ok = run_log_write(g, &written, area_of(g, g->outputs[i].v), &set, err);
    for (int i = g->node_count - 1; ok && i >= 0; i--) {
        if (!runs_backward(g, i))
            continue;
        const struct written_area dy = area_of(g, g->nodes[i].result[0]);
        if (covered_area(&written, dy) < area(dy))
            g->values[dy.root].zero_init = true;
        for (int k = 0; ok && k < g->nodes[i].in; k++)
            if (writes_gradient(g, i, k))
                ok = run_log_write(g, &written, area_of(g, g->nodes[i].operand[k]), &g->add[i * OP_IN + k], err);
    }
    for (int i = 0; ok && i < g->node_count; i++)
        for (int k = 0; k < g->nodes[i].in; k++) {
            const struct value_info *x = operand(g, i, k);
            if (writes_gradient(g, i, k) && g->values[x->gradient.root].zero_init)
                g->add[i * OP_IN + k] = true;
        }
    free(written.list);
    return ok;
}

static void add_item(struct graph *g, size_t bytes, int *item)
{
    g->items[g->item_count] = (struct item){ .size = bytes, .from = INT_MAX, .to = INT_MIN };
    *item = g->item_count++;
}

static void use(struct graph *g, int item, int time)
{
    if (item == ITEM_NONE)
        return;
    if (time < g->items[item].from)
        g->items[item].from = time;
    if (time > g->items[item].to)
        g->items[item].to = time;
}

int root_ld(const struct graph *g, value root)
{
    enum { LINE = PLAN_ALIGN / sizeof(real) };
    const struct value_info *x = &g->values[root];
    const bool gaps = g->gradients == GRADIENTS_NONE && x->producer >= 0 && !x->is_output && x->shape.c > LINE;
    return gaps ? (x->shape.c + LINE - 1) / LINE * LINE : x->shape.c;
}

static size_t bytes_of(const struct graph *g, value root)
{
    return (size_t)pixels_of(g->values[root].shape) * (size_t)root_ld(g, root) * sizeof(real);
}

enum { RECOMPUTE_MACS = 3 * 3 * 3 };                  /* per element: as many as a first layer's */

/* v can be recomputed from an operand that is kept, at no more than RECOMPUTE_MACS per element, and no other value than
 * its deferred form aliases it. */
static bool cheap_to_recompute(const struct graph *g, value v)
{
    const struct value_info *x = &g->values[v];
    const struct node *n = x->producer < 0 ? NULL : &g->nodes[x->producer];
    if (!n || !n->op->macs || n->op->save || n->op->draws || x->storage.root != v || x->is_output
        || !runs_backward(g, x->producer) || !(n->op->bwd_reads_x & 1) || n->op->bwd_reads_y
        || (n->op->work && n->op->work(n, FORWARD))
        || g->values[operand(g, x->producer, 0)->storage.root].recomputed != ITEM_NONE)
        return false;
    for (int i = 0; i < g->value_count; i++)
        if (i != v && g->values[i].storage.root == v && !g->nodes[g->values[i].producer].op->makes_deferred)
            return false;
    return n->op->macs(n) <= RECOMPUTE_MACS * (double)pixels_of(x->shape) * x->shape.c;
}

/* Only training keeps values for backward. */
static void choose_recomputed(struct graph *g)
{
    for (int v = 0; g->gradients == GRADIENTS_PARAMS && !g->separate && v < g->value_count; v++)
        if (cheap_to_recompute(g, v))
            add_item(g, bytes_of(g, v), &g->values[v].recomputed);
}

/* Fuses norms with their producers.  A norm that is not fused uses the same blocks, so its sums are the same. */
static void fuse_norms(struct graph *g)
{
    for (int i = 0; i < g->node_count; i++)
        g->fused_norm[i] = NODE_NONE;
    for (int i = 0; i < g->node_count; i++) {
        struct node *norm = &g->nodes[i];
        const struct value_info *x = operand(g, i, 0);
        const struct node *before = x->producer < 0 ? NULL : &g->nodes[x->producer];
        if (g->gradients != GRADIENTS_PARAMS || !norm->op->fusible || !before || !before->op->fuses)
            continue;
        if (norm->op->fusible->needs_moments(norm))
            norm->blocks = before->op->fuses->blocks(before, before->parts);
        if (g->unfused || x->consumers > 1 || x->is_output)
            continue;
        norm->fused[FORWARD] = norm->blocks > 0;
        norm->fused[BACKWARD] = before->op->fuses->reads_dy_once(before, operand(g, x->producer, 0)->wants_gradient);
        if (norm->fused[FORWARD] || norm->fused[BACKWARD])
            g->fused_norm[x->producer] = i;
    }
}

/* True if node i packs its parameters once: all operands but the first are parameters, and they are not trained. */
static bool packed_once(const struct graph *g, int i)
{
    for (int k = 1; k < g->nodes[i].in; k++)
        if (operand(g, i, k)->param < 0)
            return false;
    return g->gradients != GRADIENTS_PARAMS;
}

static void make_items(struct graph *g)
{
    for (int v = 0; v < g->value_count; v++) {
        struct value_info *x = &g->values[v];
        if (x->param < 0 && x->storage.root == v)
            add_item(g, bytes_of(g, v), &x->storage.item);
        if (x->param < 0 && x->wants_gradient && x->gradient.root == v)
            add_item(g, bytes_of(g, v), &x->gradient.item);
    }
    for (int i = 0; i < g->node_count; i++) {
        const struct node *n = &g->nodes[i];
        g->save[i] = g->packed[i] = g->work[FORWARD][i] = g->work[BACKWARD][i] = ITEM_NONE;
        if (n->op->save && n->op->save(n) && (!n->op->saves_for_backward || runs_backward(g, i)))
            add_item(g, n->op->save(n), &g->save[i]);
        if (n->op->packed && n->op->packed(n) && !packed_once(g, i))
            add_item(g, n->op->packed(n), &g->packed[i]);
        for (int pass = FORWARD; pass <= BACKWARD; pass++)
            if (n->op->work && n->op->work(n, (enum pass)pass) && (pass == FORWARD || runs_backward(g, i)))
                add_item(g, n->op->work(n, (enum pass)pass), &g->work[pass][i]);
    }
}

static void use_value(struct graph *g, value v, int time)
{
    const struct value_info *root = &g->values[g->values[v].storage.root];
    use(g, time > g->node_count && root->recomputed != ITEM_NONE ? root->recomputed : root->storage.item, time);
}

static void use_gradient(struct graph *g, value v, int time)
{
    if (g->values[v].wants_gradient)
        use(g, g->values[g->values[v].gradient.root].gradient.item, time);
}

/* Uses of the norm's memory by node i, its fused producer. */
static void use_fused_norm(struct graph *g, int i)
{
    const int norm = g->fused_norm[i], back = 2 * g->node_count - i;
    if (norm != NODE_NONE && g->nodes[norm].fused[FORWARD])
        use(g, g->work[FORWARD][norm], i);
    if (norm == NODE_NONE || !g->nodes[norm].fused[BACKWARD] || !runs_backward(g, i))
        return;
    use(g, g->save[norm], back);
    use(g, g->work[BACKWARD][norm], back);
    use_value(g, g->nodes[i].result[0], back);
}

static void find_lifetimes(struct graph *g)
{
    const int loss = g->node_count;
    for (int i = 0; i < g->node_count; i++) {
        const struct node *n = &g->nodes[i];
        const int back = 2 * loss - i;
        const bool runs = runs_backward(g, i);
        use(g, g->save[i], i);
        use(g, g->packed[i], i);
        use(g, g->work[FORWARD][i], i);
        use_value(g, n->result[0], i);
        use_fused_norm(g, i);
        for (int k = 0; k < n->in; k++) {
            use_value(g, n->operand[k], i);
            if (runs && (n->op->bwd_reads_x >> k & 1))
                use_value(g, n->operand[k], back);
            if (runs)
                use_gradient(g, n->operand[k], back);
        }
        if (!runs)
            continue;
        use(g, g->save[i], back);
        use(g, g->work[BACKWARD][i], back);
        use_gradient(g, n->result[0], back);
        if (n->op->bwd_reads_y & 1)
            use_value(g, n->result[0], back);
    }
    for (int v = 0; v < g->value_count; v++)
        if (g->values[v].producer < 0 && g->values[v].param < 0) {
            use_value(g, v, 0);                         /* an input is written before the first node runs */
            use_gradient(g, v, 2 * loss + 1);           /* and its gradient is read after the last */
        }
    for (int v = 0; v < g->value_count; v++)
        if (g->values[v].recomputed != ITEM_NONE)
            use(g, g->packed[g->values[v].producer], g->items[g->values[v].recomputed].from);
    for (int i = 0; i < g->output_count; i++) {
        use_value(g, g->outputs[i].v, loss);
        use_gradient(g, g->outputs[i].v, loss);
    }
}

bool layout(struct graph *g, struct params *params, struct error *err)
{
    const size_t nodes = (size_t)g->node_count, items = 3 * (size_t)g->value_count + 4 * nodes;
    g->add = new_array(nodes * OP_IN, sizeof *g->add, err);
    g->items = new_array(items, sizeof *g->items, err);
    g->save = new_array(nodes, sizeof *g->save, err);
    g->packed = new_array(nodes, sizeof *g->packed, err);
    g->fused_norm = new_array(nodes, sizeof *g->fused_norm, err);
    g->work[FORWARD] = new_array(nodes, sizeof *g->save, err);
    g->work[BACKWARD] = new_array(nodes, sizeof *g->save, err);
    if (!g->add || !g->items || !g->save || !g->packed || !g->fused_norm || !g->work[FORWARD] || !g->work[BACKWARD])
        return false;
    if (!want_gradients(g, params, err))
        return false;
    find_aliases(g);
    for (int v = 0; v < g->value_count; v++) {
        resolve_alias(g, v, &g->values[v].storage, false);
        resolve_alias(g, v, &g->values[v].gradient, true);
    }
    if (!find_writers(g, err))
        return false;
    fuse_norms(g);
    make_items(g);
    choose_recomputed(g);
    find_lifetimes(g);
    return plan(g->items, g->item_count, &g->block_size, &g->bound, err);
}
