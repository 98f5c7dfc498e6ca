/* kernel/vec_sse.h -- four floats; names as in vec_avx512.h.  No fused multiply-add: a b is rounded first. */
#include <immintrin.h>
#include <stddef.h>

typedef __m128 vec;
enum { VEC = 4 };
static inline vec vec_zero(void)                     { return _mm_setzero_ps(); }
static inline vec vec_all(float s)                   { return _mm_set1_ps(s); }
static inline vec vec_add(vec a, vec b)              { return _mm_add_ps(a, b); }
static inline vec vec_sub(vec a, vec b)              { return _mm_sub_ps(a, b); }
static inline vec vec_mul(vec a, vec b)              { return _mm_mul_ps(a, b); }
static inline vec vec_fma(vec a, vec b, vec c)       { return _mm_add_ps(_mm_mul_ps(a, b), c); }
static inline vec vec_load(const float *p, ptrdiff_t lanes)
{
    return lanes >= VEC ? _mm_loadu_ps(p) : _mm_set_ps(0, lanes > 2 ? p[2] : 0, lanes > 1 ? p[1] : 0, p[0]);
}
static inline void vec_store(float *p, vec a, ptrdiff_t lanes)
{
    if (lanes >= VEC) {
        _mm_storeu_ps(p, a);
        return;
    }
    _mm_store_ss(p, a);
    if (lanes > 1)
        _mm_store_ss(p + 1, _mm_shuffle_ps(a, a, 1));
    if (lanes > 2)
        _mm_store_ss(p + 2, _mm_movehl_ps(a, a));
}

typedef __m128d wide;
static inline wide wide_load(const float *p)
    { return _mm_cvtps_pd(_mm_castsi128_ps(_mm_loadu_si64(p))); }
