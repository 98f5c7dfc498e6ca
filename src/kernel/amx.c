/* kernel/amx.c -- kernel/amx.h by Intel's Advanced Matrix Extensions: eight registers of 16 rows of 64 bytes.  One
 * instruction multiplies a [16][32] by a [32][16] bfloat16 matrix and adds the product to [16][16] floats. */
#if defined(__x86_64__) && !defined(REAL_IS_DOUBLE)
#include "kernel/tables.h"

#include "base/min_max.h"
#include "kernel/inlined.h"
#include <immintrin.h>
#include <limits.h>
#include <string.h>

enum { ROWS = 16,                       /* rows of a register; a row is one vector: 16 floats or 32 bfloat16 */
       STEP = ROWS * PAIR_ROW };        /* elements of AMX_BLOCK matrix rows in a panel */

/* The first min(n, 16) lanes. */
static __mmask16 lane_mask(int n) { return (__mmask16)(n >= ROWS ? 0xffff : n > 0 ? (1u << n) - 1 : 0); }

static inline __m512 to_float(__m256i bf16)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bf16), 16));
}

/* The next bf16 term of 32 floats, which keep the remainder. */
static inline __m512i next_term(__m512 *first, __m512 *second)
{
    const __m512i term = (__m512i)_mm512_cvtne2ps_pbh(*second, *first);
    *first = _mm512_sub_ps(*first, to_float(_mm512_castsi512_si256(term)));
    *second = _mm512_sub_ps(*second, to_float(_mm512_extracti64x4_epi64(term, 1)));
    return term;
}

/* Splits the first AMX_BLOCK of c floats, padded with zeros. */
static inline void split_side(int c, const float *x, struct bf16 to)
{
    __m512 first = _mm512_maskz_loadu_ps(lane_mask(c), x);
    __m512 second = _mm512_maskz_loadu_ps(lane_mask(c - ROWS), x + ROWS);
    for (int p = 0; p < to.terms; p++)
        _mm512_storeu_si512(to.p + p * to.plane, next_term(&first, &second));
}

static void split_rows(int n, int c, const float *x, int ldx, struct bf16 to, int ld)
{
    for (ptrdiff_t i = 0; i < n; i++)
        for (int j = 0; j < c; j += AMX_BLOCK)
            split_side(c - j, x + i * ldx + j, bf16_at(to, i * ld + j));
}

/* Elements 0 .. 15 of two rows, interleaved to pairs. */
static inline __m512i interleaved(__m512i two_rows)
{
    const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                                           21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    return _mm512_permutexvar_epi16(order, two_rows);
}

static void split_pairs(int n, int c, const float *x, int ldx, struct bf16 to, ptrdiff_t panel)
{
    for (ptrdiff_t i = 0; i < n; i += 2)
        for (int j = 0; j < amx_round(c); j += ROWS) {
            const float *from = x + i * ldx + j;
            uint16_t *row = to.p + j / AMX_BLOCK * panel + i * AMX_BLOCK + j % AMX_BLOCK * 2;
            __m512 first = _mm512_maskz_loadu_ps(lane_mask(c - j), from);
            __m512 second = _mm512_maskz_loadu_ps(i + 1 < n ? lane_mask(c - j) : 0, from + ldx);
            for (int p = 0; p < to.terms; p++)
                _mm512_storeu_si512(row + p * to.plane, interleaved(next_term(&first, &second)));
        }
}

