/* data/split.h -- divides a set into images for training and images for validation.
 *
 * Frames of one sequence resemble each other, so a sequence lies on one side.  A sequence is the images of one folder
 * whose names are equal up to their last number (seq1_0001.jpg, seq1_0002.jpg); of VisDrone, up to the first '_'.
 * Versions that Roboflow makes of an image (0001_jpg.rf.HASH.jpg) count as this image.  A sequence of more than a
 * quarter of all images, as photographs of one camera are, is cut into runs of a twentieth of all images.
 *
 * Of 64 random divisions, the one is taken that first has boxes on both sides, then has the most classes on both sides,
 * then is closest to the fraction. */
#ifndef DATA_SPLIT_H
#define DATA_SPLIT_H
#include "data/dataset.h"

/* Sets is_val[images].  label: the class of each category, below classes, or -1; boxes with -1 do not count.
 * usable[images]: others are for training, which skips images that cannot be read.  The result depends on the names,
 * boxes and seed alone.  False, with err: out of memory.  *divided is false if no division has boxes on both sides. */
bool dataset_split(const struct dataset *, const int *label, int classes, bool by_first_word, const bool *usable,
                   double fraction, int seed, bool *is_val, bool *divided, struct error *);
#endif
