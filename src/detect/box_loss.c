#include "detect/box_loss.h"

#include <math.h>

/* A value and its derivative by the four coordinates of the predicted box (forward-mode differentiation).  Only a few
 * boxes per image have a loss, so this costs little. */
struct dual { double v, d[4]; };

/* The derivative of max(a, b) by a. */
static double max_slope(double a, double b)
{
    return a > b ? 1 : a < b ? 0 : 0.5;
}

static struct dual constant(double v)
{
    return (struct dual){ .v = v };
}

/* u a + v b */
static struct dual combine(double u, struct dual a, double v, struct dual b)
{
    struct dual y = { .v = u * a.v + v * b.v };
    for (int i = 0; i < 4; i++)
        y.d[i] = u * a.d[i] + v * b.d[i];
    return y;
}

/* f(a), where f has this value and slope at a.v. */
static struct dual chain(double value, double slope, struct dual a)
{
    struct dual y = { .v = value };
    for (int i = 0; i < 4; i++)
        y.d[i] = slope * a.d[i];
    return y;
}

static struct dual add(struct dual a, struct dual b)        { return combine(1, a, 1, b); }
static struct dual subtract(struct dual a, struct dual b)   { return combine(1, a, -1, b); }
static struct dual offset(struct dual a, double eps)        { return add(a, constant(eps)); }
static struct dual at_least(struct dual a, double eps)      { return chain(fmax(a.v, eps), max_slope(a.v, eps), a); }
static struct dual cut(struct dual a)                       { return chain(fmax(a.v, 0), a.v > 0, a); }

static struct dual multiply(struct dual a, struct dual b)
{
    struct dual y = combine(b.v, a, a.v, b);
    y.v = a.v * b.v;
    return y;
}

static struct dual divide(struct dual a, struct dual b)
{
    struct dual y = combine(1 / b.v, a, -a.v / (b.v * b.v), b);
    y.v = a.v / b.v;
    return y;
}

static struct dual coordinate(const double p[4], int i)
{
    struct dual y = { .v = p[i] };
    y.d[i] = 1;
    return y;
}

/* Along an axis: the side of p, of the intersection, of the enclosing box; the distance of the centres. */
static struct dual side(const double p[4], int axis)
{
    return subtract(coordinate(p, axis + 2), coordinate(p, axis));
}

static struct dual common_side(const double p[4], const double t[4], int axis)
{
    const int i = axis, j = axis + 2;
    const struct dual low = chain(fmax(p[i], t[i]), max_slope(p[i], t[i]), coordinate(p, i));
    const struct dual high = chain(fmin(p[j], t[j]), max_slope(t[j], p[j]), coordinate(p, j));
    return cut(subtract(high, low));
}

static struct dual enclosing_side(const double p[4], const double t[4], int axis)
{
    const int i = axis, j = axis + 2;
    const struct dual low = chain(fmin(p[i], t[i]), max_slope(t[i], p[i]), coordinate(p, i));
    const struct dual high = chain(fmax(p[j], t[j]), max_slope(p[j], t[j]), coordinate(p, j));
    return cut(subtract(high, low));
}

static struct dual shift(const double p[4], const double t[4], int axis)
{
    const struct dual centre = combine(0.5, coordinate(p, axis), 0.5, coordinate(p, axis + 2));
    return offset(centre, -0.5 * (t[axis] + t[axis + 2]));
}

static struct dual intersection(const double p[4], const double t[4])
{
    return multiply(common_side(p, t, 0), common_side(p, t, 1));
}

static struct dual union_area(const double p[4], const double t[4])
{
    const struct dual areas = offset(multiply(side(p, 0), side(p, 1)), (t[2] - t[0]) * (t[3] - t[1]));
    return subtract(areas, intersection(p, t));
}

static double result(struct dual loss, double slope[4])
{
    for (int i = 0; i < 4; i++)
        slope[i] = loss.d[i];
    return loss.v;
}

static double iou_loss(const double p[4], const double t[4], double eps, double slope[4])
{
    const struct dual iou = divide(intersection(p, t), at_least(union_area(p, t), 1e-6));
    const double bounded = fmax(iou.v, eps);
    return result(chain(-log(bounded), iou.v > eps ? -1 / bounded : 0, iou), slope);
}

