#include "train/schedule.h"

#include <math.h>

static const double pi = 3.14159265358979323846;

void rate_at_step(const struct schedule_config *c, long step, struct rate *rate)
{
    const double ratio = c->warmup.ratio;
    if (c->warmup.steps == 0 || step > c->warmup.steps)
        return;
    const double left = 1 - (double)step / c->warmup.steps;
    const double k = c->warmup.name == WARMUP_CONSTANT ? ratio
                   : c->warmup.name == WARMUP_LINEAR ? 1 - left * (1 - ratio) : pow(ratio, left);
    rate->current = rate->initial * k;
}

static double cosine(const struct schedule_config *c, int t, struct rate rate)
{
    const double min = c->lr_schedule.eta_min;
    const int period = c->lr_schedule.t_max;
    if ((t - 1 - period) % (2 * period) == 0)
        return rate.current + (rate.initial - min) * (1 - cos(pi / period)) / 2;
    return (1 + cos(pi * t / period)) / (1 + cos(pi * (t - 1) / period)) * (rate.current - min) + min;
}

void rate_after_epoch(const struct schedule_config *c, int finished, struct rate *rate)
{
    if (c->lr_schedule.name == LR_COSINE)
        rate->current = cosine(c, finished, *rate);
    else
        for (int i = 0; i < c->lr_schedule.milestones.count; i++)
            if (c->lr_schedule.milestones.at[i] == finished)
                rate->current *= c->lr_schedule.gamma;
}
