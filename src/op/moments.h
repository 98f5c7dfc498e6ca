/* op/moments.h -- merging of means and variances of parts, in double (Chan, Golub, LeVeque 1979). */
#ifndef OP_MOMENTS_H
#define OP_MOMENTS_H

struct moments { double count, mean, m2; };     /* m2: sum of squares of x - mean.  {0}: of nothing */

static inline struct moments merged(struct moments a, struct moments b)
{
    const double count = a.count + b.count, d = b.mean - a.mean;
    return (struct moments){ count, a.mean + d * b.count / count, a.m2 + b.m2 + d * d * a.count * b.count / count };
}
#endif
