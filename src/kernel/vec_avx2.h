/* kernel/vec_avx2.h -- eight floats; names as in vec_avx512.h. */
#include <immintrin.h>
#include <stddef.h>

typedef __m256 vec;
enum { VEC = 8 };
static const int vec_on[2 * VEC] = { -1, -1, -1, -1, -1, -1, -1, -1 };
static inline __m256i vec_mask(ptrdiff_t lanes)     { return _mm256_loadu_si256((const void *)(vec_on + VEC - lanes)); }
static inline vec vec_zero(void)                    { return _mm256_setzero_ps(); }
static inline vec vec_all(float s)                  { return _mm256_set1_ps(s); }
static inline vec vec_add(vec a, vec b)             { return _mm256_add_ps(a, b); }
static inline vec vec_sub(vec a, vec b)             { return _mm256_sub_ps(a, b); }
static inline vec vec_mul(vec a, vec b)             { return _mm256_mul_ps(a, b); }
static inline vec vec_fma(vec a, vec b, vec c)      { return _mm256_fmadd_ps(a, b, c); }
static inline vec vec_load(const float *p, ptrdiff_t lanes)
    { return lanes < VEC ? _mm256_maskload_ps(p, vec_mask(lanes)) : _mm256_loadu_ps(p); }
static inline void vec_store(float *p, vec a, ptrdiff_t lanes)
    { if (lanes < VEC) _mm256_maskstore_ps(p, vec_mask(lanes), a); else _mm256_storeu_ps(p, a); }

typedef __m256d wide;
static inline wide wide_load(const float *p)          { return _mm256_cvtps_pd(_mm_loadu_ps(p)); }
