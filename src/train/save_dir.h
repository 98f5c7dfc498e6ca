/* train/save_dir.h -- the folder of a run, which belongs to one training at a time. */
#ifndef TRAIN_SAVE_DIR_H
#define TRAIN_SAVE_DIR_H
#include "config/config.h"
#include <stdio.h>

/* Makes the folder and locks it until fclose(*lock) or the end of the process, whatever ends it; then removes temporary
 * files of the run that a killed process has left.  Fails, without a change to a file, if another training has the lock
 * or if a file of the run is one that the training reads: exit 2.  *unlocked: errno of a file system that has no locks,
 * where the training goes on; else 0. */
bool save_dir_open(FILE **lock, int *unlocked, const struct config *, const char *weights, struct error *);
#endif
