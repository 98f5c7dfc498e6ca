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

static bool same_place(const struct home *a, const struct home *b)
{
    return a->root == b->root && a->root_channel == b->root_channel && a->root_pixel == b->root_pixel;
}

static ptrdiff_t pixels_of(struct shape s) { return (ptrdiff_t)s.n * s.h * s.w; }

/* A gradient is wanted where a trained parameter, or an input, lies before and an output behind. */
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

/* What v lives in without a shift or a cut: its memory may move as a whole. */
static value whole_of(const struct graph *g, value v)
{
    for (;;) {
        const struct value_info *x = &g->values[v];
        if (x->here.parent == VALUE_NONE)
            return v;
        const struct shape outer = g->values[x->here.parent].shape;
        if (x->here.channel || x->here.pixel || outer.c != x->shape.c || pixels_of(outer) != pixels_of(x->shape))
            return VALUE_NONE;
        v = x->here.parent;
    }
}

static void place_in_output(struct graph *g, int i, int k)
{
    const struct node *n = &g->nodes[i];
    struct slice slice = {0};
    if (!n->op->operand_in_output || !n->op->operand_in_output(n, k, &slice))
        return;
    struct value_info *x = operand(g, i, k);
    const value top = x->param >= 0 ? VALUE_NONE : whole_of(g, n->operand[k]);
    if (top != VALUE_NONE && g->values[top].producer >= 0 && !g->values[top].is_output) {
        g->values[top].here.parent = n->result[0];
        g->values[top].here.channel = slice.channel;
        g->values[top].here.pixel = slice.pixel;
    }
    if (x->gradient.parent == VALUE_NONE && x->wants_gradient && output(g, i)->wants_gradient && !x->is_output
        && x->param < 0) {
        x->gradient.parent = n->result[0];
        x->gradient.channel = slice.channel;
        x->gradient.pixel = slice.pixel;
    }
}

/* Who lives in whom. */
static void find_parents(struct graph *g)
{
    for (int i = 0; i < g->node_count; i++) {
        const struct node *n = &g->nodes[i];
        struct value_info *x = operand(g, i, 0), *y = output(g, i);
        struct slice slice = {0};
        if (n->op->pends) {
            y->here.parent = n->operand[0];
            if (x->consumers == 1 && !x->is_output)
                x->gradient.parent = n->result[0];      /* backward turns dy into dx in place */
        } else if (n->op->output_in_operand && n->op->output_in_operand(n, &slice)) {
            y->here.parent = y->gradient.parent = n->operand[0];
            y->here.channel = y->gradient.channel = slice.channel;
            y->here.pixel = y->gradient.pixel = slice.pixel;
            if (!n->op->backward)                       /* detached */
                y->gradient.parent = VALUE_NONE;
        } else if (n->op == &op_materialise && !x->is_output && x->gradient.parent == VALUE_NONE && y->wants_gradient)
            x->gradient.parent = n->result[0];          /* both are the gradient of the same value */
        for (int k = 0; k < n->in; k++)
            place_in_output(g, i, k);
    }
}

/* Invariant 2 of graph.h. */
static void resolve(const struct graph *g, value v, struct home *home, bool gradient)
{
    ptrdiff_t pixel = 0;
    int channel = 0;
    value root = v;
    for (;;) {
        const struct home *at = gradient ? &g->values[root].gradient : &g->values[root].here;
        if (at->parent == VALUE_NONE)
            break;
        channel += at->channel;
        pixel += at->pixel;
        root = at->parent;
    }
    home->root = root;
    home->root_channel = channel;
    home->root_pixel = pixel;
    assert(channel + g->values[v].shape.c <= g->values[root].shape.c
           && pixel + pixels_of(g->values[v].shape) <= pixels_of(g->values[root].shape));
}

/* A part of a root's gradient that has been written. */
struct part { value root; ptrdiff_t from, to; int low, high; };

struct parts { struct part *list; int count, capacity; };

static struct part part_of(const struct graph *g, value v)
{
    const struct value_info *x = &g->values[v];
    return (struct part){ x->gradient.root, x->gradient.root_pixel, x->gradient.root_pixel + pixels_of(x->shape),
                          x->gradient.root_channel, x->gradient.root_channel + x->shape.c };
}

static double area(struct part p) { return (double)(p.to - p.from) * (p.high - p.low); }

