/* kernel/gemm.c -- a plain product of matrices, and OpenBLAS called with one thread a call. */
#include "kernel/gemm.h"

#include <cblas.h>

void gemm_ref(bool a_by_k, bool b_by_n, int m, int n, int k, const real *a, int lda, const real *b, int ldb,
              bool add, real *c, int ldc)
{
    for (ptrdiff_t i = 0; i < m; i++)
        for (ptrdiff_t j = 0; j < n; j++) {
            real sum = 0;
            for (ptrdiff_t t = 0; t < k; t++)
                sum += (a_by_k ? a[t * lda + i] : a[i * lda + t]) * (b_by_n ? b[j * ldb + t] : b[t * ldb + j]);
            c[i * ldc + j] = add ? c[i * ldc + j] + sum : sum;
        }
}

void gemm_blas(bool a_by_k, bool b_by_n, int m, int n, int k, const real *a, int lda, const real *b, int ldb,
               bool add, real *c, int ldc)
{
#ifdef REAL_IS_DOUBLE
    cblas_dgemm(
#else
    cblas_sgemm(
#endif
        CblasRowMajor, a_by_k ? CblasTrans : CblasNoTrans, b_by_n ? CblasTrans : CblasNoTrans, m, n, k, 1, a, lda,
        b, ldb, add ? 1 : 0, c, ldc);
}

void gemm_near_ref(bool a_by_k, int m, int n, int k, const real *a, int lda, const real *b, int ldb, bool add, real *c,
                   int ldc)
{
    gemm_ref(a_by_k, false, m, n, k, a, lda, b, ldb, add, c, ldc);
}

void gemm_single_threaded(void)
{
    openblas_set_num_threads(1);
}
