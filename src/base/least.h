/* base/least.h -- the lesser and the greater of two counts. */
#ifndef BASE_LEAST_H
#define BASE_LEAST_H

static inline int least(int a, int b) { return a < b ? a : b; }
static inline int most(int a, int b)  { return a > b ? a : b; }
#endif
