/* kernel/vec_avx512.h -- sixteen floats.  Loads and stores touch `lanes` <= VEC elements; other lanes read as 0. */
#include <immintrin.h>
#include <stddef.h>

typedef __m512 vec;
enum { VEC = 16 };
static inline __mmask16 vec_mask(ptrdiff_t lanes)    { return (__mmask16)((1u << lanes) - 1); }
static inline vec vec_zero(void)                     { return _mm512_setzero_ps(); }
static inline vec vec_all(float s)                   { return _mm512_set1_ps(s); }
static inline vec vec_add(vec a, vec b)              { return _mm512_add_ps(a, b); }
static inline vec vec_sub(vec a, vec b)              { return _mm512_sub_ps(a, b); }
static inline vec vec_mul(vec a, vec b)              { return _mm512_mul_ps(a, b); }
static inline vec vec_fma(vec a, vec b, vec c)       { return _mm512_fmadd_ps(a, b, c); }      /* a b + c */
static inline vec vec_load(const float *p, ptrdiff_t lanes)
    { return lanes < VEC ? _mm512_maskz_loadu_ps(vec_mask(lanes), p) : _mm512_loadu_ps(p); }
static inline void vec_store(float *p, vec a, ptrdiff_t lanes)
    { if (lanes < VEC) _mm512_mask_storeu_ps(p, vec_mask(lanes), a); else _mm512_storeu_ps(p, a); }

typedef __m512d wide;                                   /* VEC / 2 doubles; +, - and * work elementwise */
static inline wide wide_load(const float *p)          { return _mm512_cvtps_pd(_mm256_loadu_ps(p)); }
