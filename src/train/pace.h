/* train/pace.h -- how long a run still takes, from the times that its steps and ends of epochs have taken.  Times are
 * in seconds; {0} knows nothing yet. */
#ifndef TRAIN_PACE_H
#define TRAIN_PACE_H
#include <stdbool.h>

struct mean { double value; long count; };

struct pace {
    struct mean image;                  /* of training, over about the last 50 steps */
    struct mean end[2];                 /* of the end of an epoch; [1]: with its evaluation */
};

void pace_step(struct pace *, int images, double seconds);
void pace_end(struct pace *, bool evaluated, double seconds);

struct work_left {
    double images;                      /* to train on */
    int val_images;                     /* per evaluation */
    int ends, evaluations;              /* of epochs, and how many of these are evaluated */
};

/* Before the first evaluation an image of it counts as a third of one of training: it has no backward pass. */
double pace_left(const struct pace *, const struct work_left *);
#endif
