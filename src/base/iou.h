/* base/iou.h -- overlap of boxes x1, y1, x2, y2.  The area is (x2 - x1) (y2 - y1), without + 1. */
#ifndef BASE_IOU_H
#define BASE_IOU_H

static const double box_area_min = 1e-6;        /* of a denominator */

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

/* The same of boxes x, y, width, height. */
static inline double sized_box_iou(const double a[4], const double b[4])
{
    const double p[4] = { a[0], a[1], a[0] + a[2], a[1] + a[3] }, q[4] = { b[0], b[1], b[0] + b[2], b[1] + b[3] };
    return box_iou(p, q);
}

/* The same with every step rounded to float, as PyTorch's suppression computes it; NaN for two empty boxes. */
static inline float box_iou_float(const float a[4], const float b[4])
{
    const float left = a[0] > b[0] ? a[0] : b[0], right = a[2] < b[2] ? a[2] : b[2];
    const float top = a[1] > b[1] ? a[1] : b[1], bottom = a[3] < b[3] ? a[3] : b[3];
    const float common = right > left && bottom > top ? (right - left) * (bottom - top) : 0;
    return common / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common);
}
#endif
