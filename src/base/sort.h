/* base/sort.h -- sorting of numbers. */
#ifndef BASE_SORT_H
#define BASE_SORT_H

/* Sorts in ascending order; none may be NaN.  values may be NULL if count is 0. */
void sort_doubles(double *values, int count);
#endif
