/* kernel/gemm_ref.h -- the definition, one element at a time; sums are rounded once. */
#include "kernel/kernels.h"

static void gemm_unpacked(bool a_by_k, int m, int n, int k, const real *a, int lda, const real *b, int ldb, bool add,
                          real *c, int ldc)
{
    for (ptrdiff_t i = 0; i < m; i++)
        for (ptrdiff_t j = 0; j < n; j++) {
            double sum = add ? c[i * ldc + j] : 0;
            for (ptrdiff_t t = 0; t < k; t++)
                sum += (double)(a_by_k ? a[t * lda + i] : a[i * lda + t]) * b[t * ldb + j];
            c[i * ldc + j] = (real)sum;
        }
}
