/* kernel/amx_ref.c -- kernel/amx.h in plain C; only the tests use it, as the reference. */
#include "kernel/tables.h"

#include "base/min_max.h"
#include <string.h>

static float to_float(uint16_t half)
{
    const uint32_t bits = (uint32_t)half << 16;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Rounds to the nearest bfloat16, ties to even; NaN stays NaN. */
static uint16_t to_bf16(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if (x != x)
        return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static void split(float x, struct bf16 to)
{
    for (int i = 0; i < to.terms; i++) {
        to.p[i * to.plane] = to_bf16(x);
        x -= to_float(to.p[i * to.plane]);
    }
}

static void split_rows(int n, int c, const real *x, int ldx, struct bf16 to, int ld)
{
    for (ptrdiff_t i = 0; i < n; i++)
        for (ptrdiff_t j = 0; j < amx_round(c); j++)
            split(j < c ? (float)x[i * ldx + j] : 0, bf16_at(to, i * ld + j));
}

static ptrdiff_t pair_at(ptrdiff_t row, ptrdiff_t column, ptrdiff_t panel)
{
    return column / AMX_BLOCK * panel + row / 2 * PAIR_ROW + column % AMX_BLOCK * 2 + row % 2;
}

static void split_pairs(int n, int c, const real *x, int ldx, struct bf16 to, ptrdiff_t panel)
{
    for (ptrdiff_t i = 0; i < n + n % 2; i++)
        for (ptrdiff_t j = 0; j < amx_round(c); j++)
            split(i < n && j < c ? (float)x[i * ldx + j] : 0, bf16_at(to, pair_at(i, j, panel)));
}

static void transpose(int n, int c, const uint16_t *from, int ld, uint16_t *to, int ldto)
{
    for (ptrdiff_t i = 0; i < n; i++)
        for (ptrdiff_t j = 0; j < c; j++)
            memcpy(to + j * ldto + 2 * i, from + i * ld + 2 * j, 2 * sizeof *to);
}

static void nothing(void) { }

enum { MAX_TERMS = 3 };

/* Under the thread sanitizer these loops would take minutes.  (It does not see the reads of a real unit either.) */
#define NO_THREAD_SANITIZER __attribute__((no_sanitize("thread")))

/* Adds the products of a column of a and a row of a panel of b, products of the smallest terms first. */
NO_THREAD_SANITIZER
static void add_products(int terms, const float a[][AMX_BLOCK], const float b[][AMX_BLOCK],
                         float sums[AMX_BLOCK][AMX_BLOCK])
{
    for (int most = terms - 1; most >= 0; most--)
        for (int p = 0; p <= most; p++)
            for (int i = 0; i < AMX_BLOCK; i++) {
                #pragma omp simd
                for (int j = 0; j < AMX_BLOCK; j++)
                    sums[i][j] += a[p][i] * b[most - p][j];
            }
}

/* A block of AMX_BLOCK x AMX_BLOCK sums. */
NO_THREAD_SANITIZER
static void block(int taps, const ptrdiff_t *tap, int run, struct bf16 a, int lda, struct bf16 b,
                  const real *start, int ldstart, real *c, int ldc)
{
    float sums[AMX_BLOCK][AMX_BLOCK], column[MAX_TERMS][AMX_BLOCK], row[MAX_TERMS][AMX_BLOCK];
    for (ptrdiff_t i = 0; i < AMX_BLOCK; i++)
        for (ptrdiff_t j = 0; j < AMX_BLOCK; j++)
            sums[i][j] = start ? (float)start[i * ldstart + j] : 0;
    for (ptrdiff_t t = 0; t < taps; t++)
        for (ptrdiff_t k = 0; k < run; k++) {
            for (ptrdiff_t p = 0; p < a.terms; p++)
                for (ptrdiff_t i = 0; i < AMX_BLOCK; i++) {
                    column[p][i] = to_float(a.p[p * a.plane + tap[t] + i * lda + k]);
                    row[p][i] = to_float(b.p[p * b.plane + pair_at(t * run + k, i, 0)]);
                }
            add_products(a.terms, column, row, sums);
        }
    for (ptrdiff_t i = 0; i < AMX_BLOCK; i++)
        for (ptrdiff_t j = 0; j < AMX_BLOCK; j++)
            c[i * ldc + j] = sums[i][j];
}

static void product(int m, int n, int taps, const ptrdiff_t *tap, int run, struct bf16 a, int lda, struct bf16 b,
                    ptrdiff_t panel, const real *start, int ldstart, real *c, int ldc)
{
    for (ptrdiff_t i = 0; i < amx_round(m); i += AMX_BLOCK)
        for (ptrdiff_t j = 0; j < amx_round(n); j += AMX_BLOCK)
            block(taps, tap, run, bf16_at(a, i * lda), lda, bf16_at(b, j / AMX_BLOCK * panel),
                  start ? start + i * ldstart + j : NULL, ldstart, c + i * ldc + j, ldc);
}

static void pointwise(const struct affine *epilogue, int n, int c, const real *x, int ldx, int outputs, struct bf16 b,
                      const real *start, struct bf16 own, real *y, int ldy)
{
    real sums[AMX_BLOCK * AMX_BLOCK];
    const ptrdiff_t depth = amx_round(c);
    for (ptrdiff_t i = 0; i < n; i += AMX_BLOCK)
        for (ptrdiff_t j = 0; j < outputs; j += AMX_BLOCK) {
            const int rows = min_int(AMX_BLOCK, n - (int)i), columns = min_int(AMX_BLOCK, outputs - (int)j);
            const struct affine f = affine_from(*epilogue, j);
            split_rows(rows, c, x + i * ldx, ldx, own, amx_ld(c));
            product(rows, columns, 1, &(ptrdiff_t){ 0 }, (int)depth, own, amx_ld(c), bf16_at(b, j * depth), 0,
                    start ? start + j : NULL, 0, sums, AMX_BLOCK);
            kernels_ref.activate(&f, rows, columns, sums, AMX_BLOCK, y + i * ldy + j, ldy);
        }
}

const struct amx_kernels amx_ref = { split_rows, split_pairs, transpose, nothing, nothing, product, pointwise };
