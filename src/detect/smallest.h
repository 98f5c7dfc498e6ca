/* detect/smallest.h -- the few smallest of many numbers, with where they were. */
#ifndef DETECT_SMALLEST_H
#define DETECT_SMALLEST_H
#include <stdbool.h>

struct ranked { double value; int index; };

/* Rising; of equal numbers the one of lower index comes first.  The list has room for so many, >= 1; count is how
 * many it holds, 0 at first. */
struct smallest { struct ranked *list; int room, count; };

static inline bool ranks_before(struct ranked a, struct ranked b)
{
    return a.value < b.value || (a.value == b.value && a.index < b.index);
}

/* Is it one of them now? */
static inline bool smallest_offer(struct smallest *s, double value, int index)
{
    const struct ranked new = { value, index };
    if (s->count == s->room && !ranks_before(new, s->list[s->count - 1]))
        return false;
    int i = s->count < s->room ? s->count++ : s->count - 1;
    for (; i > 0 && ranks_before(new, s->list[i - 1]); i--)
        s->list[i] = s->list[i - 1];
    s->list[i] = new;
    return true;
}
#endif
