#include "ranks/exchange.h"

#include "base/memory.h"
#include <assert.h>
#include <stdlib.h>

bool exchange_init(struct exchange *e, const struct ranks *ranks, struct error *err)
{
    *e = (struct exchange){ .ranks = ranks, .pieces = new_array(SLOTS, sizeof *e->pieces, err) };
    return e->pieces;
}

void exchange_free(struct exchange *e)
{
    free(e->pieces);
    *e = (struct exchange){0};
}

/* Steps of one phase. */
static int phase_steps(const struct exchange *e)
{
    int steps = 0;
    while (1 << steps < e->ranks->count)
        steps++;
    return steps;
}

struct range_of_piece { int from, end; };

/* The half that this process keeps in a step, or the other one. */
static struct range_of_piece half_of(const struct exchange *e, struct range_of_piece r, int step, bool kept)
{
    const int middle = r.from + (r.end - r.from) / 2;
    const bool lower = !(e->ranks->rank >> step & 1);
    return lower == kept ? (struct range_of_piece){ r.from, middle } : (struct range_of_piece){ middle, r.end };
}

/* The range before a step of the first phase. */
static struct range_of_piece range_before(const struct exchange *e, const struct piece *p, int step)
{
    struct range_of_piece r = { 0, p->count };
    for (int i = 0; i < step; i++)
        r = half_of(e, r, i, true);
    return r;
}

/* The ranges that a piece's current step sends and receives. */
struct traffic { int distance_step; struct range_of_piece sent, received; bool adds; };

static struct traffic traffic_of(const struct exchange *e, const struct piece *p)
{
    const int steps = phase_steps(e), step = p->step < steps ? p->step : 2 * steps - 1 - p->step;
    const struct range_of_piece all = range_before(e, p, step);
    const struct range_of_piece kept = half_of(e, all, step, true), other = half_of(e, all, step, false);
    return p->step < steps ? (struct traffic){ step, other, kept, true } : (struct traffic){ step, kept, other, false };
}

static void start_step(struct exchange *e, int index)
{
    const struct ranks *r = e->ranks;
    const struct piece *p = &e->pieces[index];
    const struct traffic t = traffic_of(e, p);
    real *to = t.adds ? p->received : p->p;
    r->transport->swap(r->context, index + 1, r->rank ^ 1 << t.distance_step, index + 1, p->p + t.sent.from,
                       to + t.received.from, (size_t)(t.sent.end - t.sent.from) * sizeof *to,
                       (size_t)(t.received.end - t.received.from) * sizeof *to);
}

static void end_step(const struct exchange *e, struct piece *p)
{
    const struct traffic t = traffic_of(e, p);
    for (int i = t.received.from; t.adds && i < t.received.end; i++)
        p->p[i] += p->received[i];
    p->step++;
}

static bool advance_piece(struct exchange *e, int index, bool wait)
{
    struct piece *p = &e->pieces[index];
    const int steps = 2 * phase_steps(e);
    while (p->step < steps && e->ranks->transport->swapped(e->ranks->context, index + 1, wait)) {
        end_step(e, p);
        if (p->step < steps)
            start_step(e, index);
    }
    return p->step == steps;
}

void exchange_begin(struct exchange *e, real *p, real *received, int count)
{
    assert(e->count < SLOTS - 1);
    e->pieces[e->count] = (struct piece){ p, received, count, 0 };
    start_step(e, e->count++);
}

static void advance(struct exchange *e, bool wait)
{
    bool complete = true;
    for (int i = e->complete; i < e->count; i++) {
        complete = advance_piece(e, i, wait) && complete;
        if (complete)
            e->complete = i + 1;
    }
}

void exchange_advance(struct exchange *e) { advance(e, false); }

void exchange_wait(struct exchange *e)
{
    while (e->complete < e->count)
        advance(e, true);
}

void exchange_restart(struct exchange *e) { e->count = e->complete = 0; }
