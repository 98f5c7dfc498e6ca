#include "graph/builder.h"

#include "base/memory.h"
#include "graph/layout.h"
#include <assert.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void builder_fail(struct builder *b, const char *format, ...)
{
    char text[400];
    va_list args;
    if (b->error.exit)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    misuse(&b->error, "model: %s%s", b->scope, text);
}

void enter(struct builder *b, const char *name)
{
    const size_t used = strlen(b->scope), room = sizeof b->scope - used;
    if (b->depth < SCOPES)
        b->begin[b->depth] = used;
    if (++b->depth > SCOPES || (size_t)snprintf(b->scope + used, room, "%s.", name) >= room) {
        b->scope[used] = 0;
        builder_fail(b, "names are nested too deep");
    }
}

void enter_index(struct builder *b, const char *name, int index)
{
    char both[128];
    snprintf(both, sizeof both, "%s.%d", name, index);
    enter(b, both);
}

void leave(struct builder *b)
{
    assert(b->depth > 0);
    if (--b->depth < SCOPES)
        b->scope[b->begin[b->depth]] = 0;
}

const struct value_info *value_of(const struct builder *b, value v)
{
    static const struct value_info none = { .shape = { 1, 1, 1, 1, {0} } };
    return v < 0 || b->error.exit ? &none : &b->graph->values[v];
}

static value add_value(struct builder *b, struct shape shape, int producer, int param)
{
    struct graph *g = b->graph;
    if (b->error.exit
        || !grow_array(&g->values, g->value_count, &g->value_capacity, sizeof *g->values, &b->error))
        return VALUE_NONE;
    const struct storage_alias root = { .parent = VALUE_NONE, .item = ITEM_NONE };
    g->values[g->value_count] = (struct value_info){
        .shape = shape, .producer = producer, .param = param, .materialised = VALUE_NONE,
        .storage = root, .gradient = root, .recomputed = ITEM_NONE };
    return g->value_count++;
}

/* Bounds every extent such that sums of OP_IN extents and sizes in bytes do not overflow: ops need not check. */
static bool bounded(struct shape s)
{
    const int largest = INT_MAX / OP_IN;
    size_t bytes = sizeof(real);
    return s.n > 0 && s.h > 0 && s.w > 0 && s.c > 0 && s.c <= largest && checked_mul(bytes, (size_t)s.n, &bytes)
        && checked_mul(bytes, (size_t)s.h, &bytes) && checked_mul(bytes, (size_t)s.w, &bytes)
        && bytes / sizeof(real) <= (size_t)largest && checked_mul(bytes, (size_t)s.c, &bytes)
        && bytes <= PTRDIFF_MAX / 64;
}

value graph_input(struct builder *b, struct shape shape)
{
    if (!bounded(shape))
        builder_fail(b, "an input of %d x %d x %d x %d is empty or too large", shape.n, shape.h, shape.w, shape.c);
    return add_value(b, shape, -1, -1);
}

value graph_param(struct builder *b, const char *name, struct shape shape, int rank, enum param_kind kind,
                  struct init init)
{
    char full[640];
    snprintf(full, sizeof full, "%s%s", b->scope, name);
    if (b->error.exit)
        return VALUE_NONE;
    const int index = params_declare(b->params, full, shape, rank, kind, init, &b->error);
    for (value v = 0; index >= 0 && v < b->graph->value_count; v++)
        if (b->graph->values[v].param == index)
            return v;
    return index < 0 ? VALUE_NONE : add_value(b, shape, -1, index);
}

void graph_output(struct builder *b, const char *name, value v)
{
    struct graph *g = b->graph;
    if (b->error.exit
        || !grow_array(&g->outputs, g->output_count, &g->output_capacity, sizeof *g->outputs, &b->error))
        return;
    if (g->values[v].is_deferred)
        v = graph_node(b, &op_materialise, name, &v, 1, NULL);
    g->outputs[g->output_count++] = (struct graph_output){ name, v };
    g->values[v].is_output = true;
}

static bool same_deferred(const struct value_info *a, const struct value_info *b)
{
    return a->is_deferred && b->is_deferred && a->deferred.act == b->deferred.act
        && !(a->deferred.slope != b->deferred.slope) && a->deferred.ld == 0 && b->deferred.ld == 0;
}

/* Deferred operands stay deferred if the op takes them, or passes them on and all have the same activation.  Others are
 * materialised. */
static void resolve_operands(struct builder *b, struct node *n, const value *operands)
{
    const struct value_info *values = b->graph->values;
    bool alike = n->op->passes_deferred && !b->unfused;
    for (int i = 0; i < n->in; i++)
        alike = alike && same_deferred(&values[operands[0]], &values[operands[i]]);
    if (n->in == 1)
        alike = n->op->passes_deferred && !b->unfused && values[operands[0]].is_deferred;
    for (int i = 0; i < n->in; i++) {
        value v = operands[i];
        const bool takes = !b->unfused && (n->op->takes_deferred >> i & 1);
        if (b->graph->values[v].is_deferred && !takes && !alike && n->op != &op_materialise) {
            if (b->graph->values[v].materialised == VALUE_NONE) {
                const value twin = graph_node(b, &op_materialise, "materialise", &v, 1, NULL);
                if (twin == VALUE_NONE)
                    return;
                b->graph->values[v].materialised = twin;
            }
            v = b->graph->values[v].materialised;
        }
        n->operand[i] = v;
        n->x[i] = b->graph->values[v].shape;
    }
}

