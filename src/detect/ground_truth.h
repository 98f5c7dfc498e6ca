/* detect/ground_truth.h -- the labelled objects of one image, which priors are matched to. */
#ifndef DETECT_GROUND_TRUTH_H
#define DETECT_GROUND_TRUTH_H
#include <stdbool.h>

/* Borrowed; boxes are x1, y1, x2, y2 in pixels of the network's input and may be empty or outside it. */
struct ground_truth {
    int objects, ignored;           /* either may be 0 */
    const float (*box)[4];          /* [objects] */
    const int *label;               /* [objects] 0 <= label < classes */
    const float (*ignore)[4];       /* [ignored] regions without labels */
};

/* A match is the index of an object or one of these.  An ignored prior does not contribute to the loss. */
enum { MATCH_BACKGROUND = -1, MATCH_IGNORED = -2 };

/* Does more than iof_thr of the box's area lie in one ignore region?  Never if iof_thr is not positive. */
bool ground_truth_ignores(const struct ground_truth *, const double box[4], double iof_thr);
#endif
