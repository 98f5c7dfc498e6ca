/* train/save_dir.h -- the folder of a run, which belongs to one training at a time. */
#ifndef TRAIN_SAVE_DIR_H
#define TRAIN_SAVE_DIR_H
#include "config/config.h"
#include <stdio.h>

/* Makes the folder and locks it; then removes temporary files of the run that a killed process has left.  The lock
 * lasts until fclose(*lock) or the end of the process.  Fails, without a change to a file, if another training has the
 * lock (exit 1) or if a file of the run is one that the training reads (exit 2): a file of the configuration, or
 * weights or pretrain, which may be NULL.  *unlocked: errno if the file system has no locks, which is no failure; else
 * 0.  *lock must be NULL before; it may be open after a failure. */
bool save_dir_open(FILE **lock, int *unlocked, const struct config *, const char *weights, const char *pretrain,
                   struct error *);
#endif
