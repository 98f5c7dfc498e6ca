/* model/backbone/repvgg.c -- RepVGG (Ding et al. 2021): table 2 and figure 4a. */
#include "base/table.h"
#include "model/parts.h"
#include <stdio.h>

const struct key repvgg_keys[] = {
    { "arch",         FIELD(repvgg, arch),         NULL,           1, 0, "A0 to A2, B0 to B3, B1g2 to B3g4" },
    { "out_stages",   FIELD(repvgg, out_stages),   "[1, 2, 3, 4]", 1, 4, "stages whose maps go to the neck" },
    { "activation",   WORDS(repvgg, activation, activation_words), "ReLU", 0, 0, "activation" },
    { "deploy",       FIELD(repvgg, deploy),       "false",        0, 0,
      "one convolution per block instead of the branches of training" },
    { "last_channel", FIELD(repvgg, last_channel), "0",            0, 65536,
      "channels of stage 4; 0: as in the paper" },
    { "pretrain",     FIELD(repvgg, pretrain),     "false",        0, 0, "weights file to start from" },
    {0} };

static const struct repvgg_size { const char *name; int blocks[4]; double width[4]; int groups; } sizes[] = {
    { "A0",   { 2, 4, 14, 1 }, { 0.75, 0.75, 0.75, 2.5 }, 1 }, { "A1",   { 2, 4, 14, 1 }, { 1, 1, 1, 2.5 }, 1 },
    { "A2",   { 2, 4, 14, 1 }, { 1.5, 1.5, 1.5, 2.75 },   1 }, { "B0",   { 4, 6, 16, 1 }, { 1, 1, 1, 2.5 }, 1 },
    { "B1",   { 4, 6, 16, 1 }, { 2, 2, 2, 4 },            1 }, { "B1g2", { 4, 6, 16, 1 }, { 2, 2, 2, 4 },   2 },
    { "B1g4", { 4, 6, 16, 1 }, { 2, 2, 2, 4 },            4 }, { "B2",   { 4, 6, 16, 1 }, { 2.5, 2.5, 2.5, 5 }, 1 },
    { "B2g2", { 4, 6, 16, 1 }, { 2.5, 2.5, 2.5, 5 },      2 }, { "B2g4", { 4, 6, 16, 1 }, { 2.5, 2.5, 2.5, 5 }, 4 },
    { "B3",   { 4, 6, 16, 1 }, { 3, 3, 3, 5 },            1 }, { "B3g2", { 4, 6, 16, 1 }, { 3, 3, 3, 5 },   2 },
    { "B3g4", { 4, 6, 16, 1 }, { 3, 3, 3, 5 },            4 },
    {0} };

/* Figure 2: 3x3, 1x1 and, where shapes allow, nothing, each with its own norm. */
static value rep_block(struct builder *b, value x, struct conv three, const struct repvgg *c)
{
    struct conv one = three;
    one.kernel = 1;
    one.pad = 0;
    if (c->deploy || b->merged)
        return activate(b, conv(b, "rbr_reparam", x, biased(three)), c->activation);
    b->branches = true;
    value y = add(b, conv_norm(b, "rbr_dense", 0, x, three), conv_norm(b, "rbr_1x1", 0, x, one));
    if (three.stride == 1 && channels_of(b, x) == three.out)
        y = add(b, y, norm(b, "rbr_identity", x));
    return activate(b, y, c->activation);
}

void repvgg_build(struct builder *b, const void *config, value image, struct features *out)
{
    const struct repvgg *c = config;
    const struct repvgg_size *size = find_row(c->arch, sizes, sizeof *sizes);
    if (!size) {
        builder_fail(b, "arch '%s': no such RepVGG; did you mean %s?", c->arch,
                     nearest_name(c->arch, sizes, sizeof *sizes));
        return;
    }
    b->init = (struct layer_init){ .weights = WEIGHTS_DEFAULT };
    const int first = (int)(64 * size->width[0]);
    enter(b, "stage0");
    value x = rep_block(b, image, dense(first < 64 ? first : 64, 3, 2), c);
    leave(b);
    for (int stage = 1, layer = 1; stage <= 4; stage++) {
        const int width = stage == 4 && c->last_channel ? c->last_channel
                                                        : (int)((32 << stage) * size->width[stage - 1]);
        for (int i = 0; i < size->blocks[stage - 1]; i++, layer++) {
            struct conv three = dense(width, 3, i ? 1 : 2);
            three.groups = layer % 2 == 0 && layer <= 26 ? size->groups : 1;
            char name[24];
            snprintf(name, sizeof name, "stage%d", stage);
            enter_index(b, name, i);
            x = rep_block(b, x, three, c);
            leave(b);
        }
        add_feature(b, &c->out_stages, stage, x, out);
    }
}
