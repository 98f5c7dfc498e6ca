/* kernel/gemm_body.h -- products of matrices that stay in the cache: nothing is packed.  Included after a vec_*.h.
 * A block of ROWS x 3 vectors of c stays in registers while k runs. */

enum { ROWS = VEC == 16 ? 8 : 4 };

static inline __attribute__((always_inline)) void gemm_block(int rows, int vectors, int lanes, int k, const float *a,
                                                             int lda, const float *b, int ldb, bool add, float *c,
                                                             int ldc)
{
    vec sum[ROWS][3];
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < vectors; j++)
            sum[i][j] = add ? vec_load(c + (ptrdiff_t)i * ldc + j * VEC, lanes - j * VEC) : vec_zero();
    for (int t = 0; t < k; t++, b += ldb) {
        vec row[3];
        for (int j = 0; j < vectors; j++)
            row[j] = vec_load(b + j * VEC, lanes - j * VEC);
        for (int i = 0; i < rows; i++) {
            const vec x = vec_all(a[(ptrdiff_t)i * lda + t]);
            for (int j = 0; j < vectors; j++)
                sum[i][j] = vec_fma(x, row[j], sum[i][j]);
        }
    }
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < vectors; j++)
            vec_store(c + (ptrdiff_t)i * ldc + j * VEC, sum[i][j], lanes - j * VEC);
}

/* The columns from j on, `vectors` vectors of them. */
static inline __attribute__((always_inline)) void gemm_columns(int vectors, int lanes, int m, int k, const float *a,
                                                               int lda, const float *b, int ldb, bool add, float *c,
                                                               int ldc)
{
    int i = 0;
    for (; i + ROWS <= m; i += ROWS)
        gemm_block(ROWS, vectors, lanes, k, a + (ptrdiff_t)i * lda, lda, b, ldb, add, c + (ptrdiff_t)i * ldc, ldc);
    for (; i < m; i++)
        gemm_block(1, vectors, lanes, k, a + (ptrdiff_t)i * lda, lda, b, ldb, add, c + (ptrdiff_t)i * ldc, ldc);
}

static void gemm_near(int m, int n, int k, const float *a, int lda, const float *b, int ldb, bool add, float *c, int ldc)
{
    int j = 0;
    for (; j + 3 * VEC <= n; j += 3 * VEC)
        gemm_columns(3, 3 * VEC, m, k, a, lda, b + j, ldb, add, c + j, ldc);
    for (; j + VEC <= n; j += VEC)
        gemm_columns(1, VEC, m, k, a, lda, b + j, ldb, add, c + j, ldc);
    if (j < n)
        gemm_columns(1, n - j, m, k, a, lda, b + j, ldb, add, c + j, ldc);
}
