/* op/channels.c -- a slice [from, to) of the operand's channels, as a view without a copy. */
#include "op/ops.h"

static bool shape(struct node *n, struct error *err)
{
    const int from = channels_attr(n)->from, to = channels_attr(n)->to;
    n->y[0] = n->x[0];
    n->y[0].c = to - from;
    return (from >= 0 && from < to && to <= n->x[0].c)
        || fail(err, "channels %d to %d of %d", from, to, n->x[0].c);
}

static bool output_in_operand(const struct node *n, struct tensor_slice *slice)
{
    *slice = (struct tensor_slice){ .channel = channels_attr(n)->from };
    return true;
}

static void nothing(const struct call *k) { (void)k; }

const struct op op_channels = {
    .name = "channels", .attr_size = sizeof(struct channels_attr), .in_min = 1, .in_max = 1, .passes_deferred = true,
    .takes_levels = 1, .shape = shape, .output_in_operand = output_in_operand, .forward = nothing,
    .backward = nothing };
