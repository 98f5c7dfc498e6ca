#include "train/pace.h"

/* The mean of the first `memory` values, then an exponential one. */
static void add(struct running_mean *m, double value, long memory)
{
    m->count++;
    m->value += (value - m->value) / (double)(m->count < memory ? m->count : memory);
}

void pace_step(struct pace *p, double images, double seconds)
{
    if (images > 0)
        add(&p->image, seconds / images, 50);
}

void pace_end(struct pace *p, bool evaluated, double seconds)
{
    add(&p->end[evaluated], seconds, 5);
}

double evaluation_seconds(double seconds_per_training_image, double area)
{
    return seconds_per_training_image / 3 * area;
}

double pace_seconds_left(const struct pace *p, const struct remaining_work *left)
{
    const double estimate = evaluation_seconds(p->image.value, left->evaluation_area);
    const double evaluation = p->end[true].count ? p->end[true].value : estimate;
    return left->images * p->image.value + left->evaluations * evaluation
         + (left->ends - left->evaluations) * p->end[false].value;
}
