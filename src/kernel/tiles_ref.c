/* kernel/tiles_ref.c -- kernel/tiles.h in plain C: no program calls it, the tests check the others against it. */
#include "kernel/tables.h"

#include "base/least.h"
#include <string.h>

static float widened(uint16_t half)
{
    const uint32_t bits = (uint32_t)half << 16;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* To the nearest, of two equally near ones the even; a NaN stays one. */
static uint16_t rounded(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if (x != x)
        return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static void split(float x, struct pieces to)
{
    for (int i = 0; i < to.count; i++) {
        to.p[i * to.plane] = rounded(x);
        x -= widened(to.p[i * to.plane]);
    }
}

static void split_rows(int n, int c, const real *x, int ldx, struct pieces to, int ld)
{
    for (ptrdiff_t i = 0; i < n; i++)
        for (ptrdiff_t j = 0; j < tiles_round(c); j++)
            split(j < c ? (float)x[i * ldx + j] : 0, moved(to, i * ld + j));
}

static ptrdiff_t pair_at(ptrdiff_t row, ptrdiff_t column, ptrdiff_t panel)
{
    return column / TILE_SIDE * panel + row / 2 * PAIR_ROW + column % TILE_SIDE * 2 + row % 2;
}

static void split_pairs(int n, int c, const real *x, int ldx, struct pieces to, ptrdiff_t panel)
{
    for (ptrdiff_t i = 0; i < n + n % 2; i++)
        for (ptrdiff_t j = 0; j < tiles_round(c); j++)
            split(i < n && j < c ? (float)x[i * ldx + j] : 0, moved(to, pair_at(i, j, panel)));
}

static void turn(int n, int c, const uint16_t *from, int ld, uint16_t *to, int ldto)
{
    for (ptrdiff_t i = 0; i < n; i++)
        for (ptrdiff_t j = 0; j < c; j++)
            memcpy(to + j * ldto + 2 * i, from + i * ld + 2 * j, 2 * sizeof *to);
}

static void nothing(void) { }

/* Adds a times a row of a panel of b to TILE_SIDE sums: the parts of each product, the smallest first. */
static void add_row(struct pieces a, struct pieces b, float *sums)
{
    for (int most = a.count - 1; most >= 0; most--)
        for (int i = 0; i <= most; i++) {
            const float x = widened(a.p[i * a.plane]);
            const uint16_t *y = b.p + (most - i) * b.plane;
            #pragma omp simd
            for (int j = 0; j < TILE_SIDE; j++)
                sums[j] += x * widened(y[2 * j]);
        }
}

static void product(int m, int n, int taps, const ptrdiff_t *tap, int run, struct pieces a, int lda, struct pieces b,
                    ptrdiff_t panel, const real *start, int ldstart, real *c, int ldc)
{
    for (ptrdiff_t i = 0; i < tiles_round(m); i++)
        for (ptrdiff_t j = 0; j < tiles_round(n); j += TILE_SIDE) {
            float sums[TILE_SIDE];
            for (int column = 0; column < TILE_SIDE; column++)
                sums[column] = start ? (float)start[i * ldstart + j + column] : 0;
            for (ptrdiff_t t = 0; t < taps; t++)
                for (ptrdiff_t k = 0; k < run; k++)
                    add_row(moved(a, tap[t] + i * lda + k), moved(b, pair_at(t * run + k, j, panel)), sums);
            for (int column = 0; column < TILE_SIDE; column++)
                c[i * ldc + j + column] = sums[column];
        }
}

static void pixels(const struct affine *finish, int n, int c, const real *x, int ldx, int outputs, struct pieces b,
                   const real *start, struct pieces own, real *y, int ldy)
{
    real sums[TILE_SIDE * TILE_SIDE];
    const ptrdiff_t depth = tiles_round(c);
    for (ptrdiff_t i = 0; i < n; i += TILE_SIDE)
        for (ptrdiff_t j = 0; j < outputs; j += TILE_SIDE) {
            const int rows = least(TILE_SIDE, n - (int)i), columns = least(TILE_SIDE, outputs - (int)j);
            const struct affine f = affine_from(*finish, j);
            split_rows(rows, c, x + i * ldx, ldx, own, tiles_ld(c));
            product(rows, columns, 1, &(ptrdiff_t){ 0 }, (int)depth, own, tiles_ld(c), moved(b, j * depth), 0,
                    start ? start + j : NULL, 0, sums, TILE_SIDE);
            kernels_ref.activate(&f, rows, columns, sums, TILE_SIDE, y + i * ldy + j, ldy);
        }
}

const struct tiles tiles_ref = { split_rows, split_pairs, turn, nothing, nothing, product, pixels };
