/* model/neck/pan.c -- the path aggregation network of NanoDet (Liu et al. 2018): an FPN whose levels are then summed
 * from the finest one up, without convolutions. */
#include "model/parts.h"

void pan_build(struct builder *b, const void *config, const struct features *in, struct features *out)
{
    fpn_build(b, config, in, out);
    for (int i = 0; i + 1 < out->count; i++)
        out->at[i + 1] = add(b, out->at[i + 1], half_size(b, out->at[i]));
}
