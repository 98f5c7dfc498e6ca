/* detect/merge.h -- one list of detections from several passes over an image, each of which saw a part of it at some
 * scale.  Neighbouring parts overlap, so passes find the same object, and find parts of objects at their borders. */
#ifndef DETECT_MERGE_H
#define DETECT_MERGE_H
#include "detect/postprocess.h"

/* Does a side of the box lie at a border of the part `view` (x1, y1, x2, y2) that is no border of the image?  "At": at
 * a distance of at most CUT_PERCENT of the view's extent, which allows for the error of a prediction. */
bool box_is_cut(const float box[4], const float view[4], struct image_size image);
enum { CUT_PERCENT = 2 };

/* Visits detections, with boxes in pixels of the image, in the order of descending score.  Keeps one unless a kept one
 * of the same label (class_agnostic: of any label) covers more than `threshold` of the smaller one of both boxes.  The
 * intersection is compared with the smaller box, not with the union: passes of different scale see the borders of an
 * object with different errors, and a tile that shows an object at an unusual scale finds parts of it.  Stops at
 * max_kept.  Returns the number kept; these are at the front of the list, best first. */
int merge_passes(struct detected *list, int count, double threshold, bool class_agnostic, int max_kept);
#endif
