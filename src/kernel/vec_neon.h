/* kernel/vec_neon.h -- four floats; names as in vec_avx512.h. */
#include <arm_neon.h>
#include <stddef.h>
#include <string.h>

typedef float32x4_t vec;
enum { VEC = 4 };
static inline vec vec_zero(void)                     { return vdupq_n_f32(0); }
static inline vec vec_all(float s)                   { return vdupq_n_f32(s); }
static inline vec vec_add(vec a, vec b)              { return vaddq_f32(a, b); }
static inline vec vec_sub(vec a, vec b)              { return vsubq_f32(a, b); }
static inline vec vec_mul(vec a, vec b)              { return vmulq_f32(a, b); }
static inline vec vec_fma(vec a, vec b, vec c)       { return vfmaq_f32(c, a, b); }
static inline vec vec_load(const float *p, ptrdiff_t lanes)
{
    float part[VEC] = {0};
    if (lanes >= VEC)
        return vld1q_f32(p);
    memcpy(part, p, (size_t)lanes * sizeof *p);
    return vld1q_f32(part);
}
static inline void vec_store(float *p, vec a, ptrdiff_t lanes)
{
    float part[VEC];
    vst1q_f32(part, a);
    memcpy(p, part, (size_t)(lanes < VEC ? lanes : VEC) * sizeof *p);
}

typedef float64x2_t wide;
static inline wide wide_load(const float *p)          { return vcvt_f64_f32(vld1_f32(p)); }
