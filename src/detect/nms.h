/* detect/nms.h -- greedy non-maximum suppression, per class or class-agnostic. */
#ifndef DETECT_NMS_H
#define DETECT_NMS_H
#include <stdbool.h>

struct scored { float score; int box, label; };         /* box: an index */

/* Visits the list in the order of descending score, then box, then label.  Keeps an element unless a kept one of the
 * same label (class_agnostic: of any label) overlaps it with an IoU above iou_thr.  Stops at max_kept elements; a
 * negative max_kept means no limit.  Returns the number kept; these are at the front of the list, best first.  Boxes
 * are x1, y1, x2, y2; labels >= 0.
 *
 * As in the original code, IoUs are computed in float on boxes shifted by an offset per class (class_agnostic: not
 * shifted), so an IoU of exactly 3/5 exceeds 0.6. */
int nms(struct scored *list, int count, const float (*box)[4], double iou_thr, bool class_agnostic, int max_kept);
#endif
