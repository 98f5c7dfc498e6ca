/* kernel/inlined.h -- INLINED: of a function whose first arguments are to be constants where it is called.
 * UNROLLED: of a loop of at most 16 turns whose indices are to be constants; each compiler has its word for it. */
#ifndef KERNEL_INLINED_H
#define KERNEL_INLINED_H
#define INLINED static inline __attribute__((always_inline))
#ifdef __clang__
#define UNROLLED _Pragma("unroll")
#else
#define UNROLLED _Pragma("GCC unroll 16")
#endif
#endif
