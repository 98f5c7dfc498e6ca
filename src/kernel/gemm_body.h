/* kernel/gemm_body.h -- products of matrices that fit a cache, without packing.  Included after a vec_*.h.
 * A block of ROWS x 3 vectors of c stays in registers over the loop on k.  Each element of a is broadcast once per
 * block, so the layout of a matters little.  k is processed DEPTH at a time to keep a and b in the first-level cache.
 * The order of summation of an element of c does not depend on its block. */
#include "kernel/inlined.h"

enum { ROWS = VEC == 16 ? 8 : 4, DEPTH = 128 };

struct gemm_args {
    int m, n, k;
    const float *a; int row, step;              /* element (i, t) is at i * row + t * step */
    const float *b; int ldb;
    bool add; float *c; int ldc;
};

/* rows x vectors of c from row `from` on; the last vector has `last` lanes. */
INLINED void gemm_block(int rows, int vectors, int last, struct gemm_args p, int from)
{
    const float *a = p.a + (ptrdiff_t)from * p.row, *b = p.b;
    float *c = p.c + (ptrdiff_t)from * p.ldc;
    vec sum[ROWS][3];
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < vectors; j++)
            sum[i][j] = p.add ? vec_load(c + (ptrdiff_t)i * p.ldc + j * VEC, j + 1 < vectors ? VEC : last) : vec_zero();
    for (int t = 0; t < p.k; t++, a += p.step, b += p.ldb) {
        vec y[3];
        for (int j = 0; j < vectors; j++)
            y[j] = vec_load(b + j * VEC, j + 1 < vectors ? VEC : last);
        for (int i = 0; i < rows; i++) {
            const vec x = vec_all(a[(ptrdiff_t)i * p.row]);
            for (int j = 0; j < vectors; j++)
                sum[i][j] = vec_fma(x, y[j], sum[i][j]);
        }
    }
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < vectors; j++)
            vec_store(c + (ptrdiff_t)i * p.ldc + j * VEC, sum[i][j], j + 1 < vectors ? VEC : last);
}

/* Blocks of `rows` rows from row i on.  Returns the first remaining row. */
INLINED int gemm_rows(int rows, int i, int vectors, int last, struct gemm_args p)
{
    for (; i + rows <= p.m; i += rows)
        gemm_block(rows, vectors, last, p, i);
    return i;
}

/* `vectors` vectors of columns. */
INLINED void gemm_columns(int vectors, int last, struct gemm_args p)
{
    int i = gemm_rows(ROWS, 0, vectors, last, p);
    if (ROWS > 4)
        i = gemm_rows(4, i, vectors, last, p);
    i = gemm_rows(2, i, vectors, last, p);
    gemm_rows(1, i, vectors, last, p);
}

static struct gemm_args columns_after(struct gemm_args p, int vectors)
{
    p.n -= vectors * VEC;
    p.b += vectors * VEC;
    p.c += vectors * VEC;
    return p;
}

/* Three vectors at a time, but four as two and two: one vector alone has too few independent sums. */
static void gemm_k_block(struct gemm_args p)
{
    for (; p.n > 4 * VEC || p.n == 3 * VEC; p = columns_after(p, 3))
        gemm_columns(3, VEC, p);
    if (p.n > 3 * VEC) {
        gemm_columns(2, VEC, p);
        p = columns_after(p, 2);
    }
    if (p.n > 2 * VEC)
        gemm_columns(3, p.n - 2 * VEC, p);
    else if (p.n > VEC)
        gemm_columns(2, p.n - VEC, p);
    else if (p.n > 0)
        gemm_columns(1, p.n, p);
}

static void gemm_unpacked(bool a_by_k, int m, int n, int k, const float *a, int lda, const float *b, int ldb, bool add,
                          float *c, int ldc)
{
    const int step = a_by_k ? lda : 1;
    struct gemm_args p = { m, n, 0, a, a_by_k ? 1 : lda, step, b, ldb, add, c, ldc };
    for (int t = 0; t < k; t += DEPTH, p.add = true) {
        p.a = a + (ptrdiff_t)t * step;
        p.b = b + (ptrdiff_t)t * ldb;
        p.k = k - t < DEPTH ? k - t : DEPTH;
        gemm_k_block(p);
    }
}
