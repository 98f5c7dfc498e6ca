/* train/advice.h -- values of a configuration that are allowed and yet spoil a training, each with one that suits. */
#ifndef TRAIN_ADVICE_H
#define TRAIN_ADVICE_H
#include "base/string_list.h"
#include "model/model.h"

/* Adds a line to warnings, "WARNING: FILE:LINE: KEY ...", for
 *     schedule.warmup.steps             more than half of the run's steps
 *     schedule.lr_schedule.T_max        unlike total_epochs
 *     schedule.val_intervals            more than total_epochs
 *     model.weight_averager.decay       an average over more steps, 1 / (1 - decay), than the run has
 *     device.batchsize_per_gpu          more than the images, or an epoch leaves out more than a quarter of them
 *     data.val.resize, pipeline.normalize      other than data.train's
 * If a batch is advised, the steps of the run are those with it, so that all advice can be followed at once.
 * train_images 0: not known; then what depends on it is not judged. */
bool config_advice(const struct config *, int train_images, struct string_list *warnings, struct error *);

/* Bytes planned for training with that batch at the largest input size: the graph, parameters and what the optimiser
 * keeps for each, the caches. */
bool training_memory(struct model *, const struct policy *, int batch, uint64_t *bytes, struct error *);

/* Seconds per image of a training step without loading, measured on a step of few images after a first one. */
bool training_seconds(struct model *, const struct policy *, double *seconds, struct error *);

/* Adds a line to warnings if training needs more than `memory` bytes (machine_memory), with the batch that fits. */
bool memory_advice(struct model *, const struct policy *, uint64_t memory, struct string_list *warnings,
                   struct error *);
#endif