/* 16 x 16 elements of 32 bits, by exchanging halves at distances 1, 2, 4 and 8. */
static void transpose_16x16(const uint16_t *from, ptrdiff_t ld, uint16_t *to, ptrdiff_t ldto)
{
    __m512i r[ROWS], s[ROWS];
    for (int i = 0; i < ROWS; i++)
        r[i] = _mm512_loadu_si512(from + i * ld);
    for (int i = 0; i < ROWS; i += 2) {
        s[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        s[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    for (int i = 0; i < ROWS; i += 4)
        for (int j = 0; j < 2; j++) {
            r[i + 2 * j] = _mm512_unpacklo_epi64(s[i + j], s[i + j + 2]);
            r[i + 2 * j + 1] = _mm512_unpackhi_epi64(s[i + j], s[i + j + 2]);
        }
    for (int i = 0; i < ROWS; i += 8)
        for (int j = 0; j < 4; j++) {
            s[i + j] = _mm512_shuffle_i32x4(r[i + j], r[i + j + 4], 0x88);
            s[i + j + 4] = _mm512_shuffle_i32x4(r[i + j], r[i + j + 4], 0xdd);
        }
    for (int j = 0; j < 8; j++) {
        r[j] = _mm512_shuffle_i32x4(s[j], s[j + 8], 0x88);
        r[j + 8] = _mm512_shuffle_i32x4(s[j], s[j + 8], 0xdd);
    }
    for (int i = 0; i < ROWS; i++)
        _mm512_storeu_si512(to + i * ldto, r[i]);
}

static void transpose(int n, int c, const uint16_t *from, int ld, uint16_t *to, int ldto)
{
    for (ptrdiff_t i = 0; i < n; i += ROWS)
        for (ptrdiff_t j = 0; j < c; j += ROWS)
            transpose_16x16(from + i * ld + 2 * j, ld, to + j * ldto + 2 * i, ldto);
}

/* The compiler does not know which memory the unit's instructions read. */
static inline void compiler_barrier(void) { __asm__ volatile("" ::: "memory"); }

/* Work of the vector units while the matrix unit multiplies, `per_step` blocks or rows at a time: splitting the rows of
 * the next pixels and applying the epilogue to the last sums. */
struct split_work { const float *x; int rows, c, ldx; struct bf16 to; int ld, column, per_step; };
struct epilogue_work { struct affine f; const float *sums; int rows, c; float *y; int ldy, per_step; };
struct vector_work { struct split_work next; struct epilogue_work last; };

static inline void split_some(struct split_work *s, int sides)
{
    for (; sides > 0 && s->rows > 0; sides--) {
        split_side(s->c - s->column, s->x + s->column, bf16_at(s->to, s->column));
        s->column += AMX_BLOCK;
        if (s->column >= s->c) {
            s->column = 0;
            s->rows--;
            s->x += s->ldx;
            s->to.p += s->ld;
        }
    }
    compiler_barrier();
}

static inline void run_epilogue(struct epilogue_work *s, int most_rows)
{
    const int rows = min_int(most_rows, s->rows);
    if (rows <= 0)
        return;
    kernels_avx512.activate(&s->f, rows, s->c, s->sums, AMX_BLOCK, s->y, s->ldy);
    s->rows -= rows;
    s->sums += rows * AMX_BLOCK;
    s->y += (ptrdiff_t)rows * s->ldy;
}

/* Registers 0 to 3 hold sums; register t holds row t / 2, column t % 2 of the block. */
#define EACH_SUM(DO) DO(0) DO(1) DO(2) DO(3)
#define CLEAR(t)    _tile_zero(t);
#define START(t)    _tile_loadd(t, start + (t) / 2 * ROWS * ldstart + (t) % 2 * ROWS, 4 * ldstart);
#define STORE(t)    _tile_stored(t, c + (t) / 2 * ROWS * ldc + (t) % 2 * ROWS, 4 * ldc);
#define LOAD_A(a)   { _tile_loadd(4, a, 2 * lda); _tile_loadd(5, (a) + ROWS * lda, 2 * lda); }
#define LOAD_B(b)   { _tile_loadd(6, b, 2 * PAIR_ROW); _tile_loadd(7, (b) + 2 * ROWS, 2 * PAIR_ROW); }
#define MULTIPLY()  { _tile_dpbf16ps(0, 4, 6); _tile_dpbf16ps(1, 4, 7); \
                      _tile_dpbf16ps(2, 5, 6); _tile_dpbf16ps(3, 5, 7); \
                      if (vectors) split_some(&vectors->next, vectors->next.per_step); }

/* Prefetches the next panel, `distance` elements behind b, while the current one is multiplied: the cache lines
 * [from, to) of each step. */
struct prefetch { ptrdiff_t distance; int from, to; };

INLINED void prefetch_panel(const struct prefetch *prefetch, int terms, const struct bf16 *b, const uint16_t *step)
{
    for (int i = prefetch->from; i < prefetch->to; i++)
        for (int p = 0; p < terms; p++)
            _mm_prefetch((const char *)((uintptr_t)step + sizeof *step * (uintptr_t)(prefetch->distance + p * b->plane
                                                                                     + i * AMX_BLOCK)), _MM_HINT_T1);
}

/* Computes a block of AMX_BLOCK x AMX_BLOCK sums in registers 0 to 3; registers 4 and 5 hold rows of a, 6 and 7 columns
 * of b.  A store after 0.6 us without one takes 0.3 us, so long sums store a register to `spare` regularly.  vectors:
 * concurrent work of the vector units, or NULL. */
INLINED void block(int terms, int taps, const ptrdiff_t *tap, int run, const struct bf16 *a, ptrdiff_t lda,
                   const struct bf16 *b, const struct prefetch *prefetch, struct vector_work *vectors,
                   const float *start, ptrdiff_t ldstart, float *c, ptrdiff_t ldc)
{
    const uint16_t *right = b->p;
    float spare[ROWS];
    int steps = 0;
    if (start) { EACH_SUM(START) } else { EACH_SUM(CLEAR) }
    for (int t = 0; t < taps; t++)
        for (int k = 0; k < run; k += AMX_BLOCK, right += STEP) {
            const uint16_t *left = a->p + tap[t] + k;
            prefetch_panel(prefetch, terms, b, right);
            if (++steps % (terms == 3 ? 3 : 6) == 0)
                _tile_stored(0, spare, 0);
            LOAD_B(right)
            if (terms == 3) {
                LOAD_A(left + 2 * a->plane)
                MULTIPLY()
            }
            LOAD_A(left + a->plane)
            MULTIPLY()
            if (terms == 3) {
                LOAD_B(right + b->plane)
                MULTIPLY()
                if (vectors)
                    run_epilogue(&vectors->last, vectors->last.per_step);
                LOAD_A(left)
                MULTIPLY()
                LOAD_B(right + 2 * b->plane)
                MULTIPLY()
                LOAD_B(right)
                MULTIPLY()
                if (vectors)
                    run_epilogue(&vectors->last, vectors->last.per_step);
            } else {
                LOAD_A(left)
                MULTIPLY()
                LOAD_B(right + b->plane)
                MULTIPLY()
            }
        }
    EACH_SUM(STORE)
}

static void begin(void)
{
    struct { uint8_t palette, unused[15]; uint16_t bytes[16]; uint8_t rows[16]; } shape = { .palette = 1 };
    for (int t = 0; t < 8; t++) {
        shape.bytes[t] = 64;
        shape.rows[t] = ROWS;
    }
    compiler_barrier();
    _tile_loadconfig(&shape);
}

static void end(void) { _tile_release(); }

static void product(int m, int n, int taps, const ptrdiff_t *tap, int run, struct bf16 a, int lda, struct bf16 b,
                    ptrdiff_t panel, const float *start, int ldstart, float *c, int ldc)
{
    const int blocks = (m + AMX_BLOCK - 1) / AMX_BLOCK;
    compiler_barrier();
    for (ptrdiff_t j = 0; j < n; j += AMX_BLOCK, b.p += panel)
        for (int i = 0; i < blocks; i++) {
            const struct bf16 rows = bf16_at(a, (ptrdiff_t)i * AMX_BLOCK * lda);
            const int lines = panel ? AMX_BLOCK * (i + 1) / blocks : 0;
            const struct prefetch prefetch = { panel, AMX_BLOCK * i / blocks, lines };
            const float *from = start ? start + (ptrdiff_t)i * AMX_BLOCK * ldstart + j : NULL;
            float *to = c + (ptrdiff_t)i * AMX_BLOCK * ldc + j;
            if (a.terms == 3)
                block(3, taps, tap, run, &rows, lda, &b, &prefetch, NULL, from, ldstart, to, ldc);
            else
                block(2, taps, tap, run, &rows, lda, &b, &prefetch, NULL, from, ldstart, to, ldc);
        }
}

static int per_call(int work, int calls) { return (work + calls - 1) / calls; }

static void pointwise(const struct affine *epilogue, int n, int c, const float *x, int ldx, int outputs, struct bf16 b,
                      const float *start, struct bf16 own, float *y, int ldy)
{
    enum { SPLITS = 6, EPILOGUES = 2 };                         /* calls of either per step of a block */
    _Alignas(64) float sums[2][AMX_BLOCK * AMX_BLOCK];
    const int ld = amx_ld(c), depth = amx_round(c), panels = amx_round(outputs) / AMX_BLOCK;
    struct vector_work vectors = { .next = { x, min_int(AMX_BLOCK, n), c, ldx, own, ld, 0,
                                             per_call(AMX_BLOCK, SPLITS * panels) } };
    int side = 0;
    split_some(&vectors.next, INT_MAX);
    for (ptrdiff_t i = 0; i < n; i += AMX_BLOCK) {
        const struct bf16 a = bf16_at(own, i / AMX_BLOCK % 2 * AMX_BLOCK * ld);
        vectors.next.rows = min_int(AMX_BLOCK, n - (int)i - AMX_BLOCK);
        vectors.next.to = bf16_at(own, (i / AMX_BLOCK + 1) % 2 * AMX_BLOCK * ld);
        for (ptrdiff_t j = 0; j < outputs; j += AMX_BLOCK, side = !side) {
            const struct bf16 right = bf16_at(b, j * depth);
            block(3, 1, &(ptrdiff_t){ 0 }, depth, &a, ld, &right, &(struct prefetch){0}, &vectors,
                  start ? start + j : NULL, 0, sums[side], AMX_BLOCK);
            run_epilogue(&vectors.last, AMX_BLOCK);
            vectors.last = (struct epilogue_work){ affine_from(*epilogue, j), sums[side],
                                                   min_int(AMX_BLOCK, n - (int)i),
                                                   min_int(AMX_BLOCK, outputs - (int)j), y + i * ldy + j, ldy,
                                                   per_call(AMX_BLOCK * AMX_BLOCK, EPILOGUES * depth) };
            compiler_barrier();
        }
        split_some(&vectors.next, INT_MAX);
    }
    run_epilogue(&vectors.last, AMX_BLOCK);
}

const struct amx_kernels amx_native = { split_rows, split_pairs, transpose, begin, end, product, pointwise };
#endif
