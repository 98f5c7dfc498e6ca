/* base/real.h -- the element type of tensors: float, or double where tests compile ops for gradient checks. */
#ifndef BASE_REAL_H
#define BASE_REAL_H
#ifdef REAL_IS_DOUBLE
typedef double real;
#else
typedef float real;
#endif
#endif
