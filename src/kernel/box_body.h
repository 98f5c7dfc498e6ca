/* kernel/box_body.h -- many boxes against one; included by every isa_*.c. */
#include "kernel/kernels.h"

static void touching(int n, const real *restrict x1, const real *restrict y1, const real *restrict x2,
                     const real *restrict y2, const real box[4], unsigned char *restrict touch)
{
    const real left = box[0], top = box[1], right = box[2], bottom = box[3];
    for (int i = 0; i < n; i++)
        touch[i] = (x1[i] <= right) & (x2[i] >= left) & (y1[i] <= bottom) & (y2[i] >= top);
}
