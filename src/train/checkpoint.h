/* train/checkpoint.h -- a run on disk: a safetensors file that training goes on from as if it had never stopped.
 *
 *     NAME           the value of each parameter, under its official name; all tensors are F32
 *     ema.NAME       its average, where one is kept
 *     moment1.NAME, moment2.NAME      of the trained ones, as far as the optimiser has them
 *
 * Everything else is metadata: the counters and digests below, the learning rates, which are a recursion (schedule.h),
 * and the description of the model (weights/file_config.h).  Random numbers need no state, since they are drawn from
 * (seed, epoch, place) and (seed, step). */
#ifndef TRAIN_CHECKPOINT_H
#define TRAIN_CHECKPOINT_H
#include "base/string_list.h"
#include "train/optimizer.h"

/* Where a run stands between two steps; the optimizer counts steps and whole epochs. */
struct run_state {
    int batch;                      /* taken of the epoch under way; all of them: only its evaluation is left */
    int images;                     /* of the training set: another number, another order */
    double best; int best_epoch;    /* highest score and the epoch that reached it, from 1; 0: none yet */
    uint64_t data[2];               /* digests of data.train and data.val (data/validate.h); 0: not known */
};

/* Equal runs give equal bytes.  An existing file stays until the new one is complete.  Fails, naming the tensor, and
 * writes nothing if an element of a weight, statistic, moment or average is not finite. */
bool checkpoint_write(const char *path, const struct optimizer *, const struct run_state *, const char *description,
                      struct error *);

/* Fails, naming what is wrong, unless the file is undamaged (interop/safetensors.h) and holds everything, for a model
 * and optimizer of these shapes.  After a failure the values of the optimizer and its parameters are undefined.  A file
 * without description is noted. */
bool checkpoint_read(const char *path, struct optimizer *, struct run_state *, struct string_list *notes,
                     struct error *);

/* The weights that the model detects with, averaged where an average is kept, and what they scored: metadata "epoch",
 * "score".  Fails as checkpoint_write does. */
bool checkpoint_write_best(const char *path, const struct optimizer *, const struct run_state *,
                           const char *description, struct error *);

/* Reads the text of a number in metadata: name is one of checkpoint_write's counters or "score".  Fails, naming the
 * range, unless the text is a plain decimal number in it, and a whole one for counters. */
bool checkpoint_number(const char *name, const char *text, double *number, struct error *);
#endif
