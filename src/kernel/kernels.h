/* kernel/kernels.h -- arithmetic on pointers and sizes.  There is one table per instruction set; `ref` is plain C.
 * Kernels allocate nothing, know no graph and may be called from any thread.  ld: elements from one pixel or row to the
 * next.  With `add` the result is added to the destination, else it overwrites it without reading it. */
#ifndef KERNEL_KERNELS_H
#define KERNEL_KERNELS_H
#include "base/error.h"
#include "base/real.h"
#include "base/strbuf.h"
#include "kernel/act.h"
#include "kernel/amx.h"
#include "kernel/winograd.h"
#include <stddef.h>

/* A depthwise convolution of one image, its weights [kernel][kernel][c]:
 * y[i,j,c] = bias[c] + sum over u, v of w[u,v,c] x[i*stride-pad+u, j*stride-pad+v, c], padding with zeros. */
struct depthwise {
    int kernel, stride, pad, c;
    int h, w, ldx;                      /* of the input */
    int out_h, out_w, ldy;              /* of the output */
};

/* value = act(z), z = scale[c] x + shift[c]; z = x if scale is NULL. */
struct affine { const real *scale, *shift; enum act act; real slope; };

/* The affine map of the channels from `first` on. */
static inline struct affine affine_from(struct affine f, ptrdiff_t first)
{
    f.scale += f.scale ? first : 0;
    f.shift += f.scale ? first : 0;
    return f;
}

/* The gradient of a normalisation: dx = scale[c] g + slope[c] (x - mean[c]) + shift[c]; scale is the affine's. */
struct norm_map { const real *slope, *mean, *shift; };

/* An optimiser step of parameters p with gradient g and moments m, v (train/optimizer.h); h = clip g + decay p.
 *     adam    m = beta1 m + rest1 h,  v = beta2 v + rest2 h^2,  p = keep p - rate m / (root sqrt(v) + eps)
 *     sgd     m = momentum m + h,  p -= rate m */
struct adam { real clip, decay, beta1, rest1, beta2, rest2, keep, rate, root, eps; };
struct sgd { real clip, decay, momentum, rate; };

/* A block of boxes as a structure of arrays; factor: see list_iou_above.  A bound box stands for a whole block: box
 * i % BOX_BLOCK of bound[i / BOX_BLOCK] encloses all boxes of block[i], has the smallest factor of them, and gets their
 * largest iou. */
enum { BOX_BLOCK = 32, FOCAL_TERMS = 8 * BOX_BLOCK };
struct boxes {
    real x1[BOX_BLOCK], y1[BOX_BLOCK], x2[BOX_BLOCK], y2[BOX_BLOCK], area[BOX_BLOCK], factor[BOX_BLOCK],
         iou[BOX_BLOCK];
};

/* Sums with a term of the quality focal loss, where p = 1 / (1 + exp(-x)), s = ln(1 + exp(x)):
 *     f = rest - p^2 s + (p - u)^2 (s - x u) - factor ln(u + 1e-7)
 * u is known to within u_error; low is a lower bound of f. */
struct focal_terms {
    real x[FOCAL_TERMS], u[FOCAL_TERMS], u_error[FOCAL_TERMS], rest[FOCAL_TERMS], low[FOCAL_TERMS];
};

struct kernels {
    const char *name;

    /* c[m][n] = a[m][k] b[k][n]; a is stored as [k][m] if a_by_k.  Nothing is packed: for matrices that fit a cache.
     * gemm_divides: the bits of an element do not depend on m. */
    bool gemm_divides;
    void (*gemm_unpacked)(bool a_by_k, int m, int n, int k, const real *a, int lda, const real *b, int ldb, bool add,
                          real *c, int ldc);

    struct winograd winograd, winograd_1d;      /* kernel/winograd.h */
    const struct amx_kernels *amx;      /* kernel/amx.h; NULL: no matrix unit */

    /* Row i of y.  x points at input row `first`; all rows inside the image that the window covers must be readable.
     * bias may be NULL. */
    void (*depthwise_row)(const struct depthwise *, int i, const real *x, int first, const real *w, const real *bias,
                          real *y);
    /* Row r of dx.  dy points at output row `first`; all rows of dy that depend on row r must be readable. */
    void (*depthwise_dx_row)(const struct depthwise *, int r, const real *dy, int first, const real *w, bool add,
                             real *dx);
    /* dw += the contribution of row i of y, whose gradient is dy; x as for depthwise_row. */
    void (*depthwise_dw_row)(const struct depthwise *, int i, const real *x, int first, const real *dy, real *dw);

    /* n pixels of c channels.  Results must not overlap operands, except that activate's y may be x.
     * copy_rows: y = x;  activate: y = act(z);  activate_grad: g = dy act'(z). */
    void (*copy_rows)(int n, int c, const real *x, int ldx, bool add, real *y, int ldy);
    void (*activate)(const struct affine *, int n, int c, const real *x, int ldx, real *y, int ldy);
    void (*activate_grad)(const struct affine *, int n, int c, const real *x, int ldx, const real *dy, int lddy,
                          bool add, real *g, int ldg);
    /* interleave: y[2i] = a[i], y[2i+1] = b[i];  deinterleave: y[i] = x[2i]. */
    void (*interleave)(int n, int c, const real *a, int lda, const real *b, int ldb, real *y, int ldy);
    void (*deinterleave)(int n, int c, const real *x, int ldx, bool add, real *y, int ldy);

