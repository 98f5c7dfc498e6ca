/* detect/box.h -- IoF and GIoU of boxes x1, y1, x2, y2, whose denominators are at least 1e-6, and boxes as distances
 * from a prior: left, top, right, bottom. */
#ifndef DETECT_BOX_H
#define DETECT_BOX_H

#include "base/iou.h"

void box_to_double(const float from[4], double to[4]);

double box_iof(const double a[4], const double b[4]);   /* intersection over the area of a */
double box_giou(const double a[4], const double b[4]);  /* IoU - (C - U) / C, C: enclosing box (Rezatofighi 2019) */

void box_from_distance(double x, double y, const double distance[4], double box[4]);
void box_to_distance(double x, double y, const double box[4], double distance[4]);      /* signed */
/* The regression target: distances in strides, clamped to [0, reg_max - 0.1]. */
void box_to_target(double x, double y, const double box[4], double stride, int reg_max, double target[4]);
void box_divide(double box[4], double unit);            /* into units of so many pixels */
void box_clip(double box[4], double width, double height);              /* to [0, width] x [0, height] */
#endif
