/* kernel/softmax_body.h -- softmax in real and in double; included by every isa_*.c after exp_*.h and rows_body.h. */
#include "kernel/inlined.h"
#include "kernel/kernels.h"

static void softmax(int n, int c, real scale, const real *x, real *y)
{
    for (; n > 0; n--, x += c, y += c) {
        const real top = largest(c, x);
        real sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int i = 0; i < c; i++)
            sum += y[i] = exp_below(scale * (x[i] - top));
        const real inverse = 1 / sum;
        for (int i = 0; i < c; i++)
            y[i] *= inverse;
    }
}

INLINED void softmax_double_rows(int c, int n, double scale, const double *x, double *y)
{
    for (; n > 0; n--, x += c, y += c) {
        double top = x[0], sum = 0;
        for (int i = 1; i < c; i++)
            top = x[i] > top ? x[i] : top;
#pragma omp simd reduction(+ : sum)
        for (int i = 0; i < c; i++)
            sum += y[i] = exp_below_double(scale * (x[i] - top));
        const double inverse = 1 / sum;
        for (int i = 0; i < c; i++)
            y[i] *= inverse;
    }
}

static void softmax_double(int n, int c, double scale, const double *x, double *y)
{
    if (c == 8)                         /* reg_max 7, the usual value */
        softmax_double_rows(8, n, scale, x, y);
    else
        softmax_double_rows(c, n, scale, x, y);
}
