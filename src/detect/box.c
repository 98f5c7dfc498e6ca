#include "detect/box.h"

#include <math.h>

void box_to_double(const float from[4], double to[4])
{
    for (int i = 0; i < 4; i++)
        to[i] = from[i];
}

double box_iof(const double a[4], const double b[4])
{
    return box_intersection(a, b) / fmax(box_area(a), box_area_min);
}

double box_giou(const double a[4], const double b[4])
{
    const double outer[4] = { fmin(a[0], b[0]), fmin(a[1], b[1]), fmax(a[2], b[2]), fmax(a[3], b[3]) };
    const double sides = fmax(outer[2] - outer[0], 0) * fmax(outer[3] - outer[1], 0);
    const double enclosing = fmax(sides, box_area_min);
    const double union_area = fmax(box_area(a) + box_area(b) - box_intersection(a, b), box_area_min);
    return box_iou(a, b) - (enclosing - union_area) / enclosing;
}

void box_from_distance(double x, double y, const double distance[4], double box[4])
{
    box[0] = x - distance[0];
    box[1] = y - distance[1];
    box[2] = x + distance[2];
    box[3] = y + distance[3];
}

void box_to_distance(double x, double y, const double box[4], double distance[4])
{
    distance[0] = x - box[0];
    distance[1] = y - box[1];
    distance[2] = box[2] - x;
    distance[3] = box[3] - y;
}

void box_to_target(double x, double y, const double box[4], double stride, int reg_max, double target[4])
{
    box_to_distance(x, y, box, target);
    for (int i = 0; i < 4; i++)
        target[i] = fmin(fmax(target[i] / stride, 0), reg_max - 0.1);
}

void box_divide(double box[4], double unit)
{
    for (int i = 0; i < 4; i++)
        box[i] /= unit;
}

void box_clip(double box[4], double width, double height)
{
    for (int i = 0; i < 4; i++)
        box[i] = fmin(fmax(box[i], 0), i % 2 ? height : width);
}
