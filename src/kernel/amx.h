/* kernel/amx.h -- products of matrices on a unit that multiplies bfloat16 and accumulates in float (Intel AMX).
 *
 * A float is split into bf16 terms, x = p0 + p1 + ... + rest.  p0 is x rounded to a bfloat16 (8 significant bits); each
 * further term is the remainder, rounded likewise.  With two terms |rest| <= 2^-17 |x|; with three the rest is
 * negligible.  A product x y is the sum of p_i q_j over i + j < terms: three products for two terms (error at most
 * 3.1e-5 of a product, about 3e-6 of a long sum), six for three terms (as accurate as float arithmetic).
 *
 * A bf16 matrix is stored as planes of 16-bit elements: all p0, then all p1, and so on.  A plane has r rows and c
 * columns in one of two layouts:
 *     rows   [r][ld]                                   left operand of a product
 *     pairs  [c / AMX_BLOCK][r / 2][AMX_BLOCK][2]      right operand: panels of columns, two rows interleaved
 * `transpose` works on 32-bit elements, that is on pairs: it turns rows into pairs of the transposed matrix and pairs
 * into its rows.  Rows and columns are padded to multiples of AMX_BLOCK.  Padding along the summed dimension must be
 * zero; other padding may hold anything, and so may the results there.  amx_ld() avoids row distances that map all rows
 * to the same cache sets. */
#ifndef KERNEL_AMX_H
#define KERNEL_AMX_H
#include "base/real.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { AMX_BLOCK = 32,                                  /* 2 x 2 registers of 16 rows and 16 floats or bf16 pairs */
       PAIR_ROW = 2 * AMX_BLOCK };                      /* elements of a panel's row */

struct bf16 { uint16_t *p; ptrdiff_t plane; int terms; };       /* term i of an element is i * plane behind p */

static inline int amx_round(int n) { return (n + AMX_BLOCK - 1) / AMX_BLOCK * AMX_BLOCK; }
static inline int amx_ld(int n)    { return ((n + AMX_BLOCK - 1) / AMX_BLOCK | 1) * AMX_BLOCK; }

/* The matrix that starts `offset` elements further on. */
static inline struct bf16 bf16_at(struct bf16 m, ptrdiff_t offset)
{
    m.p += offset;
    return m;
}

struct affine;                                                  /* kernel/kernels.h */

struct amx_kernels {
    /* Converts n rows of c floats, ldx apart, to rows.  Columns from c to the next multiple of AMX_BLOCK become 0. */
    void (*split_rows)(int n, int c, const real *x, int ldx, struct bf16, int ld);
    /* The same to pairs; `panel` elements from one panel to the next.  An odd n is padded by a row of zeros. */
    void (*split_pairs)(int n, int c, const real *x, int ldx, struct bf16, ptrdiff_t panel);
    /* to[j][i] = from[i][j] for 32-bit elements, n rows of c; n and c are multiples of 16. */
    void (*transpose)(int n, int c, const uint16_t *from, int ld, uint16_t *to, int ldto);
    /* Configure and release the unit's registers around a thread's products. */
    void (*begin)(void);
    void (*end)(void);
    /* c[m][n] = start + a[m][k] b[k][n].  The columns of a are `taps` runs of `run` elements (a multiple of AMX_BLOCK);
     * run t of row i begins at a + tap[t] + i lda.  m and n are rounded up to multiples of AMX_BLOCK: these rows of a
     * and all of c must exist.  start: NULL for zero, one row for all if ldstart is 0, or c to accumulate. */
    void (*product)(int m, int n, int taps, const ptrdiff_t *tap, int run, struct bf16 a, int lda, struct bf16 b,
                    ptrdiff_t panel, const real *start, int ldstart, real *c, int ldc);
    /* y = epilogue(start + x b) for n pixels of c channels; b is [c][outputs] in three terms; start is one row or NULL.
     * The vector units split the next AMX_BLOCK pixels and apply the epilogue to the previous block while the unit
     * multiplies.  own: scratch for three terms of 2 AMX_BLOCK rows, amx_ld(c) elements each. */
    void (*pointwise)(const struct affine *epilogue, int n, int c, const real *x, int ldx, int outputs, struct bf16 b,
                      const real *start, struct bf16 own, real *y, int ldy);
};
#endif
