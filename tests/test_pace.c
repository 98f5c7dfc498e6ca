/* tests/test_pace.c -- the estimate of the remaining time from the times of steps and evaluations. */
#include "train/pace.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

static void assert_near(double value, double wanted)
{
    if (!(fabs(value - wanted) <= 1e-9 * wanted))
        fail_msg("%.12g, not %.12g", value, wanted);
}

static void one_slow_step_changes_the_estimate_little(void **state)
{
    const struct remaining_work left = { .images = 1000 };
    struct pace p = {0};
    (void)state;
    for (int i = 0; i < 100; i++)
        pace_step(&p, 10, 5);
    assert_near(pace_seconds_left(&p, &left), 500);
    pace_step(&p, 10, 50);
    assert_near(pace_seconds_left(&p, &left), 500 * 1.18);              /* a fiftieth of nine times more */
    for (int i = 0; i < 400; i++)
        pace_step(&p, 10, 10);                                  /* a pace that stays is learned */
    assert_true(fabs(pace_seconds_left(&p, &left) - 1000) < 1);
}

static void the_estimate_includes_evaluations(void **state)
{
    const struct remaining_work left = { .images = 100, .evaluation_area = 30, .ends = 10, .evaluations = 4 };
    struct pace p = {0};
    (void)state;
    assert_true(pace_seconds_left(&p, &left) == 0);
    pace_step(&p, 1, 1);
    assert_near(pace_seconds_left(&p, &left), 100 + 4 * 10);            /* not measured: a third of a training image */
    pace_end(&p, true, 25);
    pace_end(&p, false, 2);
    assert_near(pace_seconds_left(&p, &left), 100 + 4 * 25 + 6 * 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(one_slow_step_changes_the_estimate_little),
                                        cmocka_unit_test(the_estimate_includes_evaluations) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