/* How much of p the disjoint parts in the list cover. */
static double covered(const struct parts *parts, struct part p)
{
    double sum = 0;
    for (int i = 0; i < parts->count; i++) {
        const struct part q = parts->list[i];
        const struct part both = { p.root, p.from > q.from ? p.from : q.from, p.to < q.to ? p.to : q.to,
                                   p.low > q.low ? p.low : q.low, p.high < q.high ? p.high : q.high };
        if (q.root == p.root && both.from < both.to && both.low < both.high)
            sum += area(both);
    }
    return sum;
}

/* Notes that p is written; *add: it is there already. */
static bool write_part(struct graph *g, struct parts *parts, struct part p, bool *add, struct error *err)
{
    const double have = covered(parts, p);
    *add = have > 0;
    if (have > 0 && have < area(p))
        g->values[p.root].from_zero = true;             /* the rest of it stays noted as unwritten, harmlessly */
    if (have > 0)
        return true;
    if (!grow_array(&parts->list, parts->count, &parts->capacity, sizeof *parts->list, err))
        return false;
    parts->list[parts->count++] = p;
    return true;
}

/* Backward of node i writes the gradient of operand k, unless that lies where the op has it from the output's: in its
 * slot of a concat, around a half of a split, or in the same place, where the one is turned into the other. */
static bool writes(const struct graph *g, int i, int k)
{
    const struct node *n = &g->nodes[i];
    const struct value_info *x = operand(g, i, k);
    struct home inner = x->gradient, outer = output(g, i)->gradient;
    struct slice slice = {0};
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
    struct parts parts = {0};
    bool ok = true, set;
    for (int i = 0; ok && i < g->output_count; i++)
        if (g->values[g->outputs[i].v].wants_gradient)
            ok = write_part(g, &parts, part_of(g, g->outputs[i].v), &set, err);
    for (int i = g->node_count - 1; ok && i >= 0; i--) {
        if (!runs_backward(g, i))
            continue;
        const struct part dy = part_of(g, g->nodes[i].result[0]);
        if (covered(&parts, dy) < area(dy))
            g->values[dy.root].from_zero = true;
        for (int k = 0; ok && k < g->nodes[i].in; k++)
            if (writes(g, i, k))
                ok = write_part(g, &parts, part_of(g, g->nodes[i].operand[k]), &g->add[i * OP_IN + k], err);
    }
    for (int i = 0; ok && i < g->node_count; i++)
        for (int k = 0; k < g->nodes[i].in; k++) {
            const struct value_info *x = operand(g, i, k);
            if (writes(g, i, k) && g->values[x->gradient.root].from_zero)
                g->add[i * OP_IN + k] = true;
        }
    free(parts.list);
    return ok;
}

static void add_item(struct graph *g, size_t bytes, int *item)
{
    g->items[g->item_count] = (struct item){ .size = bytes, .from = INT_MAX, .to = INT_MIN };
    *item = g->item_count++;
}

