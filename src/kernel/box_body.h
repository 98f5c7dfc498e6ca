/* kernel/box_body.h -- many boxes against one; included by every isa_*.c. */
#include "kernel/inlined.h"
#include "kernel/kernels.h"
#include <stdint.h>
#include <string.h>

_Static_assert(BOX_BLOCK <= 32, "masks have one bit per box");

/* The largest of these numbers that so many of them reach, or `none`. */
static real reached_by(int many, const real x[BOX_BLOCK], real none)
{
    int reach[BOX_BLOCK] = {0};
    real high = none;
    if (many == 0)
        return none;
    for (int i = 0; i < BOX_BLOCK; i++)
        for (int j = 0; j < BOX_BLOCK; j++)
            reach[j] += x[i] >= x[j];
#pragma omp simd reduction(max : high)
    for (int j = 0; j < BOX_BLOCK; j++)
        high = reach[j] >= many && x[j] > high ? x[j] : high;
    return high;
}

static real iou_with_box(int blocks, struct boxes *block, struct boxes *bound, const real box[4], int many)
{
    const real left = box[0], upper = box[1], right = box[2], lower = box[3];
    const real own = (right - left) * (lower - upper), min_area = (real)1e-6;
    real column_max[BOX_BLOCK] = {0};
    for (int i = 0; i < blocks; i += BOX_BLOCK) {
        struct boxes *h = &bound[i / BOX_BLOCK];
        for (int j = 0; j < BOX_BLOCK; j++)
            h->iou[j] = (real)((h->x1[j] < right) & (h->x2[j] > left) & (h->y1[j] < lower) & (h->y2[j] > upper));
    }
    for (int i = 0; i < blocks; i++) {
        struct boxes *b = &block[i];
        real *peak = &bound[i / BOX_BLOCK].iou[i % BOX_BLOCK], highest = 0;
        if (*peak == 0) {
            memset(b->iou, 0, sizeof b->iou);
            continue;
        }
        for (int j = 0; j < BOX_BLOCK; j++) {
            const real from_x = b->x1[j] > left ? b->x1[j] : left, to_x = b->x2[j] < right ? b->x2[j] : right;
            const real from_y = b->y1[j] > upper ? b->y1[j] : upper, to_y = b->y2[j] < lower ? b->y2[j] : lower;
            const real w = to_x > from_x ? to_x - from_x : 0, h = to_y > from_y ? to_y - from_y : 0;
            const real common = w * h, both = b->area[j] + own - common;
            b->iou[j] = common / (both > min_area ? both : min_area);
            column_max[j] = b->iou[j] > column_max[j] ? b->iou[j] : column_max[j];
        }
#pragma omp simd reduction(max : highest)
        for (int j = 0; j < BOX_BLOCK; j++)
            highest = b->iou[j] > highest ? b->iou[j] : highest;
        *peak = highest;
    }
    return reached_by(many, column_max, 0);
}

/* Bit i: is the iou of box i large enough? */
INLINED uint32_t boxes_above(const struct boxes *b, real scale, real offset)
{
    uint32_t above = 0;
#pragma omp simd reduction(| : above)
    for (int i = 0; i < BOX_BLOCK; i++)
        above |= (uint32_t)(b->iou[i] > scale * b->factor[i] + offset) << i;
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

static int list_iou_above(int blocks, const struct boxes *block, const struct boxes *bound, real scale, real offset,
                          int *list)
{
    uint32_t above[BOX_BLOCK];
    int some[BOX_BLOCK], count = 0;
    for (int i = 0; i < blocks; i += BOX_BLOCK) {
        const int n = list_bits(boxes_above(&bound[i / BOX_BLOCK], scale, offset), i, some);
        for (int j = 0; j < n; j++)
            above[j] = boxes_above(&block[some[j]], scale, offset);
        for (int j = 0; j < n; j++)
            count += list_bits(above[j], some[j] * BOX_BLOCK, list + count);
    }
    return count;
}
