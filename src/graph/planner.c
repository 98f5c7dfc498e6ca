#include "graph/planner.h"

#include "base/memory.h"
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

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
    return ((*x)->place > (*y)->place) - ((*x)->place < (*y)->place);
}

static bool meet(const struct item *a, const struct item *b)
{
    const int from = a->from > b->from ? a->from : b->from, to = a->to < b->to ? a->to : b->to;
    return from <= to;
}

static size_t aligned(size_t size) { return (size + PLAN_ALIGN - 1) / PLAN_ALIGN * PLAN_ALIGN; }

/* The smallest gap between `live`, sorted by place, that holds size bytes; else the end of the last. */
static size_t best_gap(const struct item **live, int count, size_t size)
{
    size_t end = 0, best = SIZE_MAX, tightest = SIZE_MAX;
    for (int i = 0; i < count; i++) {
        if (live[i]->place >= end && live[i]->place - end >= size && live[i]->place - end < tightest) {
            tightest = live[i]->place - end;
            best = end;
        }
        if (live[i]->place + aligned(live[i]->size) > end)
            end = live[i]->place + aligned(live[i]->size);
    }
    return best == SIZE_MAX ? end : best;
}

static size_t most_in_use(const struct item *items, int count)
{
    size_t most = 0;
    for (int i = 0; i < count; i++) {                   /* the sum grows only where something begins */
        size_t sum = 0;
        for (int j = 0; j < count; j++)
            if (items[j].from <= items[i].from && items[i].from <= items[j].to)
                sum += aligned(items[j].size);
        if (sum > most)
            most = sum;
    }
    return most;
}

bool plan(struct item *items, int count, size_t *block, size_t *bound, struct error *err)
{
    struct item **order = new_array((size_t)count, sizeof *order, err);
    const struct item **live = new_array((size_t)count, sizeof *live, err);
    size_t sum = 0;
    bool ok = order && live;
    *block = 0;
    for (int i = 0; ok && i < count; i++) {
        order[i] = &items[i];
        ok = (items[i].size <= SIZE_MAX - PLAN_ALIGN && add_size(sum, aligned(items[i].size), &sum))
          || fail(err, "the plan of memory does not fit the address space");
    }
    if (ok)
        qsort(order, (size_t)count, sizeof *order, larger_first);
    for (int i = 0; ok && i < count; i++) {
        int n = 0;
        for (int j = 0; j < i; j++)
            if (meet(order[i], order[j]))
                live[n++] = order[j];
        qsort(live, (size_t)n, sizeof *live, lower_first);
        order[i]->place = best_gap(live, n, order[i]->size);
        assert(order[i]->place % PLAN_ALIGN == 0);                              /* invariant 2 */
        for (int j = 0; j < n; j++)
            assert(order[i]->place + order[i]->size <= live[j]->place
                   || live[j]->place + live[j]->size <= order[i]->place);       /* invariant 1 */
        if (order[i]->from <= order[i]->to && order[i]->place + aligned(order[i]->size) > *block)
            *block = order[i]->place + aligned(order[i]->size);
    }
    if (ok && bound)
        *bound = most_in_use(items, count);
    free(order);
    free(live);
    return ok;
}
