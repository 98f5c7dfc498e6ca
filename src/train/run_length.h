/* train/run_length.h -- numbers of a configuration that depend on the length of the run. */
#ifndef TRAIN_RUN_LENGTH_H
#define TRAIN_RUN_LENGTH_H
#include "train/trainer.h"

/* The sum of the areas of the input over the epochs first .. end - 1, each relative to that of the last of `epochs`. */
double sum_input_areas(const struct config *, int first, int end, int epochs);

/* The area that passes through the network in an evaluation, tiles included, relative to that of an image in the last
 * epoch of training. */
double evaluation_area(const struct config *, const struct dataset *val);

struct run_costs {                      /* seconds */
    double start;                       /* before the first step */
    double training;                    /* of an epoch, at the input size of the last one */
    double evaluation, end;             /* of an evaluation; of the rest of an epoch's end */
};
double estimate_run_seconds(const struct config *, const struct run_costs *, int epochs);

/* An estimate before the run, from the seconds of a training step per image (train/advice.h).  places: of an epoch;
 * val_area: evaluation_area, or 0 for the time without evaluations. */
struct run_costs expected_costs(const struct config *, int places, double val_area, double seconds);

/* The largest number of epochs that takes at most so many seconds, but at least 1. */
int find_epochs_within(const struct config *, const struct run_costs *, double seconds);

/* Chooses total_epochs for schedule.hours.  Measures steps, an evaluation and a checkpoint, then sets the parameters
 * and the optimizer back to their values before.  Also sets T_max to total_epochs, a longer warm-up to a tenth of the
 * steps, and hours to 0: a run of the resulting configuration trains the same bits.  start: clock_seconds() when the
 * command began. */
bool choose_epochs(struct trainer *, double start, struct error *);

/* The last part alone: sets these keys for a run of so many steps per epoch. */
bool set_epochs(struct config *, int epochs, long steps_per_epoch, struct error *);

/* Takes these numbers from the configuration of the run that is resumed. */
bool adopt_epochs(struct config *, const struct config *saved, struct error *);

/* Sets the decay and the tau of the average for model.weight_averager.span in a run with so many steps per epoch: the
 * average covers s = span x steps of the run, decay = 1 - 1 / s, tau = min(2000, s). */
bool resolve_average(struct config *, long steps_per_epoch, struct error *);
#endif
