/* kernel/box_body.h -- many boxes against one; included by every isa_*.c. */
#include "kernel/inlined.h"
#include "kernel/kernels.h"
#include <stdint.h>
#include <string.h>

_Static_assert(HULL <= 32, "masks have a bit a box");

/* The largest of these numbers that so many of them reach, or `none`. */
static real reached_by(int many, const real x[HULL], real none)
{
    int reach[HULL] = {0};
    real high = none;
    if (many == 0)
        return none;
    for (int i = 0; i < HULL; i++)
        for (int j = 0; j < HULL; j++)
            reach[j] += x[i] >= x[j];
#pragma omp simd reduction(max : high)
    for (int j = 0; j < HULL; j++)
        high = reach[j] >= many && x[j] > high ? x[j] : high;
    return high;
}

static real overlaps(int parts, struct boxes *part, struct boxes *hull, const real box[4], int many)
{
    const real left = box[0], upper = box[1], right = box[2], lower = box[3];
    const real own = (right - left) * (lower - upper), least = (real)1e-6;
    real most[HULL] = {0};
    for (int i = 0; i < parts; i += HULL) {
        struct boxes *h = &hull[i / HULL];
        for (int j = 0; j < HULL; j++)
            h->iou[j] = (real)((h->x1[j] < right) & (h->x2[j] > left) & (h->y1[j] < lower) & (h->y2[j] > upper));
    }
    for (int i = 0; i < parts; i++) {
        struct boxes *b = &part[i];
        real *peak = &hull[i / HULL].iou[i % HULL], highest = 0;
        if (*peak == 0) {
            memset(b->iou, 0, sizeof b->iou);
            continue;
        }
        for (int j = 0; j < HULL; j++) {
            const real from_x = b->x1[j] > left ? b->x1[j] : left, to_x = b->x2[j] < right ? b->x2[j] : right;
            const real from_y = b->y1[j] > upper ? b->y1[j] : upper, to_y = b->y2[j] < lower ? b->y2[j] : lower;
            const real w = to_x > from_x ? to_x - from_x : 0, h = to_y > from_y ? to_y - from_y : 0;
            const real common = w * h, both = b->area[j] + own - common;
            b->iou[j] = common / (both > least ? both : least);
            most[j] = b->iou[j] > most[j] ? b->iou[j] : most[j];
        }
#pragma omp simd reduction(max : highest)
        for (int j = 0; j < HULL; j++)
            highest = b->iou[j] > highest ? b->iou[j] : highest;
        *peak = highest;
    }
    return reached_by(many, most, 0);
}

/* Bit i: is the iou of box i large enough? */
INLINED uint32_t boxes_above(const struct boxes *b, real scale, real least)
{
    uint32_t above = 0;
#pragma omp simd reduction(| : above)
    for (int i = 0; i < HULL; i++)
        above |= (uint32_t)(b->iou[i] > scale * b->dear[i] + least) << i;
    return above;
}

/* Lists the bits that are set, from `first` on. */
INLINED int list_bits(uint32_t bits, int first, int *list)
{
    int count = 0;
    for (; bits != 0; bits &= bits - 1)
        list[count++] = first + __builtin_ctz(bits);
    return count;
}

static int list_overlaps(int parts, const struct boxes *part, const struct boxes *hull, real scale, real least,
                         int *list)
{
    uint32_t above[HULL];
    int some[HULL], count = 0;
    for (int i = 0; i < parts; i += HULL) {
        const int n = list_bits(boxes_above(&hull[i / HULL], scale, least), i, some);
        for (int j = 0; j < n; j++)
            above[j] = boxes_above(&part[some[j]], scale, least);
        for (int j = 0; j < n; j++)
            count += list_bits(above[j], some[j] * HULL, list + count);
    }
    return count;
}
