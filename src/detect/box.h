/* detect/box.h -- overlap of boxes, and boxes as distances from a prior.  A box is x1, y1, x2, y2; its area is
 * (x2 - x1) (y2 - y1), without + 1; denominators are at least 1e-6.  Distances are left, top, right, bottom. */
#ifndef DETECT_BOX_H
#define DETECT_BOX_H

static const double box_area_min = 1e-6;

void box_to_double(const float from[4], double to[4]);

static inline double box_area(const double a[4])
{
    return (a[2] - a[0]) * (a[3] - a[1]);
}

static inline double box_intersection(const double a[4], const double b[4])
{
    const double left = a[0] > b[0] ? a[0] : b[0], right = a[2] < b[2] ? a[2] : b[2];
    const double top = a[1] > b[1] ? a[1] : b[1], bottom = a[3] < b[3] ? a[3] : b[3];
    return right > left && bottom > top ? (right - left) * (bottom - top) : 0;
}

/* Intersection over union. */
static inline double box_iou(const double a[4], const double b[4])
{
    const double common = box_intersection(a, b), both = box_area(a) + box_area(b) - common;
    return common > 0 ? common / (both > box_area_min ? both : box_area_min) : 0;
}

double box_iof(const double a[4], const double b[4]);   /* intersection over the area of a */
double box_giou(const double a[4], const double b[4]);  /* IoU - (C - U) / C, C: enclosing box (Rezatofighi 2019) */

void box_from_distance(double x, double y, const double distance[4], double box[4]);
void box_to_distance(double x, double y, const double box[4], double distance[4]);      /* signed */
/* The regression target: distances in strides, clamped to [0, reg_max - 0.1]. */
void box_to_target(double x, double y, const double box[4], double stride, int reg_max, double target[4]);
void box_divide(double box[4], double unit);            /* into units of so many pixels */
void box_clip(double box[4], double width, double height);              /* to [0, width] x [0, height] */
#endif
