/* train/pace.h -- estimates the remaining time of a run from the durations of its steps and epoch ends.  Times are in
 * seconds; {0} has no measurements yet. */
#ifndef TRAIN_PACE_H
#define TRAIN_PACE_H
#include <stdbool.h>

struct running_mean { double value; long count; };

struct pace {
    struct running_mean image;          /* of training, over about the last 50 steps */
    struct running_mean end[2];         /* of the end of an epoch; [1]: with its evaluation */
};

void pace_step(struct pace *, double images, double seconds);
void pace_end(struct pace *, bool evaluated, double seconds);

struct remaining_work {
    double images;                      /* to train on */
    double evaluation_area;             /* of an evaluation, in images of training */
    int ends, evaluations;              /* epoch ends, and those of them with an evaluation */
};

/* An estimate before the first one: its area, in images of training, counts a third, since it has no backward pass. */
double evaluation_seconds(double seconds_per_training_image, double area);

double pace_seconds_left(const struct pace *, const struct remaining_work *);
#endif
