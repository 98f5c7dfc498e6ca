/* kernel/optimizer_body.h -- optimiser steps on flat arrays; included by every isa_*.c. */
#include "kernel/kernels.h"
#include <tgmath.h>

static double sum_of_squares(ptrdiff_t n, const real *x)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (ptrdiff_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    return sum;
}

static void adam(const struct adam *s, ptrdiff_t n, const real *restrict g, real *restrict m, real *restrict v,
                 real *restrict p)
{
    const struct adam k = *s;
    for (ptrdiff_t i = 0; i < n; i++) {
        const real gradient = k.clip * g[i] + k.decay * p[i];
        m[i] = k.beta1 * m[i] + k.rest1 * gradient;
        v[i] = k.beta2 * v[i] + k.rest2 * gradient * gradient;
        p[i] = k.keep * p[i] - k.rate * m[i] / (k.root * sqrt(v[i]) + k.eps);
    }
}

static void sgd(const struct sgd *s, ptrdiff_t n, const real *restrict g, real *restrict m, real *restrict p)
{
    const struct sgd k = *s;
    for (ptrdiff_t i = 0; i < n; i++) {
        m[i] = k.momentum * m[i] + (k.clip * g[i] + k.decay * p[i]);
        p[i] -= k.rate * m[i];
    }
}

static void ema_update(ptrdiff_t n, real alpha, const real *restrict x, real *restrict y)
{
    for (ptrdiff_t i = 0; i < n; i++)
        y[i] = (1 - alpha) * y[i] + alpha * x[i];
}
