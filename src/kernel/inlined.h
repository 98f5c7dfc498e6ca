/* kernel/inlined.h -- of a function whose first arguments are to be constants where it is called. */
#ifndef KERNEL_INLINED_H
#define KERNEL_INLINED_H
#define INLINED static inline __attribute__((always_inline))
#endif
