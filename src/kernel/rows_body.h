/* kernel/rows_body.h -- copying, adding, interleaving and reducing rows of pixels; included by every isa_*.c. */
#include "kernel/kernels.h"

static void copy_rows(int n, int c, const real *restrict x, int ldx, bool add, real *restrict y, int ldy)
{
    for (; n > 0; n--, x += ldx, y += ldy)
        for (int i = 0; i < c; i++)
            y[i] = add ? y[i] + x[i] : x[i];
}

static bool all_finite(ptrdiff_t n, const real *x)
{
    int wrong = 0;
#pragma omp simd reduction(| : wrong)
    for (ptrdiff_t i = 0; i < n; i++)
        wrong |= !(x[i] - x[i] == 0);
    return !wrong;
}

static real largest(ptrdiff_t n, const real *x)
{
    enum { WIDTH = 16 };
    real top[WIDTH];
    ptrdiff_t i = 0;
    for (int j = 0; j < WIDTH; j++)
        top[j] = x[0];
    for (; i + WIDTH <= n; i += WIDTH)
        for (int j = 0; j < WIDTH; j++)
            top[j] = x[i + j] > top[j] ? x[i + j] : top[j];
    for (; i < n; i++)
        top[0] = x[i] > top[0] ? x[i] : top[0];
    for (int half = WIDTH / 2; half > 0; half /= 2)
        for (int j = 0; j < half; j++)
            top[j] = top[half + j] > top[j] ? top[half + j] : top[j];
    return top[0];
}

static void interleave(int n, int c, const real *restrict a, int lda, const real *restrict b, int ldb,
                       real *restrict y, int ldy)
{
    for (; n > 0; n--, a += lda, b += ldb, y += ldy)
        for (int i = 0; i < c; i++) {
            y[2 * i] = a[i];
            y[2 * i + 1] = b[i];
        }
}

static void deinterleave(int n, int c, const real *restrict x, int ldx, bool add, real *restrict y, int ldy)
{
    for (; n > 0; n--, x += ldx, y += ldy)
        for (int i = 0; i < c; i++)
            y[i] = add ? y[i] + x[2 * i] : x[2 * i];
}
