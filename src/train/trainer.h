/* train/trainer.h -- a training run from its configuration to the files in save_dir.
 *
 * 1. A run is a sequence of steps.  After the last step of an epoch it evaluates, every val_intervals epochs and after
 *    the last epoch.  It ends after total_epochs, or early by schedule.patience.  A step uses schedule.accumulate
 *    batches; the last step of an epoch uses the remaining ones.
 * 2. Between two steps the whole state of the run is in optimizer, parameters and run_state; a checkpoint
 *    (checkpoint.h) contains all of it.
 * 3. model_last.safetensors is always a complete checkpoint of this run.  Rows of tables and model_best may be of later
 *    steps: a resumed run removes or rewrites them, bit-identically.
 * 4. A number that is not finite ends the run without a checkpoint.
 * 5. A failure to write a line of train.log or an event ends the run with a checkpoint.  A failure to write a row of a
 *    table ends it without one: --resume continues from the last checkpoint and writes the row again. */
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
    const char *weights;                /* initial weights; NULL: schedule.load_model, if set, else the backbone's
                                           pretrain */
    bool resume;                        /* continue from model_last if it exists; as schedule.resume does */
    struct run_output output;
    const volatile sig_atomic_t *stop;  /* a signal; not 0: finish the step, write a checkpoint and return; NULL: never.
                                           In several processes any of them ends the run */
    void (*on_step)(void *context, const struct trainer *);     /* called after each step and each epoch; or NULL */
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
    struct image_cache *cache;
    struct loader *loader;
    struct ground_truth *ground_truth;  /* [batch] */
    int *step_images, step_image_count; /* [accumulate * batch * QUARTERS] the images of the current step */
    int step_samples;                   /* samples of the current step */
    int skipped_images;                 /* unreadable */
    struct run_state state;
    int places, batches;                /* of samples, per epoch (data/repeat.h); batches per epoch */
    char *last, *best;                  /* paths */
    struct strbuf description;          /* of the model, for its files: weights/file_config.h */
    double save_time;                   /* time of the last checkpoint; times are clock_seconds() */
    double rate_start; long rate_images;        /* images trained since rate_start, for images per second */
    double step_time; struct pace pace; /* end of the last step or epoch; estimate of the remaining time */
    double evaluation_area;             /* of data.val, train/run_length.h */
    int stop;                           /* the signal that ends the run, of any process; 0: none */
    long first_step; struct traffic traffic;    /* step and traffic of the processes at the start of trainer_run */
    float *padded; size_t padded_size;  /* of a share of a batch whose largest image another process has */
};

/* Is this the process that writes files?  In several processes, rank 0 does. */
bool trainer_writes(const struct trainer *);

/* Reads model and data, and the checkpoint if it resumes.  Exit 2 names keys in which the configuration differs from
 * the checkpoint's.  Without resuming, an existing model_last or model_best is renamed to its name with .old appended.
 * trainer_close in any case. */
bool trainer_open(struct trainer *, struct config *, const struct training_options *, struct error *);
bool trainer_close(struct trainer *, struct error *);

/* All epochs are done, or schedule.patience evaluations in a row have had no better score. */
bool trainer_finished(const struct trainer *);

long trainer_steps(const struct trainer *);             /* steps of the optimiser per epoch */

/* Computes one step.  The report lacks what belongs to the run: the rate of images and the remaining time. */
bool trainer_learn(struct trainer *, struct step_report *, struct error *);
/* Opens the loader at the next batch of the run; the first mosaic_epochs epochs of the run have mosaics. */
bool trainer_open_loader(struct trainer *, int mosaic_epochs, struct error *);

/* Runs one step, or the end of an epoch after its last step. */
bool trainer_advance(struct trainer *, struct error *);
bool trainer_save(struct trainer *, struct error *);    /* writes model_last */

/* Advances until all epochs are done or *options.stop is set.  Saves after each epoch and every log.checkpoint_minutes
 * minutes. */
bool trainer_run(struct trainer *, struct error *);
#endif
