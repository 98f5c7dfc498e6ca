/* train/save_dir.h -- the folder of a run, locked by one training at a time. */
#ifndef TRAIN_SAVE_DIR_H
#define TRAIN_SAVE_DIR_H
#include "config/config.h"
#include <stdio.h>

/* Creates and locks the folder, then removes temporary files of the run that a killed process has left.  fclose(*lock)
 * or the end of the process releases the lock.  Fails without changing a file if another training has the lock (exit 1)
 * or if a file of the run is an input of the training (exit 2): a file of the configuration, or weights or pretrain,
 * which may be NULL.  If the file system has no locks, it succeeds and *unlocked is the errno; else 0.  *lock must be
 * NULL before; it may be open after a failure. */
bool save_dir_open(FILE **lock, int *unlocked, const struct config *, const char *weights, const char *pretrain,
                   struct error *);

/* Renames a file of an earlier run, so that this run never continues it: .old is appended.  A missing file is fine. */
bool rename_old(const char *path, struct error *);
#endif
