/* detect/bottom_k.h -- the k smallest of many values, each with its index. */
#ifndef DETECT_BOTTOM_K_H
#define DETECT_BOTTOM_K_H
#include <stdbool.h>

struct scored_index { double value; int index; };

/* list[0 .. count-1] ascends; equal values are ordered by index.  list holds k >= 1 elements; count is 0 at first. */
struct bottom_k { struct scored_index *list; int k, count; };

static inline bool scored_before(struct scored_index a, struct scored_index b)
{
    return a.value < b.value || (a.value == b.value && a.index < b.index);
}

/* Inserts the value if it is among the k smallest so far, and drops the largest if the list was full. */
static inline void bottom_k_offer(struct bottom_k *b, double value, int index)
{
    const struct scored_index new = { value, index };
    if (b->count == b->k && !scored_before(new, b->list[b->count - 1]))
        return;
    int i = b->count < b->k ? b->count++ : b->count - 1;
    for (; i > 0 && scored_before(new, b->list[i - 1]); i--)
        b->list[i] = b->list[i - 1];
    b->list[i] = new;
}

/* The k-th smallest value, or `otherwise` if there are fewer than k. */
static inline double bottom_k_last(const struct bottom_k *b, double otherwise)
{
    return b->count < b->k ? otherwise : b->list[b->count - 1].value;
}
#endif