static double giou_loss(const double p[4], const double t[4], double eps, double slope[4])
{
    const struct dual u = at_least(union_area(p, t), eps), iou = divide(intersection(p, t), u);
    const struct dual c = at_least(multiply(enclosing_side(p, t, 0), enclosing_side(p, t, 1)), eps);
    return result(subtract(constant(1), subtract(iou, divide(subtract(c, u), c))), slope);
}

/* 1 - IoU and rho^2 / (c^2 + eps): the common terms of DIoU, CIoU and EIoU. */
static struct dual one_minus_iou(const double p[4], const double t[4], double eps)
{
    return subtract(constant(1), divide(intersection(p, t), offset(union_area(p, t), eps)));
}

static struct dual distance_term(const double p[4], const double t[4], double eps)
{
    const struct dual x = shift(p, t, 0), y = shift(p, t, 1), w = enclosing_side(p, t, 0), h = enclosing_side(p, t, 1);
    return divide(add(multiply(x, x), multiply(y, y)), offset(add(multiply(w, w), multiply(h, h)), eps));
}

static double diou_loss(const double p[4], const double t[4], double eps, double slope[4])
{
    return result(add(one_minus_iou(p, t, eps), distance_term(p, t, eps)), slope);
}

static double ciou_loss(const double p[4], const double t[4], double eps, double slope[4])
{
    const double pi = 3.14159265358979323846;
    const struct dual ratio = divide(side(p, 0), offset(side(p, 1), eps)), missed = one_minus_iou(p, t, eps);
    const struct dual angle = chain(atan(ratio.v), 1 / (1 + ratio.v * ratio.v), ratio);
    const struct dual angle_gap = offset(angle, -atan((t[2] - t[0]) / (t[3] - t[1] + eps)));
    const struct dual v = chain(4 / (pi * pi) * angle_gap.v * angle_gap.v, 8 / (pi * pi) * angle_gap.v, angle_gap);
    const struct dual loss = add(missed, distance_term(p, t, eps));
    return result(v.v == 0 ? loss : add(loss, divide(multiply(v, v), add(missed, v))), slope);
}

static double eiou_loss(const double p[4], const double t[4], double eps, double slope[4])
{
    struct dual loss = add(one_minus_iou(p, t, eps), distance_term(p, t, eps));
    for (int axis = 0; axis < 2; axis++) {
        const struct dual gap = offset(side(p, axis), t[axis] - t[axis + 2]), outer = enclosing_side(p, t, axis);
        loss = add(loss, divide(multiply(gap, gap), offset(multiply(outer, outer), eps)));
    }
    return result(loss, slope);
}

/* Smooth L1 of x >= 0. */
static struct dual smooth(struct dual x)
{
    const double beta = 0.2;
    return x.v < beta ? chain(0.5 * x.v * x.v / beta, x.v / beta, x) : chain(x.v - 0.5 * beta, 1, x);
}

static double bounded_iou_loss(const double p[4], const double t[4], double eps, double slope[4])
{
    struct dual loss = {0};
    for (int axis = 0; axis < 2; axis++) {
        const struct dual d = shift(p, t, axis), w = side(p, axis), wide = constant(t[axis + 2] - t[axis]);
        const struct dual gap = chain(2 * fabs(d.v), 2 * (d.v > 0) - 2 * (d.v < 0), d);
        const struct dual moved = divide(subtract(wide, gap), offset(add(wide, gap), eps));
        const struct dual larger = divide(wide, offset(w, eps)), smaller = divide(w, offset(wide, eps));
        const double part = max_slope(smaller.v, larger.v);         /* of min(larger, smaller) by larger */
        struct dual sized = combine(part, larger, 1 - part, smaller);
        sized.v = fmin(larger.v, smaller.v);
        loss = add(loss, smooth(subtract(constant(1), at_least(moved, 0))));
        loss = add(loss, smooth(subtract(constant(1), sized)));
    }
    return result(loss, slope);
}

const struct box_loss box_losses[] = {
#define BOX_LOSS(name, eps, function) { #name, eps, function },
    BOX_LOSSES(BOX_LOSS)
    {0} };
