/* tests/dsl_background.h -- the background cost of a candidate (detect/dsl_cost.h) by its definition in double;
 * training takes it from kernels->focal. */
#ifndef TESTS_DSL_BACKGROUND_H
#define TESTS_DSL_BACKGROUND_H
#include "detect/focal.h"
#include <stddef.h>

static inline double dsl_background(const float *logit, int classes)
{
    double sum = 0;
    for (int c = 0; c < classes; c++)
        sum += quality_focal(logit[c], 0, 2, NULL);
    return sum;
}
#endif
