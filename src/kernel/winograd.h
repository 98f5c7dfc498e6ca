/* kernel/winograd.h -- transforms of Winograd convolution F(4x4, 3x3) (Lavin and Gray 2016, sec. 4) with interpolation
 * points 0, p, -p, q, -q.  A tile of 4x4 outputs reads 6x6 inputs d:
 *
 *     Y = A^T [ (G g G^T) . (B^T d B) ] A            . is elementwise; summed over channels it is a product of
 *                                                    matrices [tiles][c] [c][o] for each of the 36 elements
 * The gradient of the filter is  dg = G^T [ (B^T d B) . (A dY A^T) ] G.  With p = 3/4 and q = 3/2
 *
 *     B^T = p2q2   0     -p2-q2   0     1  0     G = 64/81     0        0         A^T = 1  1   1   1   1  0
 *             0   -p q2   -q2     p     1  0        -128/243  -96/243  -72/243          0  p  -p   q  -q  0
 *             0    p q2   -q2    -p     1  0        -128/243   96/243  -72/243          0  p2  p2  q2  q2 0
 *             0   -p2 q   -p2     q     1  0          32/243   48/243   72/243          0  p3 -p3  q3 -q3 1
 *             0    p2 q   -p2    -q     1  0          32/243  -48/243   72/243
 *             0    p2q2     0   -p2-q2  0  1          0         0        1
 *
 * Powers of the points amplify rounding.  Points around 1 amplify it less than the usual 1 and 2: in float, over 96
 * channels, the error is 2e-6 of the largest output instead of 6e-6.
 *
 * The 1-D form F(4, 3) works along rows: a tile of 4 outputs of a row reads 6 inputs d of each of three rows,
 *     Y = A^T [ sum over the rows of (G g) . (B^T d) ]       dg = G^T [ (B^T d) . (A dY) ]
 * It saves half of the multiplications (2-D: three quarters) and amplifies rounding by the square root of the 2-D
 * factor.
 *
 * Each transform works on c channels at once.  Element e of a patch is e * step elements behind the first; element e of
 * a transformed tile is e * plane elements behind the first. */
#ifndef KERNEL_WINOGRAD_H
#define KERNEL_WINOGRAD_H
#include "base/real.h"
#include <stdbool.h>
#include <stddef.h>

enum { WINOGRAD_TILE = 4, WINOGRAD_PATCH = 6, WINOGRAD_PLANES = 36 };

struct winograd {                       /* 2-D; the 1-D transforms omit the factors B, G and A on the right */
    /* v = B^T d B of 6x6 inputs. */
    void (*input)(int c, const real *d, ptrdiff_t step, real *v, ptrdiff_t plane);
    /* u = G g G^T of 3x3 filters.  A negative step reads the filter rotated by 180 degrees. */
    void (*filter)(int c, const real *g, ptrdiff_t step, real *u, ptrdiff_t plane);
    /* y = A^T m A of the 4x4 outputs, element e = 4 row + column at e * step. */
    void (*output)(int c, const real *m, ptrdiff_t plane, real *y, ptrdiff_t step);
    /* v = A dY A^T of 4x4 gradients. */
    void (*gradient)(int c, const real *dy, ptrdiff_t step, real *v, ptrdiff_t plane);
    /* dg = G^T m G. */
    void (*filter_gradient)(int c, const real *m, ptrdiff_t plane, real *dg, ptrdiff_t step);
};
#endif
