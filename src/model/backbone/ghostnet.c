/* model/backbone/ghostnet.c -- GhostNet (Han et al. 2020): table 1. */
#include "model/parts.h"
#include <stdio.h>

const struct key ghostnet_keys[] = {
    { "width_mult", FIELD(ghostnet, width_mult), "1.0",       0.1, 10, "width multiplier" },
    { "out_stages", FIELD(ghostnet, out_stages), "[4, 6, 9]", 0, 9,    "stages whose maps go to the neck" },
    { "act",        WORDS(ghostnet, activation, activation_words + 1), "ReLU", 0, 0, "old name of activation" },
    { "activation", WORDS(ghostnet, activation, activation_words), "=act", 0, 0, "activation" },
    { "pretrain",   FIELD(ghostnet, pretrain),   "true",      0, 0, "weights file to start from; true or false: none" },
    {0} };

static const struct ghostnet_row { int stage, kernel, expanded, channels; bool excite; int stride; } rows[] = {
    { 0, 3,  16,  16, false, 1 },
    { 1, 3,  48,  24, false, 2 },
    { 2, 3,  72,  24, false, 1 },
    { 3, 5,  72,  40, true,  2 },
    { 4, 5, 120,  40, true,  1 },
    { 5, 3, 240,  80, false, 2 },
    { 6, 3, 200,  80, false, 1 }, { 6, 3, 184,  80, false, 1 }, { 6, 3, 184,  80, false, 1 },
    { 6, 3, 480, 112, true,  1 }, { 6, 3, 672, 112, true,  1 },
    { 7, 5, 672, 160, true,  2 },
    { 8, 5, 960, 160, false, 1 }, { 8, 5, 960, 160, true,  1 },
    { 8, 5, 960, 160, false, 1 }, { 8, 5, 960, 160, true,  1 } };

enum { ROWS = sizeof rows / sizeof *rows, LAST_STAGE = 9 };

void ghostnet_build(struct builder *b, const void *config, value image, struct features *out)
{
    const struct ghostnet *c = config;
    const double width = c->width_mult;
    b->init = (struct layer_init){ .weights = WEIGHTS_NORMAL, .deviation = 0.01, .norm_bias = 0.0001 };
    value x = norm(b, "bn1", conv(b, "conv_stem", image, dense(divisible(16 * width, 4), 3, 2)));
    x = activate(b, x, c->activation);
    b->init.weights = WEIGHTS_INPUTS;
    for (int i = 0, block = 0; i < ROWS; i++) {
        const struct ghostnet_row *r = &rows[i];
        const struct ghost g = { divisible(r->expanded * width, 4), divisible(r->channels * width, 4), r->kernel,
                                 r->stride, r->excite };
        const bool last = i + 1 == ROWS || rows[i + 1].stage != r->stage;
        char name[16];
        snprintf(name, sizeof name, "blocks.%d", r->stage);
        enter_index(b, name, block);
        x = ghost_bottleneck(b, x, g, c->activation);
        leave(b);
        block = last ? 0 : block + 1;
        if (last)
            add_feature(b, &c->out_stages, r->stage, x, out);
    }
    enter(b, "blocks.9.0");
    x = norm(b, "bn1", conv(b, "conv", x, pointwise(divisible(rows[ROWS - 1].expanded * width, 4))));
    leave(b);
    add_feature(b, &c->out_stages, LAST_STAGE, activate(b, x, c->activation), out);
}
