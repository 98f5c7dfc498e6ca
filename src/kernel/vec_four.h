/* kernel/vec_four.h -- four floats in the vector extension of GCC and Clang: SSE2 on x86-64, NEON on ARM, plain C
 * elsewhere; names as in vec_avx512.h. */
#include <stddef.h>
#include <string.h>

typedef float vec __attribute__((vector_size(16)));
enum { VEC = 4 };
static inline vec vec_zero(void)                     { return (vec){0}; }
static inline vec vec_all(float s)                   { return (vec){ s, s, s, s }; }
static inline vec vec_add(vec a, vec b)              { return a + b; }
static inline vec vec_sub(vec a, vec b)              { return a - b; }
static inline vec vec_mul(vec a, vec b)              { return a * b; }
static inline vec vec_fma(vec a, vec b, vec c)       { return a * b + c; }   /* fused where the machine has it */
static inline vec vec_load(const float *p, ptrdiff_t lanes)
{
    vec a;
    if (lanes < VEC)
        return (vec){ p[0], lanes > 1 ? p[1] : 0, lanes > 2 ? p[2] : 0, 0 };
    memcpy(&a, p, sizeof a);
    return a;
}
static inline void vec_store(float *p, vec a, ptrdiff_t lanes)
{
    if (lanes >= VEC) {
        memcpy(p, &a, sizeof a);
        return;
    }
    p[0] = a[0];
    if (lanes > 1)
        p[1] = a[1];
    if (lanes > 2)
        p[2] = a[2];
}

typedef double wide __attribute__((vector_size(16)));
static inline wide wide_load(const float *p)         { return (wide){ p[0], p[1] }; }
