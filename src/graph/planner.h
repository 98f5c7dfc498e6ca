/* graph/planner.h -- assigns offsets in one block of memory to items with a size and a lifetime.
 *
 * 1. Items whose lifetimes overlap share no byte.
 * 2. Every offset is a multiple of PLAN_ALIGN.
 * 3. Offsets depend on the list alone: equal lists give equal plans. */
#ifndef GRAPH_PLANNER_H
#define GRAPH_PLANNER_H
#include "base/error.h"
#include <stddef.h>

enum { PLAN_ALIGN = 64 };
static inline size_t plan_aligned(size_t size) { return (size + PLAN_ALIGN - 1) / PLAN_ALIGN * PLAN_ALIGN; }

struct item {
    size_t size;                /* bytes */
    int from, to;               /* first and last time of use; from > to: unused */
    size_t offset;              /* result: bytes from the start of the block */
};

/* Best fit, largest item first.  *bound is the largest sum of sizes in use at one time, a lower bound of any plan.
 * While the block is larger than that, planning is repeated with the items that ended above *bound placed first.
 * Writes the best of a few such plans and the size of its block. */
bool plan(struct item *items, int count, size_t *block, size_t *bound, struct error *);
#endif
