/* train/advice.h -- warnings about values of a configuration that are valid but harm a training, with better values. */
#ifndef TRAIN_ADVICE_H
#define TRAIN_ADVICE_H
#include "base/string_list.h"
#include "model/model.h"

/* Adds a line to warnings, "WARNING: FILE:LINE: KEY ...", for
 *     schedule.warmup.steps             more than half of the run's steps
 *     schedule.lr_schedule.T_max        different from total_epochs
 *     schedule.val_intervals            more than total_epochs
 *     model.weight_averager.decay       an average over more steps, 1 / (1 - decay), than the run has
 *     device.batchsize_per_gpu          more than the images, or an epoch drops more than a quarter of the images
 *     data.val.resize, pipeline.normalize      different from data.train's
 *     data.train.mosaic.stop_epochs     no epoch with mosaics
 *     data.train.pipeline.rotate90      with resize stretch and an input that is not square, without mosaics
 *     data.val.tiles.size               not set, but data.train.tiles.size is
 * If another batch size is advised, the other rules use the number of steps with that batch size, so that all advice
 * can be followed at once.  places: those of an epoch (data/repeat.h); 0: unknown, rules that depend on it are
 * skipped. */
bool config_advice(const struct config *, int places, struct string_list *warnings, struct error *);

/* The largest batch size up to max with which an epoch of that many samples drops at most a quarter of them. */
int batch_up_to(int samples, int max);

/* Bytes that training needs with that batch size at the largest input size: the graph, the parameters with their
 * gradients and optimiser state, and the image caches. */
bool training_memory(struct model *, const struct policy *, int batch, uint64_t *bytes, struct error *);

/* Seconds per image of a training step without loading, at the input size of the last epoch, measured on a step of a
 * few images after a warm-up step. */
bool training_seconds(struct model *, const struct policy *, double *seconds, struct error *);

/* Adds a line to warnings if training needs more than `memory` bytes (machine_memory), with a batch that fits. */
bool memory_advice(struct model *, const struct policy *, uint64_t memory, struct string_list *warnings,
                   struct error *);
#endif
