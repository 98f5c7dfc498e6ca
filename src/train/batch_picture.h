/* train/batch_picture.h -- batches as the network sees them, for people: augmented samples with the boxes that they are
 * trained on, in a grid. */
#ifndef TRAIN_BATCH_PICTURE_H
#define TRAIN_BATCH_PICTURE_H
#include "config/config.h"
#include "data/sample.h"
#include "report/log.h"

enum { BATCH_PICTURES = 3 };            /* of a run: train_batch0.jpg to train_batch2.jpg */

/* The first 16 samples of a batch of that section's pipeline; boxes to ignore are grey, small ones have no name.
 * image_free the result. */
bool batch_picture(struct image *, const struct batch *, const struct data_config *, const struct strings *class_names,
                   struct error *);

/* The same in the file train_batch<step>.jpg of save_dir, for one of the first batches of a run; else nothing.
 * A failure is a line of the log. */
void batch_picture_write(const struct batch *, const struct config *, struct log *);
#endif
