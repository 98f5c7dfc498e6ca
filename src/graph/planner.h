/* graph/planner.h -- places in one block of memory for things with a size and a lifetime.  Numbers in, numbers out.
 *
 * 1. Two items whose lifetimes share a time share no byte.
 * 2. Every place starts at a multiple of PLAN_ALIGN.
 * 3. Places depend on the list alone: equal lists give equal plans. */
#ifndef GRAPH_PLANNER_H
#define GRAPH_PLANNER_H
#include "base/error.h"
#include <stddef.h>

enum { PLAN_ALIGN = 64 };
static inline size_t plan_aligned(size_t size) { return (size + PLAN_ALIGN - 1) / PLAN_ALIGN * PLAN_ALIGN; }

struct item {
    size_t size;                /* bytes */
    int from, to;               /* first and last time at which it is in use; from > to: never */
    size_t place;               /* out: its offset in the block */
};

/* Best fit, largest first; while the block is larger than *bound, the largest sum of sizes in use at one time, below
 * which no plan can go, those that ended above it are placed first.  Writes the best of a few such plans. */
bool plan(struct item *items, int count, size_t *block, size_t *bound, struct error *);
#endif
