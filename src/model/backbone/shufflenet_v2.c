/* model/backbone/shufflenet_v2.c -- ShuffleNet V2 (Ma et al. 2018): table 5 and figures 3c, 3d. */
#include "base/table.h"
#include "model/parts.h"
#include <stdio.h>

const struct key shufflenet_v2_keys[] = {
    { "model_size",     FIELD(shufflenet_v2, model_size),                "1.5x",      1, 0,
      "0.5x, 1.0x, 1.5x or 2.0x" },
    { "out_stages",     FIELD(shufflenet_v2, out_stages),                "[2, 3, 4]", 1, 4,
      "stages whose maps go to the neck; 1 (not in upstream) is the output of the max pool, stride 4" },
    { "with_last_conv", FIELD(shufflenet_v2, with_last_conv),            "false",     0, 0,
      "a 1x1 convolution after the last stage" },
    { "kernal_size",    .type = KEY_IGNORED, .help = "no effect, as upstream, which spells it so" },
    { "activation",     WORDS(shufflenet_v2, activation, activation_words), "ReLU",   0, 0, "activation" },
    { "pretrain",       FIELD(shufflenet_v2, pretrain),                  "true",      0, 0,
      "weights file to start from; true or false: none" },
    {0} };

static const struct shufflenet_v2_size { const char *name; int channels[5]; } sizes[] = {
    { "0.5x", { 24, 48, 96, 192, 1024 } },
    { "1.0x", { 24, 116, 232, 464, 1024 } },
    { "1.5x", { 24, 176, 352, 704, 1024 } },
    { "2.0x", { 24, 244, 488, 976, 2048 } },
    {0} };

/* Figure 3c, and 3d for stride 2, up to the shuffle: replaces half[] by the outputs of both branches. */
static void branches(struct builder *b, value half[2], int out, int stride, enum act a)
{
    value left = half[0], right = half[1];
    if (stride == 2) {
        left = conv_norm(b, "branch1", 0, left, depthwise(3, stride));
        left = activate(b, conv_norm(b, "branch1", 2, left, pointwise(out)), a);
    }
    right = activate(b, conv_norm(b, "branch2", 0, right, pointwise(out)), a);
    right = conv_norm(b, "branch2", 3, right, depthwise(3, stride));
    right = activate(b, conv_norm(b, "branch2", 5, right, pointwise(out)), a);
    half[0] = left;
    half[1] = right;
}

static value shuffle_stage(struct builder *b, const char *name, value x, int channels, int units, enum act a)
{
    value half[2] = { x, x };
    for (int i = 0; i < units; i++) {
        enter_index(b, name, i);
        branches(b, half, channels / 2, i == 0 ? 2 : 1, a);
        if (i + 1 < units)
            shuffle_halves(b, half[0], half[1], half);
        else
            x = shuffle(b, half[0], half[1]);
        leave(b);
    }
    return x;
}

void shufflenet_v2_build(struct builder *b, const void *config, value image, struct features *out)
{
    static const int repeats[] = { 4, 8, 4 };
    const struct shufflenet_v2 *c = config;
    const struct shufflenet_v2_size *size = find_row(c->model_size, sizes, sizeof *size);
    if (!size) {
        builder_fail(b, "model_size '%s': no such ShuffleNetV2; did you mean %s?", c->model_size,
                     nearest_name(c->model_size, sizes, sizeof *sizes));
        return;
    }
    b->init = (struct layer_init){ .weights = WEIGHTS_INPUTS, .norm_bias = 0.0001 };
    value x = activate(b, conv_norm(b, "conv1", 0, image, dense(size->channels[0], 3, 2)), c->activation);
    x = max_pool(b, x, 3, 2, 1);
    add_feature(b, &c->out_stages, 1, x, out);
    for (int stage = 2; stage <= 4; stage++) {
        char name[24];
        snprintf(name, sizeof name, "stage%d", stage);
        x = shuffle_stage(b, name, x, size->channels[stage - 1], repeats[stage - 2], c->activation);
        if (stage == 4 && c->with_last_conv)
            x = activate(b, conv_norm(b, "stage4.conv5", 0, x, pointwise(size->channels[4])), c->activation);
        add_feature(b, &c->out_stages, stage, x, out);
    }
}