static void use(struct graph *g, int item, int time)
{
    if (item == NOWHERE)
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

enum { FEW_MACS = 3 * 3 * 3 };                  /* a number: as many as a first layer's, or fewer */

/* Nothing but v's numbers, pending or not, lives in v, and they follow cheaply from an operand that is kept. */
static bool follows(const struct graph *g, value v)
{
    const struct value_info *x = &g->values[v];
    const struct node *n = x->producer < 0 ? NULL : &g->nodes[x->producer];
    if (!n || !n->op->macs || n->op->save || n->op->draws || x->here.root != v || x->is_output
        || !runs_backward(g, x->producer) || !(n->op->bwd_reads_x & 1) || n->op->bwd_reads_y
        || (n->op->work && n->op->work(n, FORWARD))
        || g->values[operand(g, x->producer, 0)->here.root].again != NOWHERE)
        return false;
    for (int i = 0; i < g->value_count; i++)
        if (i != v && g->values[i].here.root == v && !g->nodes[g->values[i].producer].op->pends)
            return false;
    return n->op->macs(n) <= FEW_MACS * (double)pixels_of(x->shape) * x->shape.c;
}

/* Training alone has values to keep. */
static void choose_again(struct graph *g)
{
    for (int v = 0; g->gradients == GRADIENTS_PARAMS && !g->separate && v < g->value_count; v++)
        if (follows(g, v))
            add_item(g, bytes_of(g, v), &g->values[v].again);
}

/* Who leads whom.  A norm that is not led looks at the same parts: its sums do not depend on it. */
static void find_norms(struct graph *g)
{
    for (int i = 0; i < g->node_count; i++)
        g->behind[i] = NOWHERE;
    for (int i = 0; i < g->node_count; i++) {
        struct node *norm = &g->nodes[i];
        const struct value_info *x = operand(g, i, 0);
        const struct node *before = x->producer < 0 ? NULL : &g->nodes[x->producer];
        if (g->gradients != GRADIENTS_PARAMS || !norm->op->gradient || !before || !before->op->parts)
            continue;
        if (norm->attr.norm.training)
            norm->parts = before->op->parts(before);
        if (g->unfused || x->consumers > 1 || x->is_output)
            continue;
        norm->led[FORWARD] = norm->parts > 0;
        norm->led[BACKWARD] = before->op->reads_once(before, operand(g, x->producer, 0)->wants_gradient);
        if (norm->led[FORWARD] || norm->led[BACKWARD])
            g->behind[x->producer] = i;
    }
}

/* What is packed of node i stays as it is: its operands but the first are parameters, and nothing trains them. */
static bool packs_once(const struct graph *g, int i)
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
        if (x->param < 0 && x->here.root == v)
            add_item(g, bytes_of(g, v), &x->here.item);
        if (x->param < 0 && x->wants_gradient && x->gradient.root == v)
            add_item(g, bytes_of(g, v), &x->gradient.item);
    }
    for (int i = 0; i < g->node_count; i++) {
        const struct node *n = &g->nodes[i];
        g->save[i] = g->packed[i] = g->work[FORWARD][i] = g->work[BACKWARD][i] = NOWHERE;
        if (n->op->save && n->op->save(n) && (!n->op->saves_for_backward || runs_backward(g, i)))
            add_item(g, n->op->save(n), &g->save[i]);
        if (n->op->packed && n->op->packed(n) && !packs_once(g, i))
            add_item(g, n->op->packed(n), &g->packed[i]);
        for (int pass = FORWARD; pass <= BACKWARD; pass++)
            if (n->op->work && n->op->work(n, (enum pass)pass) && (pass == FORWARD || runs_backward(g, i)))
                add_item(g, n->op->work(n, (enum pass)pass), &g->work[pass][i]);
    }
}

static void use_value(struct graph *g, value v, int time)
{
    const struct value_info *root = &g->values[g->values[v].here.root];
    use(g, time > g->node_count && root->again != NOWHERE ? root->again : root->here.item, time);
}

static void use_gradient(struct graph *g, value v, int time)
{
    if (g->values[v].wants_gradient)
        use(g, g->values[g->values[v].gradient.root].gradient.item, time);
}

/* What node i, which leads a norm, wants of that. */
static void use_norm(struct graph *g, int i)
{
    const int norm = g->behind[i], back = 2 * g->node_count - i;
    if (norm != NOWHERE && g->nodes[norm].led[FORWARD])
        use(g, g->work[FORWARD][norm], i);
    if (norm == NOWHERE || !g->nodes[norm].led[BACKWARD] || !runs_backward(g, i))
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
        use_norm(g, i);
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
            use_gradient(g, v, 2 * loss + 1);           /* and its gradient read after the last */
        }
    for (int v = 0; v < g->value_count; v++)
        if (g->values[v].again != NOWHERE)
            use(g, g->packed[g->values[v].producer], g->items[g->values[v].again].from);
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
    g->behind = new_array(nodes, sizeof *g->behind, err);
    g->work[FORWARD] = new_array(nodes, sizeof *g->save, err);
    g->work[BACKWARD] = new_array(nodes, sizeof *g->save, err);
    if (!g->add || !g->items || !g->save || !g->packed || !g->behind || !g->work[FORWARD] || !g->work[BACKWARD])
        return false;
    if (!want_gradients(g, params, err))
        return false;
    find_parents(g);
    for (int v = 0; v < g->value_count; v++) {
        resolve(g, v, &g->values[v].here, false);
        resolve(g, v, &g->values[v].gradient, true);
    }
    if (!find_writers(g, err))
        return false;
    find_norms(g);
    make_items(g);
    choose_again(g);
    find_lifetimes(g);
    return plan(g->items, g->item_count, &g->block_size, &g->bound, err);
}
