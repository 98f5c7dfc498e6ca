/* train/plan.h -- a configuration for a data set and a machine: the choices, and the text that explains them.
 *
 *     input        the smallest size at which a quarter of the objects is smaller than 12 pixels or fewer objects are;
 *                  not larger than the images; the ratio of its sides is theirs unless they are nearly square
 *     crops        if not even 416 x 416 is enough, training enlarges its images and validation sees a larger input
 *     batch        16, of small sets an eighth of the images, at least 4; what the memory has room for
 *     epochs       8000 samples from trained weights, 40000 from random ones; limits, and a time of one night
 *     lr           0.001 for a batch of 16, in proportion to the root of the batch
 *     warm-up      a 25th of the steps
 *     average      over a tenth of the steps (model.weight_averager.span)
 *     cache        if all decoded images take at most a quarter of the memory */
#ifndef TRAIN_PLAN_H
#define TRAIN_PLAN_H
#include "base/strbuf.h"
#include "data/dataset.h"
#include "data/discover.h"
#include "weights/zoo.h"

struct set_facts {
    int images, val_images;
    double width, height;               /* of the image in the middle by each of them */
    double object;                      /* root of (area of the box / area of the image): a quarter is smaller */
    double megabytes, val_megabytes;    /* of all images decoded */
    double jpegs;                       /* fraction of the images */
};

struct subset { const struct dataset *set; const bool *member; };       /* member[images], or NULL: all images */

/* Measures images with known sizes; 0 x 0 if none is known.  label: the class of each category of training, or -1.
 * False: out of memory. */
bool facts_of(struct set_facts *, const struct subset *training, const int *label, const struct subset *validation,
              struct error *);

struct plan {
    struct set_facts facts;
    bool pretrained;
    int input[2], val_input[2];
    bool small, crops;                  /* objects are small; tiny */
    int batch, epochs, val_intervals, warmup, log_interval;
    bool night;                         /* fewer epochs, so that the run ends within one night */
    double lr;
    int cache_mb, val_cache_mb;         /* 0: none */
    bool scaled_decode;
};

/* memory: bytes of the machine.  max_batch: what fits into it. */
void plan_choose(struct plan *, const struct set_facts *, bool pretrained, uint64_t memory, int max_batch);

/* Reduces the epochs to those of one night; seconds: of a training step per image. */
void plan_limit_time(struct plan *, double seconds);

struct plan_text {                      /* borrowed */
    const struct discovery *found;
    const struct found_model *model;
    const char *weights;                /* NULL: from random ones */
    const char *folder, *save_dir;
    bool divided;                       /* the lists of images were drawn at random */
};
void plan_write(const struct plan *, const struct plan_text *, struct strbuf *);
#endif
