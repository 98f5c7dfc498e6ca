/* kernel/act.h -- activations, their names in configurations and their formulas. */
#ifndef KERNEL_ACT_H
#define KERNEL_ACT_H

enum act {
    ACT_NONE,                   /* z */
    ACT_RELU,                   /* max(z, 0) */
    ACT_LEAKY_RELU,             /* max(z, slope z), 0 <= slope <= 1 */
    ACT_RELU6,                  /* min(max(z, 0), 6) */
    ACT_HARD_SWISH,             /* z min(max(z + 3, 0), 6) / 6 */
    ACT_HARD_SIGMOID,           /* min(max(z + 3, 0), 6) / 6 */
    ACT_SILU,                   /* z / (1 + exp(-z)) */
    ACT_SIGMOID,                /* 1 / (1 + exp(-z)) */
    ACT_GELU,                   /* z (1 + erf(z / sqrt 2)) / 2 */
};
#endif
