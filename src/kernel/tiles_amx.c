/* kernel/tiles_amx.c -- Intel's Advanced Matrix Extensions: eight registers of 16 rows of 64 bytes, which multiply
 * [16][32] by pairs of [32][16] bfloat16 and add to [16][16] floats.  kernel/tiles.h says what is computed. */
#if defined(__x86_64__) && !defined(REAL_IS_DOUBLE)
#include "kernel/tables.h"

#include "base/least.h"
#include "kernel/inlined.h"
#include <immintrin.h>
#include <limits.h>
#include <string.h>

enum { ROWS = 16,                       /* of a register; 16 floats, 32 bfloat16, one vector, a row */
       STEP = ROWS * PAIR_ROW };        /* of a panel: TILE_SIDE rows of the matrix */

/* The first n of a vector's, if it has so many. */
static __mmask16 lanes(int n) { return (__mmask16)(n >= ROWS ? 0xffff : n > 0 ? (1u << n) - 1 : 0); }

static inline __m512 widened(__m256i numbers)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(numbers), 16));
}

/* The next piece of 32 numbers, which are left with the rest. */
static inline __m512i piece_of(__m512 *first, __m512 *second)
{
    const __m512i piece = (__m512i)_mm512_cvtne2ps_pbh(*second, *first);
    *first = _mm512_sub_ps(*first, widened(_mm512_castsi512_si256(piece)));
    *second = _mm512_sub_ps(*second, widened(_mm512_extracti64x4_epi64(piece, 1)));
    return piece;
}

/* The first TILE_SIDE of c numbers, zeros where there are fewer. */
static inline void split_side(int c, const float *x, struct pieces to)
{
    __m512 first = _mm512_maskz_loadu_ps(lanes(c), x), second = _mm512_maskz_loadu_ps(lanes(c - ROWS), x + ROWS);
    for (int p = 0; p < to.count; p++)
        _mm512_storeu_si512(to.p + p * to.plane, piece_of(&first, &second));
}

static void split_rows(int n, int c, const float *x, int ldx, struct pieces to, int ld)
{
    for (ptrdiff_t i = 0; i < n; i++)
        for (int j = 0; j < c; j += TILE_SIDE)
            split_side(c - j, x + i * ldx + j, moved(to, i * ld + j));
}

/* Numbers 0 .. 15 of two rows, one after the other in each pair. */
static inline __m512i interleaved(__m512i two_rows)
{
    const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                                           21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    return _mm512_permutexvar_epi16(order, two_rows);
}

static void split_pairs(int n, int c, const float *x, int ldx, struct pieces to, ptrdiff_t panel)
{
    for (ptrdiff_t i = 0; i < n; i += 2)
        for (int j = 0; j < tiles_round(c); j += ROWS) {
            const float *from = x + i * ldx + j;
            uint16_t *row = to.p + j / TILE_SIDE * panel + i * TILE_SIDE + j % TILE_SIDE * 2;
            __m512 first = _mm512_maskz_loadu_ps(lanes(c - j), from);
            __m512 second = _mm512_maskz_loadu_ps(i + 1 < n ? lanes(c - j) : 0, from + ldx);
            for (int p = 0; p < to.count; p++)
                _mm512_storeu_si512(row + p * to.plane, interleaved(piece_of(&first, &second)));
        }
}

/* 16 x 16 numbers of 32 bits: halves are exchanged at distances 1, 2, 4 and 8. */
static void turn_square(const uint16_t *from, ptrdiff_t ld, uint16_t *to, ptrdiff_t ldto)
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

static void turn(int n, int c, const uint16_t *from, int ld, uint16_t *to, int ldto)
{
    for (ptrdiff_t i = 0; i < n; i += ROWS)
        for (ptrdiff_t j = 0; j < c; j += ROWS)
            turn_square(from + i * ld + 2 * j, ld, to + j * ldto + 2 * i, ldto);
}

/* The compiler does not know what the unit's instructions read. */
static inline void all_written(void) { __asm__ volatile("" ::: "memory"); }