/* Sets the deferred affine and activation of a node's output. */
static void init_deferred(struct builder *b, const struct node *n, struct value_info *y)
{
    struct graph *g = b->graph;
    const struct value_info *x = &g->values[n->operand[0]];
    if (n->op->makes_deferred) {
        y->is_deferred = true;
        y->deferred = n->op->makes_deferred(n);
        const int vectors = y->deferred.ld ? level_count(&y->shape.lv) * y->shape.n : 1;
        y->vectors = g->vector_count;
        g->vector_count += (ptrdiff_t)vectors * y->shape.c;
    } else if (n->op->passes_deferred && x->is_deferred) {
        struct tensor_slice slice = {0};
        y->is_deferred = true;
        y->deferred = x->deferred;
        if (n->op->output_in_operand && n->op->output_in_operand(n, &slice))
            y->vectors = x->vectors + slice.channel;
        else {
            y->vectors = g->vector_count;
            g->vector_count += y->shape.c;
        }
    }
}

/* Copies name and attributes; graph_free frees them. */
static bool own_copies(struct builder *b, struct node *n, const char *name, const void *attr)
{
    char full[640];
    snprintf(full, sizeof full, "%s%s", b->scope, name);
    n->name = new_text(full, &b->error);
    n->attr = n->op->attr_size ? new_array(1, n->op->attr_size, &b->error) : NULL;
    if (n->attr && attr)
        memcpy(n->attr, attr, n->op->attr_size);
    return !b->error.exit;
}

/* Checks the operands' levels and the shape. */
static void check_shapes(struct builder *b, struct node *n, const char *name)
{
    struct error why = {0};
    for (int i = 0; i < n->in; i++)
        if (n->x[i].lv.count && !(n->op->takes_levels >> i & 1))
            builder_fail(b, "%s: %s takes one level only", name, n->op->name);
    if (!b->error.exit && (!n->op->shape(n, &why) || !bounded(n->y[0])))
        builder_fail(b, "%s: %s: %s", name, n->op->name, why.exit ? why.text : "the output is empty or too large");
}

value graph_node(struct builder *b, const struct op *op, const char *name, const value *operands, int count,
                 const void *attr)
{
    struct graph *g = b->graph;
    struct node n = { .op = op, .in = count, .auxiliary = b->auxiliary };
    if (count < op->in_min || count > op->in_max)
        builder_fail(b, "%s: %s of %d operands", name, op->name, count);
    if (!b->error.exit)
        resolve_operands(b, &n, operands);
    if (!b->error.exit && own_copies(b, &n, name, attr))
        check_shapes(b, &n, name);
    const value y = add_value(b, n.y[0], g->node_count, -1);
    if (y == VALUE_NONE || !grow_array(&g->nodes, g->node_count, &g->node_capacity, sizeof *g->nodes, &b->error)) {
        free(n.name);
        free(n.attr);
        return VALUE_NONE;
    }
    n.result[0] = y;
    for (int i = 0; i < count; i++)
        g->values[n.operand[i]].consumers++;
    init_deferred(b, &n, &g->values[y]);
    n.number = op->draws ? b->numbered++ : 0;
    n.parts = b->parts ? b->parts : b->training ? PARTS : 1;
    g->nodes[g->node_count++] = n;
    return y;
}

struct node *graph_extend(struct builder *b, const struct op *op, value v, const value *operands, int count)
{
    const struct value_info *info = value_of(b, v);
    struct node *n = b->error.exit || info->producer < 0 ? NULL : &b->graph->nodes[info->producer];
    if (!n || n->op != op || info->consumers || info->is_output || n->in + count > op->in_max)
        return NULL;
    for (int i = 0; i < count; i++) {
        n->x[n->in] = value_of(b, operands[i])->shape;
        n->operand[n->in++] = operands[i];
        b->graph->values[operands[i]].consumers++;
    }
    return n;
}

bool graph_build(struct builder *b, struct error *err)
{
    if (!b->error.exit) {
        b->graph->gradients = b->training ? GRADIENTS_PARAMS : b->input_gradient ? GRADIENTS_INPUTS : GRADIENTS_NONE;
        b->graph->unfused = b->unfused;
        for (struct node *n = b->graph->nodes; n < b->graph->nodes + b->graph->node_count; n++)
            if (n->op->plan)
                n->op->plan(n, b->policy, b->training);
        layout(b->graph, b->params, &b->error);
    }
    if (!b->error.exit)
        return true;
    graph_free(b->graph);
    *err = b->error;
    return false;
}
