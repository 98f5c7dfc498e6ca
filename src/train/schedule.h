/* train/schedule.h -- the learning rate of each step, as the original's trainer sets it.
 *
 * Warm-up, while step <= warmup.steps, sets the rate to initial * k with u = step / steps and
 *     constant k = ratio,   linear k = 1 - (1 - u)(1 - ratio),   exp k = ratio^(1 - u).
 * After t finished epochs, the schedule changes the current rate, including one that warm-up has set:
 *     multi-step  rate *= gamma where t is a milestone
 *     cosine      rate = (rate - min)(1 + cos(pi t / T)) / (1 + cos(pi (t - 1) / T)) + min; if t - 1 - T is a
 *                 multiple of 2T, instead: rate += (initial - min)(1 - cos(pi / T)) / 2
 * (the recursive form of Loshchilov and Hutter 2017, eq. 5, that PyTorch's CosineAnnealingLR uses). */
#ifndef TRAIN_SCHEDULE_H
#define TRAIN_SCHEDULE_H
#include "config/config.h"

struct rate { double initial, current; };

void rate_at_step(const struct schedule_config *, long step, struct rate *);            /* before step `step`, from 0 */
void rate_after_epoch(const struct schedule_config *, int finished, struct rate *);

/* Steps of the optimiser in an epoch of so many batches; the last step uses the remaining ones. */
static inline int steps_per_epoch(const struct schedule_config *c, int batches)
{
    return (batches - 1) / c->accumulate + 1;
}
#endif
