#include "base/random.h"

#include <math.h>

static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

struct random random_of(uint64_t seed, uint64_t a, uint64_t b)
{
    return (struct random){ mix(mix(mix(seed + 0x9e37) + a) + b) };
}

uint64_t random_bits(struct random *r)
{
    return mix(r->state += UINT64_C(0x9e3779b97f4a7c15));
}

double random_unit(struct random *r)
{
    return (double)(random_bits(r) >> 11) * 0x1p-53;
}

double random_range(struct random *r, double low, double high)
{
    return low + (high - low) * random_unit(r);
}

/* Box and Muller (1958); the second value is dropped, so that the state of a stream is one number. */
double random_normal(struct random *r)
{
    const double two_pi = 6.283185307179586;
    const double u = 1 - random_unit(r), v = random_unit(r);    /* u > 0 */
    return sqrt(-2 * log(u)) * cos(two_pi * v);
}

/* Lemire (2019): the high half of a product; low halves that would bias the result are rejected. */
int random_below(struct random *r, int n)
{
    const uint32_t range = (uint32_t)n, biased = (0 - range) % range;
    uint64_t product;
    do
        product = (random_bits(r) >> 32) * range;
    while ((uint32_t)product < biased);
    return (int)(product >> 32);
}

void random_permutation(struct random *r, int n, int *out)
{
    for (int i = 0; i < n; i++) {
        const int j = random_below(r, i + 1);
        out[i] = out[j];
        out[j] = i;
    }
}
