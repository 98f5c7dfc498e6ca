/* cli/policy.h -- how a command computes. */
#ifndef CLI_POLICY_H
#define CLI_POLICY_H
#include "cli/args.h"
#include "op/policy.h"

/* The policy that NANODET_ISA and NANODET_CONV in the environment and --threads ask for. */
bool args_policy(const struct args *, struct policy *, struct error *);
#endif
