/* op/moments.h -- merges means and variances of disjoint samples, in double (Chan, Golub, LeVeque 1979). */
#ifndef OP_MOMENTS_H
#define OP_MOMENTS_H

struct moments { double count, mean, m2; };     /* m2: sum of (x - mean)^2.  {0}: no samples */

static inline struct moments merged(struct moments a, struct moments b)
{
    const double count = a.count + b.count, d = b.mean - a.mean;
    if (!(a.count > 0 && b.count > 0))
        return a.count > 0 ? a : b;
    return (struct moments){ count, a.mean + d * b.count / count, a.m2 + b.m2 + d * d * a.count * b.count / count };
}
#endif
