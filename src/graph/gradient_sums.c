#include "graph/gradient_sums.h"

#include "base/memory.h"
#include "graph/layout.h"
#include "kernel/kernels.h"
#include <stdlib.h>

/* Elements of a piece: smaller ones cost messages, larger ones arrive late. */
enum { PIECE = 1 << 16 };

static bool of_parameters(const struct gradient_sums *s, const struct node *n, int operand)
{
    return s->varies[n->result[0]] && !s->varies[n->operand[operand]];
}

static ptrdiff_t elements_of(struct shape s) { return (ptrdiff_t)s.n * s.h * s.w * s.c; }

static void find_varying(struct gradient_sums *s, const struct graph *g)
{
    for (int v = 0; v < g->value_count; v++)
        s->varies[v] = g->values[v].producer < 0 && g->values[v].param < 0;
    for (int i = 0; i < g->node_count; i++)
        for (int k = 0; k < g->nodes[i].in; k++)
            s->varies[g->nodes[i].result[0]] |= s->varies[g->nodes[i].operand[k]];
}

bool gradient_sums_init(struct gradient_sums *s, const struct graph *g, const struct ranks *ranks, bool bf16,
                        struct error *err)
{
    ptrdiff_t elements = 0;
    *s = (struct gradient_sums){ .ranks = ranks };
    if (!ranks)
        return true;
    s->varies = new_array((size_t)g->value_count, sizeof *s->varies, err);
    s->shares = new_array((size_t)g->node_count * OP_IN, sizeof *s->shares, err);
    if (!s->varies || !s->shares)
        return false;
    find_varying(s, g);
    for (int i = g->node_count - 1; i >= 0; i--)
        for (int k = 0; runs_backward(g, i) && k < g->nodes[i].in; k++)
            if (of_parameters(s, &g->nodes[i], k) && graph_gradient(g, g->nodes[i].operand[k]).p) {
                const int count = (int)elements_of(g->nodes[i].x[k]);
                s->shares[s->count++] = (struct gradient_share){ .node = i, .operand = k, .offset = elements,
                                                                 .count = count };
                elements += count;
            }
    s->buffer = new_array((size_t)elements, sizeof *s->buffer, err);
    s->wire = new_array((size_t)elements, sizeof *s->wire, err);
    return s->buffer && s->wire && exchange_init(&s->exchange, ranks, bf16, err);
}

void gradient_sums_free(struct gradient_sums *s)
{
    exchange_free(&s->exchange);
    free(s->varies);
    free(s->shares);
    free(s->buffer);
    free(s->wire);
    *s = (struct gradient_sums){0};
}

static void begin_piece(struct gradient_sums *s)
{
    if (s->piece_first == s->written)
        return;
    const struct gradient_share *first = &s->shares[s->piece_first], *last = &s->shares[s->written - 1];
    const int count = (int)(last->offset + last->count - first->offset);
    exchange_begin(&s->exchange, s->buffer + first->offset, s->wire + first->offset, count);
    s->piece_first = s->written;
}

/* Adds the complete sums to the gradients. */
static void apply(struct gradient_sums *s, const struct graph *g)
{
    for (; s->applied < s->piece_first && s->shares[s->applied].piece < s->exchange.complete; s->applied++) {
        const struct gradient_share *share = &s->shares[s->applied];
        const struct view to = graph_gradient(g, g->nodes[share->node].operand[share->operand]);
        g->kernels->copy_rows((int)pixels(to), to.c, s->buffer + share->offset, to.c, share->add, to.p, to.ld);
    }
}

static void complete(struct gradient_sums *s, const struct graph *g)
{
    begin_piece(s);
    exchange_wait(&s->exchange);
    apply(s, g);
}

void gradient_sums_before(struct gradient_sums *s, const struct graph *g, int node, struct call *call)
{
    if (!s->ranks)
        return;
    if (!s->varies[g->nodes[node].result[0]])           /* it reads a gradient that must be complete */
        complete(s, g);
    for (; s->written < s->count && s->shares[s->written].node == node; s->written++) {
        struct gradient_share *share = &s->shares[s->written];
        struct view *dx = &call->dx[share->operand];
        share->piece = s->exchange.count;
        share->add = g->values[g->nodes[node].operand[share->operand]].param >= 0
                     ? call->add[share->operand] : g->add[node * OP_IN + share->operand];
        call->add[share->operand] = false;
        dx->p = s->buffer + share->offset;
        dx->ld = dx->c;
    }
}

void gradient_sums_after(struct gradient_sums *s, const struct graph *g)
{
    if (!s->ranks)
        return;
    const ptrdiff_t from = s->piece_first < s->written ? s->shares[s->piece_first].offset : 0;
    const ptrdiff_t all = s->count ? s->shares[s->count - 1].offset : 0;
    const ptrdiff_t enough = all / (SLOTS / 4) > PIECE ? all / (SLOTS / 4) : PIECE;
    if (s->piece_first < s->written && s->shares[s->written - 1].offset - from >= enough)
        begin_piece(s);
    exchange_advance(&s->exchange);
    apply(s, g);
}

void gradient_sums_end(struct gradient_sums *s, const struct graph *g)
{
    if (!s->ranks)
        return;
    complete(s, g);
    exchange_restart(&s->exchange);
    s->written = s->piece_first = s->applied = 0;
}
