#include "graph/planner.h"

#include "base/memory.h"
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 12 };                                   /* more rounds gain almost nothing */

static int larger_first(const void *a, const void *b)
{
    const struct item *const *x = a, *const *y = b;
    if ((*x)->size != (*y)->size)
        return (*x)->size < (*y)->size ? 1 : -1;
    return *x < *y ? -1 : 1;                            /* qsort is not stable: list order breaks ties */
}

static int lower_first(const void *a, const void *b)
{
    const struct item *const *x = a, *const *y = b;
    return ((*x)->offset > (*y)->offset) - ((*x)->offset < (*y)->offset);
}

static bool overlap_in_time(const struct item *a, const struct item *b)
{
    const int from = a->from > b->from ? a->from : b->from, to = a->to < b->to ? a->to : b->to;
    return from <= to;
}

static size_t end_of(const struct item *i) { return i->offset + plan_aligned(i->size); }

/* The smallest gap of at least `size` bytes between the items `live`, sorted by offset; else the end of the last. */
static size_t best_gap(struct item *const *live, int count, size_t size)
{
    size_t end = 0, best = SIZE_MAX, tightest = SIZE_MAX;
    for (int i = 0; i < count; i++) {
        if (live[i]->offset >= end && live[i]->offset - end >= size && live[i]->offset - end < tightest) {
            tightest = live[i]->offset - end;
            best = end;
        }
        if (end_of(live[i]) > end)
            end = end_of(live[i]);
    }
    return best == SIZE_MAX ? end : best;
}

static size_t peak_in_use(const struct item *items, int count)
{
    size_t most = 0;
    for (int i = 0; i < count; i++) {                   /* the sum grows only where an item begins */
        size_t sum = 0;
        for (int j = 0; j < count; j++)
            if (items[j].from <= items[i].from && items[i].from <= items[j].to)
                sum += plan_aligned(items[j].size);
        if (sum > most)
            most = sum;
    }
    return most;
}

/* Places one item after the other.  Returns the end of the block. */
static size_t place_all(struct item *const *order, int count, struct item **live)
{
    size_t block = 0;
    for (int i = 0; i < count; i++) {
        int n = 0;
        for (int j = 0; j < i; j++)
            if (overlap_in_time(order[i], order[j]))
                live[n++] = order[j];
        qsort(live, (size_t)n, sizeof *live, lower_first);
        order[i]->offset = best_gap(live, n, order[i]->size);
        assert(order[i]->offset % PLAN_ALIGN == 0);                              /* invariant 2 */
        for (int j = 0; j < n; j++)
            assert(order[i]->offset + order[i]->size <= live[j]->offset
                   || live[j]->offset + live[j]->size <= order[i]->offset);       /* invariant 1 */
        if (order[i]->from <= order[i]->to && end_of(order[i]) > block)
            block = end_of(order[i]);
    }
    return block;
}

/* Moves the items that end above the bound to the front; the order is otherwise kept. */
static void move_to_front(struct item **order, int count, size_t bound, struct item **lifted)
{
    int n = 0;
    for (int above = 1; above >= 0; above--)
        for (int i = 0; i < count; i++)
            if ((end_of(order[i]) > bound) == above)
                lifted[n++] = order[i];
    memcpy(order, lifted, (size_t)count * sizeof *order);
}

bool plan(struct item *items, int count, size_t *block, size_t *bound, struct error *err)
{
    struct item **order = new_array((size_t)count, sizeof *order, err);
    struct item **live = new_array((size_t)count, sizeof *live, err);
    size_t *best = new_array((size_t)count, sizeof *best, err), sum = 0;
    bool ok = order && live && best;
    for (int i = 0; ok && i < count; i++) {
        order[i] = &items[i];
        ok = (items[i].size <= SIZE_MAX - PLAN_ALIGN && checked_add(sum, plan_aligned(items[i].size), &sum))
          || fail(err, "the memory plan does not fit the address space");
    }
    if (ok) {
        qsort(order, (size_t)count, sizeof *order, larger_first);
        *bound = peak_in_use(items, count);
        *block = SIZE_MAX;
    }
    for (int round = 0; ok && round < ROUNDS && *block > *bound; round++) {
        const size_t size = place_all(order, count, live);
        for (int i = 0; size < *block && i < count; i++)
            best[i] = items[i].offset;
        *block = size < *block ? size : *block;
        move_to_front(order, count, *bound, live);
    }
    for (int i = 0; ok && i < count; i++)
        items[i].offset = best[i];
    free(order);
    free(live);
    free(best);
    return ok;
}
