/* kernel/gemm.h -- c[m][n] (+)= a[m][k] b[k][n], see struct kernels. */
#ifndef KERNEL_GEMM_H
#define KERNEL_GEMM_H
#include "base/real.h"
#include <stdbool.h>
#include <stddef.h>

void gemm_ref(bool a_by_k, bool b_by_n, int m, int n, int k, const real *a, int lda, const real *b, int ldb,
              bool add, real *c, int ldc);
void gemm_blas(bool a_by_k, bool b_by_n, int m, int n, int k, const real *a, int lda, const real *b, int ldb,
               bool add, real *c, int ldc);
void gemm_near_ref(bool a_by_k, int m, int n, int k, const real *a, int lda, const real *b, int ldb, bool add, real *c,
                   int ldc);
void gemm_single_threaded(void);        /* the team's threads call it; its own would only get in their way */
#endif
