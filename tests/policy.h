/* tests/policy.h -- the policy under test: the table of kernels that NANODET_ISA names, else the fastest. */
#ifndef TESTS_POLICY_H
#define TESTS_POLICY_H
#include "base/team.h"
#include "op/policy.h"
#include <stdio.h>
#include <stdlib.h>

/* threads: at most TEAM_MAX. */
static inline const struct policy *policy_under_test(int threads)
{
    static struct policy policies[TEAM_MAX + 1];
    struct error err = {0};
    if (!policies[threads].kernels
        && !policy_choose(&policies[threads], getenv("NANODET_ISA"), NULL, threads, &err)) {
        printf("%s\n", err.text);
        exit(1);
    }
    return &policies[threads];
}

static inline const struct kernels *kernels_under_test(void) { return policy_under_test(1)->kernels; }
#endif
