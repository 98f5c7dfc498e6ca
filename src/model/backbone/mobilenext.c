/* model/backbone/mobilenext.c -- MobileNeXt (Zhou et al. 2020): table 2, without what lies behind the last map handed
 * over, and the sandglass block of figure 3c; with the kernel refinement of Enhanced NanoDet. */
#include "model/parts.h"
#include "op/ops.h"
#include <math.h>
#include <string.h>

const struct key mobilenext_keys[] = {
    { "out_stages", FIELD(mobilenext, out_stages), NULL, 0, 64,
      "[5, 8, 12], [5, 12, 16] or [5, 12, 18]: small, medium or large; a leading 2 adds the map of stride 4" },
    { "width_mult", FIELD(mobilenext, width_mult), "1", 0.01, 16, "width multiplier" },
    { "activation", WORDS(mobilenext, activation, activation_words), "none", 0, 0,
      "activation; LeakyReLU's slope is 0.01" },
    { "pretrained", FIELD(mobilenext, pretrained), "true", 0, 0, "weights file to start from; true or false: none" },
    { "num_classes", .type = KEY_IGNORED, .help = "no effect: there is no classifier" },
    {0} };

enum { GROUPS = 7, GROUP_384 = 4 };

/* Groups of blocks of the same width. */
static const struct mobilenext_group { int expand, channels, stride; } groups[GROUPS] = {
    { 2, 96, 2 }, { 6, 144, 1 }, { 6, 192, 2 }, { 6, 288, 2 }, { 6, 384, 2 }, { 6, 576, 2 }, { 6, 960, 1 } };

/* The last block of the large one is left out where nobody reads it. */
static const struct mobilenext_size { int out_stages[3], blocks[GROUPS], stride_384; } sizes[] = {
    { { 5, 8, 12 },  { 1, 1, 3, 3, 4, 0, 0 }, 2 },
    { { 5, 12, 16 }, { 1, 1, 3, 3, 4, 4, 0 }, 1 },
    { { 5, 12, 18 }, { 1, 1, 3, 3, 4, 4, 2 }, 1 },
    { { 5, 12, 19 }, { 1, 1, 3, 3, 4, 4, 3 }, 1 } };

static const struct mobilenext_size *size_of(const struct ints *out_stages)
{
    const bool stride_4 = out_stages->count == 4 && out_stages->at[0] == 2;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes && (stride_4 || out_stages->count == 3); i++)
        if (memcmp(out_stages->at + stride_4, sizes[i].out_stages, sizeof sizes[i].out_stages) == 0)
            return &sizes[i];
    return NULL;
}

/* Kernel refinement: sigmoid(bn(x * k)) (x * w), where the 1x1 kernel k is the sum of the depthwise w over its taps. */
static value refined_depthwise(struct builder *b, value x)
{
    const value y = conv(b, "conv.0", x, depthwise(3, 1));
    value operands[2] = { x, conv_weight(b, y) };
    enter(b, "aug");
    operands[1] = graph_node(b, &op_sum_taps, "sum", &operands[1], 1, NULL);
    const struct conv_attr plain = { .stride = 1, .groups = 1 };
    const value gate = graph_node(b, &op_conv, "conv", operands, 2, &plain);
    const value refined = mul(b, y, activate(b, norm(b, "bn", gate), ACT_SIGMOID));
    leave(b);
    return refined;
}

/* Depthwise, narrow, wide, depthwise.  A block that widens leaves out the first depthwise convolution, and the last
 * unless it halves the size; the others have a shortcut.  Not so the first block of all and, alone in its group, one
 * that is `kept` whole: they have both depthwise convolutions and no shortcut. */
static value sandglass(struct builder *b, value x, int out, int stride, int expand, bool kept, enum act a)
{
    const int in = channels_of(b, x);
    const bool narrow = expand != 2 && in != out && !kept, refined = expand != 2 && !narrow;
    const int hidden = in / expand < out / 6.0 ? divisible(ceil(out / 6.0), 16) : in / expand, at = narrow ? 0 : 3;
    value y = x;
    if (!narrow) {
        y = refined ? refined_depthwise(b, x) : conv(b, "conv.0", x, depthwise(3, 1));
        y = activate_plain(b, norm(b, "conv.1", y), a);
    }
    y = conv_norm(b, "conv", at, y, pointwise(hidden));
    y = activate_plain(b, conv_norm(b, "conv", at + 2, y, pointwise(out)), a);
    if (!narrow || stride == 2)
        y = conv_norm(b, "conv", at + 5, y, depthwise(3, refined ? 1 : stride));
    return refined && !kept ? add(b, y, x) : y;
}

void mobilenext_build(struct builder *b, const void *config, value image, struct features *out)
{
    const struct mobilenext *c = config;
    const struct mobilenext_size *size = size_of(&c->out_stages);
    const int divisor = c->width_mult == 0.1 ? 4 : 8;
    int feature = 0;
    if (!size) {
        builder_fail(b, "out_stages must be [5, 8, 12], [5, 12, 16] or [5, 12, 18], optionally preceded by 2");
        return;
    }
    b->init = (struct layer_init){ .weights = WEIGHTS_KAIMING };
    value x = conv_norm(b, "features.0", 0, image, dense(divisible(32 * c->width_mult, divisor), 3, 2));
    x = activate_plain(b, x, c->activation);
    for (int i = 0; i < GROUPS; i++)
        for (int k = 0; k < size->blocks[i]; k++) {
            const struct mobilenext_group *g = &groups[i];
            const int stride = k > 0 ? 1 : i == GROUP_384 ? size->stride_384 : g->stride;
            enter_index(b, "features", ++feature);
            x = sandglass(b, x, divisible(g->channels * c->width_mult, divisor), stride, g->expand,
                          size->blocks[i] == 1 && stride == 1, c->activation);
            leave(b);
            add_feature(b, &c->out_stages, feature, x, out);
        }
}
