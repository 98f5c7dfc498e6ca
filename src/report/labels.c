#include "report/labels.h"

#include "base/memory.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static double clamp(double v, double low, double high) { return fmax(low, fmin(v, high)); }

bool labels_init(struct labels *l, int width, int height, int count, struct error *err)
{
    *l = (struct labels){ .width = width, .height = height, .box_count = count };
    l->boxes = new_array((size_t)count, sizeof *l->boxes, err);
    l->taken = new_array((size_t)count + 1, sizeof *l->taken, err);
    return l->boxes && l->taken;
}

void labels_set_box(struct labels *l, int i, const double box[4])
{
    const double extent[2] = { l->width, l->height };
    for (int k = 0; k < 2; k++) {
        l->boxes[i][k] = clamp(box[k], 0, extent[k]);
        l->boxes[i][k + 2] = clamp(box[k] + box[k + 2], 0, extent[k]) - l->boxes[i][k];
    }
}

void labels_free(struct labels *l)
{
    free(l->boxes);
    free(l->taken);
    *l = (struct labels){0};
}

/* The length of the intersection of two intervals.  Comparisons are faster than calls of fmin and fmax, which took a
 * tenth of the time of predict. */
static double common_length(double from, double to, double other_from, double other_to)
{
    return (to < other_to ? to : other_to) - (from > other_from ? from : other_from);
}

static double common(const double a[4], const double b[4])
{
    const double w = common_length(a[0], a[0] + a[2], b[0], b[0] + b[2]);
    if (!(w > 0))
        return 0;
    const double h = common_length(a[1], a[1] + a[3], b[1], b[1] + b[3]);
    return h > 0 ? w * h : 0;
}

static double hidden(const struct labels *l, const double place[4])
{
    double sum = 0;
    for (int i = 0; i < l->box_count; i++) {
        const double area = common(place, l->boxes[i]);
        if (area > 0)
            sum += area / fmax(l->boxes[i][2] * l->boxes[i][3], 1);
    }
    return sum;
}

static double covered(const struct labels *l, const double place[4])
{
    double sum = 0;
    for (int i = 0; i < l->taken_count; i++) {
        const double area = common(place, l->taken[i]);
        if (area > 0)
            sum += 1 + 4 * area / fmin(place[2] * place[3], l->taken[i][2] * l->taken[i][3]);
    }
    return sum;
}

static double gap(const double a[4], const double b[4])
{
    const double x = fmax(0, fmax(a[0] - b[0] - b[2], b[0] - a[0] - a[2]));
    const double y = fmax(0, fmax(a[1] - b[1] - b[3], b[1] - a[1] - a[3]));
    return hypot(x, y);
}

static const double far = 0.1;                  /* cost of a gap of the label's height */

/* Hiding an object costs 1, hiding a label 5; distance costs little. */
static double cost(const struct labels *l, const double box[4], const double place[4])
{
    const double aside = fabs(place[0] - box[0]) + fabs(place[1] + place[3] - box[1]);
    return (far * gap(place, box) + 0.01 * aside) / place[3] + hidden(l, place) + covered(l, place);
}

struct best { double cost, x, y; };

static void consider(const struct labels *l, const double box[4], const double place[4], double x, double y,
                     struct best *best)
{
    const double at[4] = { clamp(x, 0, l->width - place[2]), clamp(y, 0, l->height - place[3]), place[2], place[3] };
    const double c = cost(l, box, at);
    if (c < best->cost)
        *best = (struct best){ c, at[0], at[1] };
}

/* Considers the places around the box at distance `away`. */
static void consider_ring(const struct labels *l, const double box[4], const double place[4], double away,
                          struct best *best)
{
    const double w = place[2], h = place[3], left = box[0] - away, top = box[1] - away;
    const double right = box[0] + box[2] + away, bottom = box[1] + box[3] + away;
    for (int side = 0; side < 2; side++) {
        const double y = side ? bottom : top - h, x = side ? right : left - w;
        consider(l, box, place, box[0], y, best);
        consider(l, box, place, box[0] + box[2] - w, y, best);
        for (double u = left - w; u <= right; u += fmax(h, box[2] / 16))
            consider(l, box, place, u, y, best);
        for (double v = top - h; v <= bottom; v += fmax(h, box[3] / 16))
            consider(l, box, place, x, v, best);
    }
}

void labels_place(struct labels *l, int i, double place[4])
{
    enum { RINGS = 24 };
    const double *box = l->boxes[i];
    struct best best = { INFINITY, 0, 0 };
    consider(l, box, place, box[0], box[1], &best);                                     /* inside */
    consider(l, box, place, box[0], box[1] + box[3] - place[3], &best);
    for (int ring = 0; ring < RINGS && best.cost > far * ring; ring++)
        consider_ring(l, box, place, ring * place[3], &best);
    place[0] = best.x;
    place[1] = best.y;
    labels_take(l, place);
}

double labels_border(const struct labels *l, double place[4])
{
    enum { STEPS = 8 };
    static const int order[STEPS + 1] = { 0, STEPS, 1, 2, 3, 4, 5, 6, 7 };              /* corners first */
    const double right = l->width - place[2], bottom = l->height - place[3];
    double min_cost = INFINITY;
    for (int i = 0; i <= STEPS; i++)
        for (int side = 0; side < 4; side++) {
            const double part = (double)order[i] / STEPS, end = side % 2;
            const double at[4] = { side < 2 ? part * right : end * right, side < 2 ? (1 - end) * bottom : part * bottom,
                                   place[2], place[3] };
            const double c = hidden(l, at);
            if (c < min_cost - 1e-6) {
                min_cost = c;
                memcpy(place, at, sizeof at);
            }
        }
    return min_cost;
}

void labels_take(struct labels *l, const double place[4])
{
    memcpy(l->taken[l->taken_count++], place, sizeof *l->taken);
}
