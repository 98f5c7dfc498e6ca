#include "model/registry.h"

bool features_fit(struct builder *b, const struct features *in, const struct ints *in_channels)
{
    if (in->count < 1 || in_channels->count != in->count)
        builder_fail(b, "in_channels has %d numbers, the backbone %d maps", in_channels->count, in->count);
    for (int i = 0; i < in->count && !b->error.exit; i++)
        if (channels_of(b, in->at[i]) != in_channels->at[i])
            builder_fail(b, "in_channels[%d] is %d, the backbone's map has %d channels", i, in_channels->at[i],
                         channels_of(b, in->at[i]));
    return !b->error.exit;
}

void add_feature(struct builder *b, const struct ints *out_stages, int stage, value x, struct features *out)
{
    bool listed = false;
    for (int i = 0; i < out_stages->count; i++)
        listed = listed || out_stages->at[i] == stage;
    if (listed && out->count == FEATURES)
        builder_fail(b, "out_stages: more than %d maps", FEATURES);
    else if (listed)
        out->at[out->count++] = x;
}
