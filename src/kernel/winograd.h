/* kernel/winograd.h -- 3x3 convolution by tiles: F(4x4, 3x3) of Winograd's minimal filtering (Lavin and Gray 2016,
 * sec. 4), with interpolation points 0, p, -p, q, -q.  A tile of 4x4 outputs reads 6x6 inputs d:
 *
 *     Y = A^T [ (G g G^T) . (B^T d B) ] A            . element by element; summed over channels, a product of
 *                                                    matrices [tiles][c] [c][o] for each of the 36 elements
 * and for the gradient of the filter     dg = G^T [ (B^T d B) . (A dY A^T) ] G.  With p = 3/4 and q = 3/2
 *
 *     B^T = p2q2   0     -p2-q2   0     1  0     G = 64/81     0        0         A^T = 1  1   1   1   1  0
 *             0   -p q2   -q2     p     1  0        -128/243  -96/243  -72/243          0  p  -p   q  -q  0
 *             0    p q2   -q2    -p     1  0        -128/243   96/243  -72/243          0  p2  p2  q2  q2 0
 *             0   -p2 q   -p2     q     1  0          32/243   48/243   72/243          0  p3 -p3  q3 -q3 1
 *             0    p2 q   -p2    -q     1  0          32/243  -48/243   72/243
 *             0    p2q2     0   -p2-q2  0  1          0         0        1
 *
 * Factors that are not 1 cost digits, and those of points that lie around 1 cost fewer than those of the usual 1 and 2:
 * in float, over 96 channels, errors are 2e-6 of the largest output, not 6e-6.
 *
 * Along rows alone it is F(4, 3): a strip of 4 outputs of a row reads 6 inputs d of each of three rows,
 *     Y = A^T [ sum over the rows of (G g) . (B^T d) ]       dg = G^T [ (B^T d) . (A dY) ]
 * which saves half of the multiplications, not three quarters, and costs the root of the digits.
 *
 * Each transform works on c channels at once: element e of a tile's patch lies e * step numbers on, element e of the
 * transformed tile e * plane numbers on. */
#ifndef KERNEL_WINOGRAD_H
#define KERNEL_WINOGRAD_H
#include "base/real.h"
#include <stdbool.h>
#include <stddef.h>

enum { WINOGRAD_TILE = 4, WINOGRAD_PATCH = 6, WINOGRAD_PLANES = 36 };

struct winograd {                       /* of tiles; of strips every B, G and A on the right is left out */
    /* v = B^T d B of 6x6 inputs. */
    void (*input)(int c, const real *d, ptrdiff_t step, real *v, ptrdiff_t plane);
    /* u = G g G^T of 3x3 filters; step may be negative: the filter turned by half a circle. */
    void (*filter)(int c, const real *g, ptrdiff_t step, real *u, ptrdiff_t plane);
    /* y = A^T m A of the 4x4 outputs, element e = 4 row + column at e * step. */
    void (*output)(int c, const real *m, ptrdiff_t plane, real *y, ptrdiff_t step);
    /* v = A dY A^T of 4x4 gradients. */
    void (*gradient)(int c, const real *dy, ptrdiff_t step, real *v, ptrdiff_t plane);
    /* dg = G^T m G. */
    void (*filter_gradient)(int c, const real *m, ptrdiff_t plane, real *dg, ptrdiff_t step);
};
#endif