    /* Max pooling; window and rows as for depthwise.  winner: the tap u * kernel + v of each output, without gaps, or
     * NULL.  The first of equal elements wins; NaN counts as the largest.  max_pool_dx_row: row r of dx from the whole
     * image's dy. */
    void (*max_pool_row)(const struct depthwise *, int i, const real *x, int first, real *y, unsigned char *winner);
    void (*max_pool_dx_row)(const struct depthwise *, int r, const real *dy, const unsigned char *winner, bool add,
                            real *dx);

    /* Bilinear upsampling by two.  upsample_row: a row of y (2w pixels) from the nearer and the farther row of x (w
     * pixels each).  upsample_dx_row: a row of dx (w pixels) from four rows of dy. */
    void (*upsample_row)(int w, int c, const real *near, const real *far, int ldx, real *y, int ldy);
    void (*upsample_dx_row)(int w, int c, const real *dy0, const real *dy1, const real *dy2, const real *dy3, int lddy,
                            bool add, real *dx, int lddx);

    /* Each channel's mean and sum of (x - mean)^2 over n >= 1 pixels. */
    void (*moments)(int n, int c, const real *x, int ldx, double *mean, double *m2);
    /* Backward of a normalisation and its activation, g = dy act'(z).  norm_sums: sums of g and of g (x - mean) over n
     * pixels.  norm_dx: the gradient; dx may be dy's memory.  scale is not NULL. */
    void (*norm_sums)(const struct affine *, int n, int c, const real *x, int ldx, const real *dy, int lddy,
                      const real *mean, double *sum_g, double *sum_gx);
    void (*norm_dx)(const struct affine *, const struct norm_map *, int n, int c, const real *x, int ldx,
                    const real *dy, int lddy, bool add, real *dx, int lddx);

    /* finite: whether all n elements are.  largest: the maximum of n >= 1 elements; none may be NaN. */
    bool (*finite)(ptrdiff_t n, const real *x);
    real (*largest)(ptrdiff_t n, const real *x);

    /* y = softmax(scale x) in each of n rows of c elements; y may be x; scale > 0. */
    void (*softmax)(int n, int c, real scale, const real *x, real *y);
    void (*softmax_double)(int n, int c, double scale, const double *x, double *y);

    /* The sum over c logits x of the quality focal loss with beta = 2 and target 0 (detect/focal.h).  slope[i] gets
     * scale times the derivative, unless slope is NULL. */
    real (*focal)(int c, const real *x, real scale, real *slope);

    /* Sets iou of all boxes, and of the bounds, to the intersection over union with `box`; unions are at least 1e-6.
     * Returns a number that at least `many` of them reach, close to the largest such number; 0 if there is none, if it
     * is not found, or if many is 0. */
    real (*iou_with_box)(int blocks, struct boxes *block, struct boxes *bound, const real box[4], int many);

    /* Lists in ascending order the boxes i = j + BOX_BLOCK block with iou > scale factor + offset; scale >= 0.
     * Returns their number. */
    int (*list_iou_above)(int blocks, const struct boxes *block, const struct boxes *bound, real scale, real offset,
                          int *list);

    /* bound_focal_terms sets low of n sums f, to -INFINITY where float is too inexact.  It returns a number that at
     * least `many` of them do not exceed; INFINITY if none is found or many is 0.  list_low_terms lists in ascending
     * order those of n sums with low <= limit, and returns their number. */
    real (*bound_focal_terms)(real factor, int n, struct focal_terms *, int many);
    int (*list_low_terms)(int n, const struct focal_terms *, real limit, int *list);

    /* On n elements: the sum of x^2; one optimiser step; y = (1 - alpha) y + alpha x. */
    double (*sum_of_squares)(ptrdiff_t n, const real *x);
    void (*adam)(const struct adam *, ptrdiff_t n, const real *g, real *m, real *v, real *p);
    void (*sgd)(const struct sgd *, ptrdiff_t n, const real *g, real *m, real *p);
    void (*ema_update)(ptrdiff_t n, real alpha, const real *x, real *y);
};

/* The table called ref, blas, sse, avx2, avx512, amx or neon, or the fastest for NULL.  Misuse if this machine or build
 * lacks it. */
const struct kernels *kernels_pick(const char *name, struct error *);

/* Appends " ref sse ...": the tables of this build that this machine can run, or cannot run, slowest first.  blas
 * counts as usable if the build has it; OpenBLAS is not loaded. */
struct strbuf;
enum kernel_names { KERNELS_UNUSABLE, KERNELS_USABLE };
void add_kernel_names(enum kernel_names, struct strbuf *);
#endif
