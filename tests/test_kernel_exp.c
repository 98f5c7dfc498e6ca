/* tests/test_kernel_exp.c -- the polynomials of kernel/exp_body.h against the C library in double, at floats spread
 * evenly over their bit patterns, and at the limits of their ranges. */
#include "kernel/exp_body.h"

#include <float.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

enum { EVERY = 251 };                           /* patterns of bits from one float to the next */

static double units(float got, double want)
{
    int power;
    frexp(want, &power);
    return fabs(got - want) / ldexp(1, power - FLT_MANT_DIG);
}

/* The largest error, in units of the last place, of f at sign * x for floats x from `low` to `high`. */
static double worst_units(float (*f)(float), double (*definition)(double), float sign, float low, float high)
{
    uint32_t from, to;
    double worst = 0;
    memcpy(&from, &low, sizeof from);
    memcpy(&to, &high, sizeof to);
    for (uint32_t bits = from; bits <= to; bits += EVERY) {
        float x;
        memcpy(&x, &bits, sizeof x);
        worst = fmax(worst, units(f(sign * x), definition((double)(sign * x))));
    }
    return worst;
}

static float exp_of(float x)    { return exp_below(x); }
static float artanh_of(float t) { return artanh_below(t); }

static void test_exp(void **state)
{
    (void)state;
    const double worst = worst_units(exp_of, exp, -1, FLT_MIN, 87.336f);
    printf("e^x: %.3f units\n", worst);
    assert_true(worst <= 1);
    assert_true(exp_below(0) == 1 && exp_below(-0.0f) == 1);
    assert_true(exp_below(-87.337f) == 0 && exp_below(-FLT_MAX) == 0 && exp_below(-INFINITY) == 0);
    assert_true(isnan(exp_below(NAN)));
}

/* Every EVERY of 2^26 steps from 0 to beyond where it ends. */
static void test_exp_double(void **state)
{
    double worst = 0;
    (void)state;
    for (int i = 0; i < 1 << 26; i += EVERY) {
        const double x = -708.39 * i / (1 << 26), want = exp(x);
        worst = fmax(worst, fabs(exp_below_double(x) / want - 1) / DBL_EPSILON);
    }
    printf("e^x in double: %.3f of 2^-52\n", worst);
    assert_true(worst <= 2);
    assert_true(exp_below_double(0) == 1 && exp_below_double(-708.4) == 0 && exp_below_double(-INFINITY) == 0);
    assert_true(isnan(exp_below_double(NAN)));
}

static void test_artanh(void **state)
{
    (void)state;
    const double worst = worst_units(artanh_of, atanh, 1, FLT_MIN, 1 / 3.0f);
    printf("artanh: %.3f units\n", worst);
    assert_true(worst <= 2);
    assert_true(artanh_below(0) == 0);
}

/* Next to 1 it is the difference of larger numbers. */
static void test_log(void **state)
{
    double worst = 0;
    (void)state;
    for (uint32_t bits = 0x00800000; bits < 0x7f800000; bits += EVERY) {
        float x;
        memcpy(&x, &bits, sizeof x);
        worst = fmax(worst, fabs(log_of(x) - log(x)) / (1 + fabs(log(x))));
    }
    printf("ln x: %.3g\n", worst);
    assert_true(worst <= 2e-7);
    assert_true(log_of(1) == 0);
}

static void test_normal_cdf(void **state)
{
    double worst = 0;
    (void)state;
    for (int i = -120000; i <= 120000; i++)
        worst = fmax(worst, fabs(normal_cdf((float)i / 10000) - erfc(-(double)((float)i / 10000) * sqrt(0.5)) / 2));
    printf("normal distribution: %.3g\n", worst);
    assert_true(worst <= 4e-7);
    assert_true(normal_cdf(-INFINITY) == 0 && normal_cdf(INFINITY) == 1 && isnan(normal_cdf(NAN)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exp), cmocka_unit_test(test_exp_double), cmocka_unit_test(test_artanh),
        cmocka_unit_test(test_log), cmocka_unit_test(test_normal_cdf) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
