/* kernel/inlined.h -- INLINED: functions whose first arguments are compile-time constants at each call.
 * UNROLLED: loops of at most 16 iterations whose indices become constants; each compiler has its own pragma. */
#ifndef KERNEL_INLINED_H
#define KERNEL_INLINED_H
#define INLINED static inline __attribute__((always_inline))
#ifdef __clang__
#define UNROLLED _Pragma("unroll")
#else
#define UNROLLED _Pragma("GCC unroll 16")
#endif
#endif
