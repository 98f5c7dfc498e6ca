/* kernel/act.h -- the activations by number; kernel/activation_rows.h defines them. */
#ifndef KERNEL_ACT_H
#define KERNEL_ACT_H

enum act {
#define ACTIVATION(id, ...) ACT_##id,
#include "kernel/activation_rows.h"
};

enum {
    ACT_KINDS = 0               /* the number of activations */
#define ACTIVATION(...) + 1
#include "kernel/activation_rows.h"
};
#endif
