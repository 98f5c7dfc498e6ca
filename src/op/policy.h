/* op/policy.h -- how graphs compute.  The program chooses a policy once and passes it to everything that builds or runs
 * graphs. */
#ifndef OP_POLICY_H
#define OP_POLICY_H
#include "base/error.h"

struct ranks;

struct policy {
    const struct kernels *kernels;      /* the table of an instruction set */
    const struct conv_algorithm *conv;  /* of all convolutions that it can compute (op/conv/conv.h); NULL: the fastest
                                           for each */
    bool direct;                        /* convolutions without transforms and without a matrix unit */
    int bf16_terms;                     /* of products on a matrix unit (kernel/amx.h): 2 or 3; 0: without one */
    int threads;                        /* >= 1 */
    const struct ranks *ranks;          /* the processes that train together; NULL: this one alone */
};

/* isa: a table of kernels, NULL: the fastest.  conv: `direct` or the name of an algorithm, NULL or "": the fastest for
 * each convolution.  Misuse if there is none of that name; the messages call them NANODET_ISA and NANODET_CONV. */
bool policy_choose(struct policy *, const char *isa, const char *conv, int threads, struct error *);
#endif
