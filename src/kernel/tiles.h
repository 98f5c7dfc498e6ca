/* kernel/tiles.h -- products of matrices on a matrix unit that multiplies bfloat16 and adds in float (Intel's AMX).
 *
 * A number is kept in pieces, x = p0 + p1 + ... + rest: p0 is x rounded to the 8 digits of a bfloat16, each next one
 * what is left, rounded likewise.  Two pieces leave |rest| <= 2^-17 |x|, three as good as nothing.  Of a product the
 * parts p_i q_j with i + j < pieces are taken: three of two pieces, off by at most 3.1e-5 of a term, and where many
 * terms are summed by some 3e-6 of the sum; six of three pieces, as good as float's own.
 *
 * A matrix of pieces lies in planes of 16-bit numbers, all of p0, then all of p1 ...  Two shapes of r rows, c columns:
 *     rows   [r][ld]                                   the left operand of a product
 *     pairs  [c / TILE_SIDE][r / 2][TILE_SIDE][2]      the right one: panels of columns, two rows interleaved
 * Rows of 32-bit numbers, that is pairs of pieces, can be turned: rows give pairs of the turned matrix, and pairs its
 * rows.  Rows and columns are counted in whole TILE_SIDEs.  What is summed over must be zero where a matrix lacks it;
 * other rows and columns that it lacks may hold anything, and so will the results there.  tiles_ld() avoids distances
 * at which rows would fall into the same part of a cache. */
#ifndef KERNEL_TILES_H
#define KERNEL_TILES_H
#include "base/real.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TILE_SIDE = 32, PAIR_ROW = 2 * TILE_SIDE };      /* PAIR_ROW: numbers of a panel's row */

enum { EXACT = 3 };             /* pieces that are as good as a float */
struct pieces { uint16_t *p; ptrdiff_t plane; int count; };     /* piece i of a number i planes behind p */

static inline int tiles_round(int n) { return (n + TILE_SIDE - 1) / TILE_SIDE * TILE_SIDE; }
static inline int tiles_ld(int n)    { return ((n + TILE_SIDE - 1) / TILE_SIDE | 1) * TILE_SIDE; }

/* The matrix from its number `by` on. */
static inline struct pieces moved(struct pieces m, ptrdiff_t by)
{
    m.p += by;
    return m;
}

struct affine;                                                  /* kernel/kernels.h */

struct tiles {
    /* n rows of c numbers, ldx numbers apart, as rows; the columns from c on up to a multiple of TILE_SIDE get zero. */
    void (*split_rows)(int n, int c, const real *x, int ldx, struct pieces, int ld);
    /* The same as pairs, `panel` numbers from one panel to the next; an odd n gets a row of zeros more. */
    void (*split_pairs)(int n, int c, const real *x, int ldx, struct pieces, ptrdiff_t panel);
    /* to[j][i] = from[i][j] of 32-bit numbers, n rows of c; both are multiples of 16. */
    void (*turn)(int n, int c, const uint16_t *from, int ld, uint16_t *to, int ldto);
    /* Around a thread's products: the unit's registers are taken and given back. */
    void (*begin)(void);
    void (*end)(void);
    /* c[m][n] = start + a[m][k] b[k][n].  The columns of a are `taps` runs of `run` numbers, a multiple of TILE_SIDE;
     * run t of row i lies at a + tap[t] + i lda.  m and n are rounded up to multiples of TILE_SIDE: rows of a and all
     * of c must be there.  start: NULL for zero; ldstart 0: one row for all; c itself: the product is added. */
    void (*product)(int m, int n, int taps, const ptrdiff_t *tap, int run, struct pieces a, int lda, struct pieces b,
                    ptrdiff_t panel, const real *start, int ldstart, real *c, int ldc);
    /* y = what `finish` makes of start + x b: n pixels of c numbers, b [c][outputs] of three pieces, start one row or
     * NULL.  While the unit multiplies, the next TILE_SIDE pixels are split and the last ones finished.  own: memory
     * for three pieces of 2 TILE_SIDE rows, tiles_ld(c) numbers long. */
    void (*pixels)(const struct affine *finish, int n, int c, const real *x, int ldx, int outputs, struct pieces b,
                   const real *start, struct pieces own, real *y, int ldy);
};
#endif
