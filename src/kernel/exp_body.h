/* kernel/exp_body.h -- exponentials, logarithms and the normal distribution as branch-free polynomials that the
 * compiler vectorises; names as in exp_ref.h.  Errors are in units of the last place, measured over all floats. */
#include "kernel/inlined.h"
#include <math.h>
#include <stdint.h>
#include <string.h>

/* e^x for x <= 0, within 1 unit; 0 below 2^-126.  With n = round(x / ln 2) and r = x - n ln 2, the result is a
 * polynomial for e^r (Moshier, Cephes) times 2^n.  Adding `round` leaves n in the low bits of the sum. */
INLINED float exp_below(float x)
{
    const float round = 12582912, sum = x * 1.44269504f + round, n = sum - round;
    const float r = x - n * 0.693359375f - n * -2.12194440e-4f;
    float p = 1.9875691500e-4f, power;
    uint32_t bits;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1;
    memcpy(&bits, &sum, sizeof bits);
    bits = (bits + 127) << 23;
    memcpy(&power, &bits, sizeof power);
    return x < -87.3365f ? 0 : p * power;
}

/* The same in double, by the Taylor series of e^r, |r| <= ln 2 / 2; 0 below 2^-1022. */
INLINED double exp_below_double(double x)
{
    const double round = 6755399441055744, sum = x * 1.4426950408889634 + round, n = sum - round;
    const double r = x - n * 6.93145751953125e-1 - n * 1.4286068203094172e-6;
    double p = 1, power;
    uint64_t bits;
#pragma GCC unroll 13
    for (int k = 13; k > 0; k--)
        p = p * (r * (1.0 / k)) + 1;
    memcpy(&bits, &sum, sizeof bits);
    bits = (bits + 1023) << 52;
    memcpy(&power, &bits, sizeof power);
    return x < -708.39 ? 0 : p * power;
}

/* artanh t for 0 <= t <= 1/3, within 2 units: t + t^3 / 3 + t^5 / 5 + ... */
INLINED float artanh_below(float t)
{
    const float s = t * t;
    float p = 1 / 13.0f;
    p = p * s + 1 / 11.0f;
    p = p * s + 1 / 9.0f;
    p = p * s + 1 / 7.0f;
    p = p * s + 1 / 5.0f;
    p = p * s + 1 / 3.0f;
    return t * (p * s) + t;
}

/* ln x of a normal float, within 2e-7 (1 + |ln x|): n ln 2 + 2 artanh((m - 1) / (m + 1)), x = 2^n m, 1 <= m < 2. */
INLINED float log_of(float x)
{
    uint32_t bits;
    float m;
    memcpy(&bits, &x, sizeof bits);
    const float n = (float)((int)(bits >> 23) - 127);
    bits = (bits & 0x7fffff) | 0x3f800000;
    memcpy(&m, &bits, sizeof m);
    return n * 0.693147181f + 2 * artanh_below((m - 1) / (m + 1));
}

/* (1 + erf(z / sqrt 2)) / 2 with an error of at most 4e-7 (Abramowitz and Stegun, 7.1.26). */
INLINED float normal_cdf(float z)
{
    const float x = fabsf(z) * 0.70710678f, t = 1 / (1 + 0.3275911f * x);
    float p = 1.061405429f;
    p = p * t - 1.453152027f;
    p = p * t + 1.421413741f;
    p = p * t - 0.284496736f;
    p = p * t + 0.254829592f;
    const float tail = p * t * exp_below(-x * x) / 2;
    return z < 0 ? tail : 1 - tail;
}
