/* kernel/gemm_body.h -- products of matrices that stay in the cache: nothing is packed.  Included after a vec_*.h.
 * A block of ROWS x 3 vectors of c stays in registers while k runs: each number of a is spread over a vector once for
 * the block, so that it matters little how a is stored.  Number (i, t) of a lies at i * row + t * step. */

enum { ROWS = VEC == 16 ? 8 : 4 };

/* rows x vectors of c; the last vector has `last` lanes. */
static inline __attribute__((always_inline)) void gemm_block(int rows, int vectors, int last, int k, const float *a,
                                                             int row, int step, const float *b, int ldb, bool add,
                                                             float *c, int ldc)
{
    vec sum[ROWS][3];
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < vectors; j++)
            sum[i][j] = add ? vec_load(c + (ptrdiff_t)i * ldc + j * VEC, j + 1 < vectors ? VEC : last) : vec_zero();
    for (int t = 0; t < k; t++, a += step, b += ldb) {
        vec y[3];
        for (int j = 0; j < vectors; j++)
            y[j] = vec_load(b + j * VEC, j + 1 < vectors ? VEC : last);
        for (int i = 0; i < rows; i++) {
            const vec x = vec_all(a[(ptrdiff_t)i * row]);
            for (int j = 0; j < vectors; j++)
                sum[i][j] = vec_fma(x, y[j], sum[i][j]);
        }
    }
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < vectors; j++)
            vec_store(c + (ptrdiff_t)i * ldc + j * VEC, sum[i][j], j + 1 < vectors ? VEC : last);
}

/* The columns from j on, `vectors` vectors of them. */
static inline __attribute__((always_inline)) void gemm_columns(int vectors, int last, int m, int k, const float *a,
                                                               int row, int step, const float *b, int ldb, bool add,
                                                               float *c, int ldc)
{
    int i = 0;
    for (; i + ROWS <= m; i += ROWS)
        gemm_block(ROWS, vectors, last, k, a + (ptrdiff_t)i * row, row, step, b, ldb, add, c + (ptrdiff_t)i * ldc, ldc);
    for (; i < m; i++)
        gemm_block(1, vectors, last, k, a + (ptrdiff_t)i * row, row, step, b, ldb, add, c + (ptrdiff_t)i * ldc, ldc);
}

static void gemm_near(bool a_by_k, int m, int n, int k, const float *a, int lda, const float *b, int ldb, bool add,
                      float *c, int ldc)
{
    const int row = a_by_k ? 1 : lda, step = a_by_k ? lda : 1;
    int j = 0;
    for (; j + 3 * VEC <= n; j += 3 * VEC)
        gemm_columns(3, VEC, m, k, a, row, step, b + j, ldb, add, c + j, ldc);
    if (j + 2 * VEC < n)
        gemm_columns(3, n - j - 2 * VEC, m, k, a, row, step, b + j, ldb, add, c + j, ldc);
    else if (j + VEC < n)
        gemm_columns(2, n - j - VEC, m, k, a, row, step, b + j, ldb, add, c + j, ldc);
    else if (j < n)
        gemm_columns(1, n - j, m, k, a, row, step, b + j, ldb, add, c + j, ldc);
}
