/* kernel/kernels.h -- arithmetic on pointers and sizes.  One table an instruction set, one of them, `ref`, plain.
 * Kernels allocate nothing, know no graph, and may be called from any thread.  ld: numbers from one pixel or row to
 * the next.  Where an argument is called `add`, the result is added to what is there, else it replaces it unread. */
#ifndef KERNEL_KERNELS_H
#define KERNEL_KERNELS_H
#include "base/error.h"
#include "base/real.h"
#include "kernel/act.h"
#include <stddef.h>

/* A depthwise convolution of one image: y[i,j,c] = bias[c] + sum over u, v of w[u,v,c] x[i*stride-pad+u, j*stride-pad+v, c],
 * terms outside the image left out.  Weights are [kernel][kernel][c]. */
struct depthwise {
    int kernel, stride, pad, c;
    int h, w, ldx;                      /* of the input */
    int out_h, out_w, ldy;              /* of the output */
};

/* value = act(z), z = scale[c] x + shift[c], or z = x where scale is NULL. */
struct affine { const real *scale, *shift; enum act act; real slope; };

struct kernels {
    const char *name;

    /* c[m][n] = a[m][k] b[k][n]; a is stored [k][m] if a_by_k, b is stored [n][k] if b_by_n. */
    void (*gemm)(bool a_by_k, bool b_by_n, int m, int n, int k, const real *a, int lda, const real *b, int ldb,
                 bool add, real *c, int ldc);

    /* Row i of y.  x points at input row `first`; the rows that exist and are read must be there.  bias may be NULL. */
    void (*depthwise_row)(const struct depthwise *, int i, const real *x, int first, const real *w, const real *bias,
                          real *y);
    /* Row i of dx, gathered from dy (the whole image). */
    void (*depthwise_dx_row)(const struct depthwise *, int i, const real *dy, const real *w, bool add, real *dx);
    /* dw += what row i of y, whose gradient is dy, gives to the weights' gradient; x as for depthwise_row. */
    void (*depthwise_dw_row)(const struct depthwise *, int i, const real *x, int first, const real *dy, real *dw);

    /* Rows of n pixels of c channels; what is written overlaps nothing that is read.
     * store_rows: y = x;  activate: y = act(z);  activate_grad: g = dy act'(z). */
    void (*store_rows)(int n, int c, const real *x, int ldx, bool add, real *y, int ldy);
    void (*activate)(const struct affine *, int n, int c, const real *x, int ldx, real *y, int ldy);
    void (*activate_grad)(const struct affine *, int n, int c, const real *x, int ldx, const real *dy, int lddy,
                          bool add, real *g, int ldg);
};

/* The table called ref, sse, avx2 or avx512 (misuse if this machine or build has no such); NULL: the fastest. */
const struct kernels *kernels_pick(const char *name, struct error *);
#endif
