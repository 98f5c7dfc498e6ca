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

enum { MOST_PIECES = 3 };

/* The thread sanitizer does not see what a unit's instructions read either, and would take minutes to watch this. */
#define LIKE_A_UNIT __attribute__((no_sanitize("thread")))

/* Adds the products of a column of a and a row of a panel of b: of each product the smallest parts first. */
LIKE_A_UNIT
static void add_products(int pieces, const float a[][TILE_SIDE], const float b[][TILE_SIDE],
                         float sums[TILE_SIDE][TILE_SIDE])
{
    for (int most = pieces - 1; most >= 0; most--)
        for (int p = 0; p <= most; p++)
            for (int i = 0; i < TILE_SIDE; i++) {
                #pragma omp simd
                for (int j = 0; j < TILE_SIDE; j++)
                    sums[i][j] += a[p][i] * b[most - p][j];
            }
}

/* A block of TILE_SIDE x TILE_SIDE sums. */
LIKE_A_UNIT
static void block(int taps, const ptrdiff_t *tap, int run, struct pieces a, int lda, struct pieces b,
                  const real *start, int ldstart, real *c, int ldc)
{
    float sums[TILE_SIDE][TILE_SIDE], column[MOST_PIECES][TILE_SIDE], row[MOST_PIECES][TILE_SIDE];
    for (ptrdiff_t i = 0; i < TILE_SIDE; i++)
        for (ptrdiff_t j = 0; j < TILE_SIDE; j++)
            sums[i][j] = start ? (float)start[i * ldstart + j] : 0;
    for (ptrdiff_t t = 0; t < taps; t++)
        for (ptrdiff_t k = 0; k < run; k++) {
            for (ptrdiff_t p = 0; p < a.count; p++)
                for (ptrdiff_t i = 0; i < TILE_SIDE; i++) {
                    column[p][i] = widened(a.p[p * a.plane + tap[t] + i * lda + k]);
                    row[p][i] = widened(b.p[p * b.plane + pair_at(t * run + k, i, 0)]);
                }
            add_products(a.count, column, row, sums);
        }
    for (ptrdiff_t i = 0; i < TILE_SIDE; i++)
        for (ptrdiff_t j = 0; j < TILE_SIDE; j++)
            c[i * ldc + j] = sums[i][j];
}

static void product(int m, int n, int taps, const ptrdiff_t *tap, int run, struct pieces a, int lda, struct pieces b,
                    ptrdiff_t panel, const real *start, int ldstart, real *c, int ldc)
{
    for (ptrdiff_t i = 0; i < tiles_round(m); i += TILE_SIDE)
        for (ptrdiff_t j = 0; j < tiles_round(n); j += TILE_SIDE)
            block(taps, tap, run, moved(a, i * lda), lda, moved(b, j / TILE_SIDE * panel),
                  start ? start + i * ldstart + j : NULL, ldstart, c + i * ldc + j, ldc);
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
