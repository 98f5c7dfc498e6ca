/* data/repeat.h -- images of rare classes several times per epoch (Gupta et al. 2019, "LVIS", repeat-factor sampling).
 *
 *     r(image) = max over its classes c of max(1, sqrt(t / f(c))),    f(c): fraction of the images that have c
 *
 * A class counts if the image has an object of it to train on.  An epoch has ceil(sum of r) places, a constant, so the
 * number of batches is known before; the factors grow to fill it, by less than one part in the number of images.  In
 * each epoch an image has the whole number of places below or above its factor, by systematic sampling: with cumulated
 * factors R and one random offset per epoch, place p belongs to the first image whose R exceeds p + offset. */
#ifndef DATA_REPEAT_H
#define DATA_REPEAT_H
#include "base/random.h"
#include "data/dataset.h"

/* Places of an epoch with threshold t; 0: one per image.  end [image_count] (NULL: not wanted) takes R.  label as for
 * sample_objects, or NULL: no class counts.  -1: out of memory. */
int count_epoch_places(const struct dataset *, const int *label, double t, double *end, struct error *);

/* image[places]: the image of each place, ascending. */
void repeat_images(const double *end, int images, int places, struct random *, int *image);
#endif
