#include "ranks/exchange.h"

#include "base/memory.h"
#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

bool exchange_init(struct exchange *e, const struct ranks *ranks, bool bf16, struct error *err)
{
    *e = (struct exchange){ .ranks = ranks, .bf16 = bf16, .pieces = new_array(SLOTS, sizeof *e->pieces, err) };
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
struct step_ranges { int distance_step; struct range_of_piece sent, received; bool adds; };

static struct step_ranges ranges_of(const struct exchange *e, const struct piece *p)
{
    const int steps = phase_steps(e), step = p->step < steps ? p->step : 2 * steps - 1 - p->step;
    const struct range_of_piece all = range_before(e, p, step);
    const struct range_of_piece kept = half_of(e, all, step, true), other = half_of(e, all, step, false);
    const bool adds = p->step < steps;
    return (struct step_ranges){ step, adds ? other : kept, adds ? kept : other, adds };
}

/* Rounds to the nearest, ties to even. */
static uint16_t bf16_of(real x)
{
    const float f = (float)x;
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return isnan(f) ? 0x7fc0 : (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static real bf16_value(uint16_t half)
{
    const uint32_t bits = (uint32_t)half << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* Memory of a piece for what arrives and what is sent, as bfloat16. */
static uint16_t *arriving(const struct piece *p) { return (uint16_t *)(void *)p->wire; }
static uint16_t *leaving(const struct piece *p)  { return arriving(p) + p->count; }

static void start_step(struct exchange *e, int index)
{
    const struct ranks *r = e->ranks;
    const struct piece *p = &e->pieces[index];
    const struct step_ranges s = ranges_of(e, p);
    const size_t element = e->bf16 ? sizeof(uint16_t) : sizeof(real);
    const void *from = p->p + s.sent.from;
    void *to = (s.adds ? p->wire : p->p) + s.received.from;
    if (e->bf16) {
        for (int i = s.sent.from; i < s.sent.end; i++)
            leaving(p)[i] = bf16_of(p->p[i]);
        from = leaving(p) + s.sent.from;
        to = arriving(p) + s.received.from;
    }
    r->transport->swap(r->context, index + 1, r->rank ^ 1 << s.distance_step, index + 1, from, to,
                       (size_t)(s.sent.end - s.sent.from) * element,
                       (size_t)(s.received.end - s.received.from) * element);
}

/* The process that has computed a sum continues with what the others get. */
static void round_sum(const struct exchange *e, const struct piece *p)
{
    const struct range_of_piece own = range_before(e, p, phase_steps(e));
    for (int i = own.from; e->bf16 && i < own.end; i++)
        p->p[i] = bf16_value(bf16_of(p->p[i]));
}

static void end_step(const struct exchange *e, struct piece *p)
{
    const struct step_ranges s = ranges_of(e, p);
    for (int i = s.received.from; i < s.received.end; i++)
        if (s.adds)
            p->p[i] += e->bf16 ? bf16_value(arriving(p)[i]) : p->wire[i];
        else if (e->bf16)
            p->p[i] = bf16_value(arriving(p)[i]);
    if (++p->step == phase_steps(e))
        round_sum(e, p);
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

void exchange_begin(struct exchange *e, real *p, real *wire, int count)
{
    assert(e->count < SLOTS - 1);
    e->pieces[e->count] = (struct piece){ p, wire, count, 0 };
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
