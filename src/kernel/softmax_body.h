/* kernel/softmax_body.h -- included by every isa_*.c after an exp_*.h. */
#include "kernel/inlined.h"
#include "kernel/kernels.h"

INLINED void softmax_rows(int c, int n, const double *restrict x, double *restrict p)
{
    for (; n > 0; n--, x += c, p += c) {
        double top = x[0], sum = 0;
#pragma omp simd reduction(max : top)
        for (int i = 0; i < c; i++)
            top = x[i] > top ? x[i] : top;
#pragma omp simd reduction(+ : sum)
        for (int i = 0; i < c; i++)
            sum += p[i] = exp_below_double(x[i] - top);
        const double share = 1 / sum;
        for (int i = 0; i < c; i++)
            p[i] *= share;
    }
}

static void softmax(int n, int c, const double *x, double *p)
{
    if (c == 8)                         /* distances up to 7, as nearly every detector has them */
        softmax_rows(8, n, x, p);
    else
        softmax_rows(c, n, x, p);
}
