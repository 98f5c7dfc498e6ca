#include "cli/policy.h"

#include <stdlib.h>

bool args_policy(const struct args *args, struct policy *policy, struct error *err)
{
    return policy_choose(policy, getenv("NANODET_ISA"), getenv("NANODET_CONV"), args->threads, err);
}
