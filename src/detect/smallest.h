/* detect/smallest.h -- the few smallest of many numbers, with where they were. */
#ifndef DETECT_SMALLEST_H
#define DETECT_SMALLEST_H

struct ranked { double value; int index; };

/* Rising; of equal numbers the one that came first comes first.  The list has room for so many, >= 1; count is how
 * many it holds, 0 at first. */
struct smallest { struct ranked *list; int room, count; };

static inline void smallest_offer(struct smallest *s, double value, int index)
{
    if (s->count == s->room && !(value < s->list[s->count - 1].value))
        return;
    int i = s->count < s->room ? s->count++ : s->count - 1;
    for (; i > 0 && value < s->list[i - 1].value; i--)
        s->list[i] = s->list[i - 1];
    s->list[i] = (struct ranked){ value, index };
}
#endif
