/* model/neck/fpn.c -- the feature pyramid network of NanoDet (Lin et al. 2017, fig. 3): 1x1 convolutions, then sums
 * from the coarsest level down.  There are no convolutions behind the sums. */
#include "model/parts.h"

const struct key fpn_keys[] = {
    { "in_channels",  FIELD(fpn, in_channels),  NULL,   1, 65536, "channels of the backbone's maps" },
    { "out_channels", FIELD(fpn, out_channels), NULL,   1, 65536, "channels per level" },
    { "num_outs",     FIELD(fpn, num_outs),     NULL,   1, FEATURES, "levels" },
    { "start_level",  FIELD(fpn, start_level),  "0",    0, FEATURES - 1, "index of the first map used" },
    { "end_level",    FIELD(fpn, end_level),    "-1",  -1, FEATURES, "index after the last map used; -1: all" },
    { "conv_cfg", .type = KEY_IGNORED, .help = "no effect, as upstream" },
    { "norm_cfg.type", WORDS(fpn, norm.type, norm_words), "none", 0, 0, "normalisation" },
    { "norm_cfg.num_groups", FIELD(fpn, norm.num_groups), "32", 1, 65536, "groups of GN" },
    { "norm_cfg.requires_grad", .type = KEY_IGNORED, .help = "always true" },
    { "activation",   WORDS(fpn, activation, activation_words), "none", 0, 0, "activation" },
    {0} };

/* One after the last map used, or 0 if the configuration does not fit the maps. */
static int end_of(struct builder *b, const struct fpn *c, const struct features *in)
{
    const int end = c->end_level < 0 ? in->count : c->end_level;
    if (end > in->count || end <= c->start_level)
        builder_fail(b, "start_level %d and end_level %d leave none of %d maps", c->start_level, c->end_level,
                     in->count);
    else if (c->num_outs != end - c->start_level)
        builder_fail(b, "num_outs is %d, but %d maps are used", c->num_outs, end - c->start_level);
    return features_fit(b, in, &c->in_channels) ? end : 0;
}

void fpn_build(struct builder *b, const void *config, const struct features *in, struct features *out)
{
    const struct fpn *c = config;
    const int end = end_of(b, c, in);
    b->init = (struct layer_init){ .weights = WEIGHTS_XAVIER };
    for (int i = c->start_level; i < end; i++) {
        enter_index(b, "lateral_convs", out->count);
        out->at[out->count++] = conv_module(b, in->at[i], pointwise(c->out_channels), c->norm, c->activation);
        leave(b);
    }
    for (int i = out->count - 1; i > 0; i--)
        out->at[i - 1] = add(b, out->at[i - 1], upsample(b, out->at[i]));
}
