/* report/labels.h -- places for the labels of boxes in an image: near their boxes, apart from each other, and hiding as
 * little of other boxes as possible.  Rectangles are x, y, width, height in pixels. */
#ifndef REPORT_LABELS_H
#define REPORT_LABELS_H
#include "base/error.h"

struct labels {
    int width, height;                          /* of the image */
    double (*boxes)[4]; int box_count;          /* [box_count] cut to the image */
    double (*taken)[4]; int taken_count;        /* [box_count + 1] by labels and the legend */
};

/* Allocates count boxes, which the caller sets.  labels_free in any case. */
bool labels_init(struct labels *, int width, int height, int count, struct error *);
void labels_set_box(struct labels *, int i, const double box[4]);
void labels_free(struct labels *);

/* Finds the best place for a label of place[2] x place[3] pixels, at most the image, near box i, sets place[0] and
 * place[1], and reserves the place.  It lies in the image, preferably above the box, left-aligned. */
void labels_place(struct labels *, int i, double place[4]);

/* The same for a legend at the border of the image, in a corner if it hides no more there.  Returns the sum over the
 * boxes of the fraction that it hides.  The place is not reserved. */
double labels_border(const struct labels *, double place[4]);
void labels_take(struct labels *, const double place[4]);
#endif