/* Rows that are yet to be split, and sums to be finished, while the unit multiplies: some at a time. */
struct splitting { const float *x; int rows, c, ldx; struct pieces to; int ld, column, some; };
struct finishing { struct affine f; const float *sums; int rows, c; float *y; int ldy, some; };
struct aside { struct splitting next; struct finishing last; };

static inline void split_some(struct splitting *s, int sides)
{
    for (; sides > 0 && s->rows > 0; sides--) {
        split_side(s->c - s->column, s->x + s->column, moved(s->to, s->column));
        s->column += TILE_SIDE;
        if (s->column >= s->c) {
            s->column = 0;
            s->rows--;
            s->x += s->ldx;
            s->to.p += s->ld;
        }
    }
    all_written();
}

static inline void finish_some(struct finishing *s, int most_rows)
{
    const int rows = least(most_rows, s->rows);
    if (rows <= 0)
        return;
    kernels_avx512.activate(&s->f, rows, s->c, s->sums, TILE_SIDE, s->y, s->ldy);
    s->rows -= rows;
    s->sums += rows * TILE_SIDE;
    s->y += (ptrdiff_t)rows * s->ldy;
}

/* Register t of four sums: row t / 2, column t % 2. */
#define EACH_SUM(DO) DO(0) DO(1) DO(2) DO(3)
#define CLEAR(t)    _tile_zero(t);
#define START(t)    _tile_loadd(t, start + (t) / 2 * ROWS * ldstart + (t) % 2 * ROWS, 4 * ldstart);
#define STORE(t)    _tile_stored(t, c + (t) / 2 * ROWS * ldc + (t) % 2 * ROWS, 4 * ldc);
#define LOAD_A(a)   { _tile_loadd(4, a, 2 * lda); _tile_loadd(5, (a) + ROWS * lda, 2 * lda); }
#define LOAD_B(b)   { _tile_loadd(6, b, 2 * PAIR_ROW); _tile_loadd(7, (b) + 2 * ROWS, 2 * PAIR_ROW); }
#define MULTIPLY()  { _tile_dpbf16ps(0, 4, 6); _tile_dpbf16ps(1, 4, 7); \
                      _tile_dpbf16ps(2, 5, 6); _tile_dpbf16ps(3, 5, 7); \
                      if (aside) split_some(&aside->next, aside->next.some); }

/* Lines [from, to) of each step of what lies `behind` numbers behind b: the panel that comes next, on its way from
 * memory while this one is multiplied. */
struct ahead { ptrdiff_t behind; int from, to; };

INLINED void read_ahead(const struct ahead *ahead, int pieces, const struct pieces *b, const uint16_t *step)
{
    for (int i = ahead->from; i < ahead->to; i++)
        for (int p = 0; p < pieces; p++)
            _mm_prefetch((const char *)((uintptr_t)step + sizeof *step * (uintptr_t)(ahead->behind + p * b->plane
                                                                                   + i * TILE_SIDE)), _MM_HINT_T1);
}

/* A block of TILE_SIDE x TILE_SIDE sums: registers 0 to 3; 4 and 5 hold rows of a, 6 and 7 columns of b.  The unit's
 * first store after .6 us without one takes .3 us, so that now and then one goes to `spare`.  aside: what vectors do
 * meanwhile, or NULL. */
