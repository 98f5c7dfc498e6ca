/* model/backbone/efficientnet_lite.c -- EfficientNet-Lite 0 to 4: EfficientNet (Tan, Le 2019, table 1 and section 3.3)
 * without squeeze-and-excitation, its stem and first block of one width for all. */
#include "base/table.h"
#include "model/parts.h"
#include <math.h>
#include <stdio.h>

const struct key efficientnet_lite_keys[] = {
    { "model_name", FIELD(efficientnet_lite, model_name), NULL,        1, 0,
      "efficientnet_lite0 to efficientnet_lite4" },
    { "out_stages", FIELD(efficientnet_lite, out_stages), "[2, 4, 6]", 0, 6, "stages whose maps go to the neck" },
    { "drop_connect_rate", FIELD(efficientnet_lite, drop_connect_rate), "0.2", 0, 0.2,
      "stochastic depth: block i is dropped with this probability times i / 7" },
    { "activation", WORDS(efficientnet_lite, activation, activation_words), "ReLU6", 0, 0,
      "activation of the stem; ReLU6 elsewhere" },
    { "pretrain",   FIELD(efficientnet_lite, pretrain),   "true",      0, 0,
      "weights file to start from; true or false: none" },
    {0} };

static const struct efficientnet_lite_size { const char *name; double width, depth; } sizes[] = {
    { "efficientnet_lite0", 1.0, 1.0 }, { "efficientnet_lite1", 1.0, 1.1 }, { "efficientnet_lite2", 1.1, 1.2 },
    { "efficientnet_lite3", 1.2, 1.4 }, { "efficientnet_lite4", 1.4, 1.8 }, {0} };

enum { STAGES = 7, STEM = 32 };
static const struct efficientnet_lite_stage { int repeats, kernel, stride, expand, channels; } stages[STAGES] = {
    { 1, 3, 1, 1, 16 }, { 2, 3, 2, 6, 24 }, { 2, 5, 2, 6, 40 }, { 3, 3, 2, 6, 80 }, { 3, 5, 1, 6, 112 },
    { 4, 5, 2, 6, 192 }, { 1, 3, 1, 6, 320 } };

static value lite_norm(struct builder *b, const char *name, value x) { return batch_norm(b, name, x, 0.01, 1e-3); }

/* The inverted residual of MobileNetV2 under EfficientNet's names. */
static value block(struct builder *b, value x, const struct efficientnet_lite_stage *s, int out, int stride,
                   double drop)
{
    const int in = channels_of(b, x);
    value y = x;
    if (s->expand > 1)
        y = activate(b, lite_norm(b, "_bn0", conv(b, "_expand_conv", y, pointwise(s->expand * in))), ACT_RELU6);
    y = activate(b, lite_norm(b, "_bn1", conv(b, "_depthwise_conv", y, depthwise(s->kernel, stride))), ACT_RELU6);
    y = lite_norm(b, "_bn2", conv(b, "_project_conv", y, pointwise(out)));
    return stride == 1 && in == out ? add(b, drop_path(b, y, drop), x) : y;
}

void efficientnet_lite_build(struct builder *b, const void *config, value image, struct features *out)
{
    const struct efficientnet_lite *c = config;
    const struct efficientnet_lite_size *size = find_row(c->model_name, sizes, sizeof *sizes);
    if (!size) {
        builder_fail(b, "model_name '%s': no such EfficientNetLite; did you mean %s?", c->model_name,
                     nearest_name(c->model_name, sizes, sizeof *sizes));
        return;
    }
    b->init = (struct layer_init){ .weights = WEIGHTS_KAIMING };
    value x = lite_norm(b, "stem.1", conv(b, "stem.0", image, dense(STEM, 3, 2)));
    x = activate(b, x, c->activation);
    for (int i = 0, blocks = 0; i < STAGES; i++) {
        const struct efficientnet_lite_stage *s = &stages[i];
        const bool scales = i > 0 && i < STAGES - 1;
        const int repeats = scales ? (int)ceil(size->depth * s->repeats) : s->repeats;
        for (int k = 0; k < repeats; k++) {
            char name[24];
            snprintf(name, sizeof name, "blocks.%d", i);
            enter_index(b, name, k);
            x = block(b, x, s, divisible(s->channels * size->width, 8), k ? 1 : s->stride,
                      c->drop_connect_rate * blocks++ / STAGES);
            leave(b);
        }
        add_feature(b, &c->out_stages, i, x, out);
    }
}
