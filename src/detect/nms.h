/* detect/nms.h -- greedy non-maximum suppression, within each class or between all. */
#ifndef DETECT_NMS_H
#define DETECT_NMS_H
#include <stdbool.h>

struct scored { float score; int box, label; };         /* box: an index */

/* Goes through the list by falling score, equal ones in their order, and keeps what no kept one of the same label
 * overlaps with an IoU above iou_thr, until max_kept are kept (all if it is negative).  class_agnostic: labels count
 * as the same.  Returns how many; they are at the front of the list, best first.  Boxes are x1, y1, x2, y2;
 * labels >= 0.
 *
 * Like the original it works in float, on boxes moved apart by their class (class_agnostic: as they are): an IoU of
 * 3/5 exactly exceeds 0.6. */
int nms(struct scored *list, int count, const float (*box)[4], double iou_thr, bool class_agnostic, int max_kept);
#endif
