/* base/min_max.h -- the minimum and the maximum of two integers. */
#ifndef BASE_MIN_MAX_H
#define BASE_MIN_MAX_H

static inline int min_int(int a, int b) { return a < b ? a : b; }
static inline int max_int(int a, int b) { return a > b ? a : b; }
#endif
