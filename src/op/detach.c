/* op/detach.c -- the identity without a gradient. */
#include "op/ops.h"
#include "op/shapes.h"

static bool output_in_operand(const struct node *n, struct tensor_slice *slice)
{
    (void)n;
    *slice = (struct tensor_slice){0};
    return true;
}

static void nothing(const struct call *k) { (void)k; }

const struct op op_detach = {
    .name = "detach", .in_min = 1, .in_max = 1, .passes_deferred = true, .takes_levels = 1,
    .shape = unchanged, .output_in_operand = output_in_operand, .forward = nothing };     /* no backward: no gradient */
