/* train/checkpoint.h -- the state of a run in a safetensors file; a resumed run continues bit-identically.
 *
 *     NAME           the value of each parameter, under its official name; all tensors are F32
 *     ema.NAME       its moving average, if the run keeps one
 *     moment1.NAME, moment2.NAME      the optimiser's moments of the trained parameters, as far as it has them
 *
 * Everything else is metadata: the counters and digests below, the learning rates, which are computed recursively
 * (schedule.h), and the description of the model (weights/file_config.h).  Random numbers need no state, since they
 * depend only on (seed, epoch, position) and (seed, step). */
#ifndef TRAIN_CHECKPOINT_H
#define TRAIN_CHECKPOINT_H
#include "base/string_list.h"
#include "train/optimizer.h"

/* The progress of a run between two steps; the optimizer counts steps and finished epochs. */
struct run_state {
    int batch;                      /* batches done in this epoch; if all are done, only its evaluation remains */
    int images;                     /* of the training set; the order of images depends on it */
    double best; int best_epoch;    /* highest score and its epoch, from 1; 0: none yet */
    uint64_t data[2];               /* digests of data.train and data.val (data/validate.h); 0: unknown */
    uint64_t teacher;               /* digest of the teacher (teacher.h); 0: none */
};

/* Equal runs give equal bytes.  The new file replaces an existing one atomically.  Fails, naming the tensor, and writes
 * nothing if an element of a weight, statistic, moment or average is not finite. */
bool checkpoint_write(const char *path, const struct optimizer *, const struct run_state *, const char *description,
                      struct error *);

/* Fails, naming the tensor or the metadata, unless the file is valid (interop/safetensors.h) and complete for a model
 * and optimizer of these shapes.  After a failure the values of the optimizer and its parameters are undefined.  Adds a
 * note if the file has no description. */
bool checkpoint_read(const char *path, struct optimizer *, struct run_state *, struct string_list *notes,
                     struct error *);

/* Writes the weights for inference, averaged if the run keeps an average, with "epoch" and "score" as metadata, and
 * the threshold by weights_add_threshold.  Fails as checkpoint_write does. */
bool checkpoint_write_best(const char *path, const struct optimizer *, const struct run_state *,
                           const char *description, double threshold, struct error *);

/* The score_threshold, 0 to 1, of a file that checkpoint_write_best or model_export wrote; -1 if the file has none.
 * Fails if the file cannot be read or the number is wrong. */
bool checkpoint_threshold(const char *path, double *threshold, struct error *);

/* Parses a number in metadata: name is one of checkpoint_write's counters, "score" or "score_threshold".  Fails, naming
 * the range, unless the text is a plain decimal number in that range, and an integer for counters. */
bool checkpoint_number(const char *name, const char *text, double *number, struct error *);
#endif
