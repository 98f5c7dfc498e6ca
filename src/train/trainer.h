/* train/trainer.h -- a training from its configuration to the files in save_dir.
 *
 * 1. A run is a sequence of steps, and after the last step of an epoch its evaluation, if one is due: every
 *    val_intervals epochs and after the last one.  A step takes schedule.accumulate batches, the last one of an epoch
 *    what is left.
 * 2. What the run is between two steps is in optimizer, parameters and standing, and nowhere else; a checkpoint
 *    (checkpoint.h) holds all of it.
 * 3. model_last.safetensors is always a whole checkpoint of this run.  Rows of tables and model_best may be of later
 *    steps: what goes on from the checkpoint cuts or writes them again, the same to the bit.
 * 4. A step that meets a number that is not finite ends the run and writes no checkpoint.
 * 5. A line of train.log or an event that cannot be written ends the run with a checkpoint.  A row of a table that
 *    cannot be written ends it without one: --resume goes on from the last checkpoint and writes the row again. */
#ifndef TRAIN_TRAINER_H
#define TRAIN_TRAINER_H
#include "base/strbuf.h"
#include "data/loader.h"
#include "train/checkpoint.h"
#include "train/evaluate.h"
#include "train/pace.h"
#include "train/run_log.h"
#include <signal.h>

struct trainer;

struct training_options {               /* borrowed */
    struct policy policy;
    const char *weights;                /* a file to start from; NULL: schedule.load_model, if given, or what the
                                           backbone's pretrain names */
    bool resume;                        /* go on from model_last if it is there; or schedule.resume */
    FILE *screen;                       /* for progress and messages; NULL: none */
    const volatile sig_atomic_t *stop;  /* not 0: finish the step, write a checkpoint and return; NULL: never */
    void (*tell)(void *context, const struct trainer *);        /* after each step and each epoch; NULL: nobody */
    void *context;
};

struct trainer {
    struct config *config;
    struct training_options options;
    FILE *lock;                         /* of save_dir (save_dir.h) */
    struct run_log run_log;
    struct model model;
    struct train_step train_step;
    struct dataset dataset; int *label; /* of training; label[category] is its class, or -1 */
    struct evaluator *evaluator;
    struct cache *cache;
    struct loader *loader;
    struct ground_truth *truth;         /* [batch] */
    int *seen, seen_count;              /* [accumulate * batch] the images of the step under way */
    int skipped;                        /* unreadable images */
    struct run_state at;
    int batches;                        /* an epoch */
    char *last, *best;                  /* paths */
    struct strbuf description;            /* of the model, for its files: weights/file_config.h */
    double saved;                       /* when the last checkpoint was written, seconds */
    double measured; long images;       /* since when images are counted, and how many since */
    double stepped; struct pace pace;   /* when the last step or epoch ended; for the time left */
};

/* Reads model and data, and the checkpoint if there is one to go on from.  Exit 2 names keys in which the
 * configuration differs from the checkpoint's.  A model_last that is not gone on from, and model_best with it, is kept
 * under its name with .old behind.  trainer_close in any case. */
bool trainer_open(struct trainer *, struct config *, const struct training_options *, struct error *);
bool trainer_close(struct trainer *, struct error *);

bool trainer_finished(const struct trainer *);          /* all epochs are done */

/* One step, or what follows the last step of an epoch. */
bool trainer_advance(struct trainer *, struct error *);
bool trainer_save(struct trainer *, struct error *);    /* model_last */

/* Advances, with a checkpoint each epoch and every log.checkpoint_minutes, until all is done or *options.stop. */
bool trainer_run(struct trainer *, struct error *);
#endif
