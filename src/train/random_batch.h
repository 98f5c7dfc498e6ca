/* train/random_batch.h -- a batch of random pixels and boxes for measuring speed. */
#ifndef TRAIN_RANDOM_BATCH_H
#define TRAIN_RANDOM_BATCH_H
#include "train/train_step.h"

enum { RANDOM_BOXES = 8 };              /* per image */

struct random_batch {
    struct input_batch images;               /* n images of the size, padded to a multiple of 32 */
    float *pixel; struct ground_truth *ground_truth; float (*box)[4]; int *label;
};

bool random_batch_init(struct random_batch *, const int size[2], int n, int classes, struct error *);
void random_batch_free(struct random_batch *);
#endif