INLINED void block(int pieces, int taps, const ptrdiff_t *tap, int run, const struct pieces *a, ptrdiff_t lda,
                   const struct pieces *b, const struct ahead *ahead, struct aside *aside, const float *start,
                   ptrdiff_t ldstart, float *c, ptrdiff_t ldc)
{
    const uint16_t *right = b->p;
    float spare[ROWS];
    int steps = 0;
    if (start) { EACH_SUM(START) } else { EACH_SUM(CLEAR) }
    for (int t = 0; t < taps; t++)
        for (int k = 0; k < run; k += TILE_SIDE, right += STEP) {
            const uint16_t *left = a->p + tap[t] + k;
            read_ahead(ahead, pieces, b, right);
            if (++steps % (pieces == 3 ? 3 : 6) == 0)
                _tile_stored(0, spare, 0);
            LOAD_B(right)
            if (pieces == 3) {
                LOAD_A(left + 2 * a->plane)
                MULTIPLY()
            }
            LOAD_A(left + a->plane)
            MULTIPLY()
            if (pieces == 3) {
                LOAD_B(right + b->plane)
                MULTIPLY()
                if (aside)
                    finish_some(&aside->last, aside->last.some);
                LOAD_A(left)
                MULTIPLY()
                LOAD_B(right + 2 * b->plane)
                MULTIPLY()
                LOAD_B(right)
                MULTIPLY()
                if (aside)
                    finish_some(&aside->last, aside->last.some);
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
    all_written();
    _tile_loadconfig(&shape);
}

static void end(void) { _tile_release(); }

static void product(int m, int n, int taps, const ptrdiff_t *tap, int run, struct pieces a, int lda, struct pieces b,
                    ptrdiff_t panel, const float *start, int ldstart, float *c, int ldc)
{
    const int blocks = (m + TILE_SIDE - 1) / TILE_SIDE;
    all_written();
    for (ptrdiff_t j = 0; j < n; j += TILE_SIDE, b.p += panel)
        for (int i = 0; i < blocks; i++) {
            const struct pieces rows = moved(a, (ptrdiff_t)i * TILE_SIDE * lda);
            const struct ahead ahead = { panel, TILE_SIDE * i / blocks, panel ? TILE_SIDE * (i + 1) / blocks : 0 };
            const float *from = start ? start + (ptrdiff_t)i * TILE_SIDE * ldstart + j : NULL;
            float *to = c + (ptrdiff_t)i * TILE_SIDE * ldc + j;
            if (a.count == 3)
                block(3, taps, tap, run, &rows, lda, &b, &ahead, NULL, from, ldstart, to, ldc);
            else
                block(2, taps, tap, run, &rows, lda, &b, &ahead, NULL, from, ldstart, to, ldc);
        }
}

static int shared_by(int work, int turns) { return (work + turns - 1) / turns; }

static void pixels(const struct affine *finish, int n, int c, const float *x, int ldx, int outputs, struct pieces b,
                   const float *start, struct pieces own, float *y, int ldy)
{
    enum { SPLITS = 6, FINISHES = 2 };                          /* turns of either in a step of a block */
    _Alignas(64) float sums[2][TILE_SIDE * TILE_SIDE];
    const int ld = tiles_ld(c), depth = tiles_round(c), panels = tiles_round(outputs) / TILE_SIDE;
    struct aside aside = { .next = { x, least(TILE_SIDE, n), c, ldx, own, ld, 0,
                                     shared_by(TILE_SIDE, SPLITS * panels) } };
    int side = 0;
    split_some(&aside.next, INT_MAX);
    for (ptrdiff_t i = 0; i < n; i += TILE_SIDE) {
        const struct pieces a = moved(own, i / TILE_SIDE % 2 * TILE_SIDE * ld);
        aside.next.rows = least(TILE_SIDE, n - (int)i - TILE_SIDE);
        aside.next.to = moved(own, (i / TILE_SIDE + 1) % 2 * TILE_SIDE * ld);
        for (ptrdiff_t j = 0; j < outputs; j += TILE_SIDE, side = !side) {
            const struct pieces right = moved(b, j * depth);
            block(3, 1, &(ptrdiff_t){ 0 }, depth, &a, ld, &right, &(struct ahead){0}, &aside,
                  start ? start + j : NULL, 0, sums[side], TILE_SIDE);
            finish_some(&aside.last, TILE_SIDE);
            aside.last = (struct finishing){ affine_from(*finish, j), sums[side], least(TILE_SIDE, n - (int)i),
                                             least(TILE_SIDE, outputs - (int)j), y + i * ldy + j, ldy,
                                             shared_by(TILE_SIDE * TILE_SIDE, FINISHES * depth) };
            all_written();
        }
        split_some(&aside.next, INT_MAX);
    }
    finish_some(&aside.last, TILE_SIDE);
}

const struct tiles tiles_amx = { split_rows, split_pairs, turn, begin, end, product, pixels };
#endif
