/* kernel/vec_sse.h -- four floats; names as in vec_avx512.h.  No fused multiply-add: a b is rounded first. */
#include <immintrin.h>
#include <stddef.h>
#include <string.h>

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
    float part[VEC] = {0};
    if (lanes >= VEC)
        return _mm_loadu_ps(p);
    memcpy(part, p, (size_t)lanes * sizeof *p);
    return _mm_loadu_ps(part);
}
static inline void vec_store(float *p, vec a, ptrdiff_t lanes)
{
    float part[VEC];
    _mm_storeu_ps(part, a);
    memcpy(p, part, (size_t)(lanes < VEC ? lanes : VEC) * sizeof *p);
}
