/* data/copy_paste.h -- copies of small objects at other places of their image (Kisantal et al. 2019, "Augmentation for
 * small object detection"), in pixels of the input.
 *
 * An object is copied if both sides of its box have COPY_SIDE_MIN to COPY_SIDE_MAX pixels and no other box, ignore
 * boxes included, reaches into its patch: the box and a margin of COPY_MARGIN pixels, over which the copy blends into
 * its new surroundings, so that no edge marks the box of a copy.  A place is drawn uniformly from the part of the input
 * that the image fills.  It is taken if the patch lies inside of the image, touches no box, copies included, and has a
 * similar edge there: no channel of the mean colour of its outermost pixels differs by more than COPY_COLOUR.  This
 * leaves cars on roads and hides the ground that a patch takes along.  Otherwise another place is drawn, at most
 * COPY_ATTEMPTS times.  A copy has the class of its object. */
#ifndef DATA_COPY_PASTE_H
#define DATA_COPY_PASTE_H
#include "data/sample.h"

enum { COPY_SIDE_MIN = 4, COPY_SIDE_MAX = 32, COPY_MARGIN = 3, COPY_COLOUR = 24, COPY_ATTEMPTS = 20 };

/* Copies the objects of the part made last, each `copies` times on average.  The objects come first and are as before.
 * Without copies it draws no random number. */
bool copy_paste(struct sample *, double copies, struct random *, struct error *);
#endif
