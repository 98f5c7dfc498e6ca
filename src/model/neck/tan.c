/* model/neck/tan.c -- the transformer attention network of NanoDet-t.  All levels, brought to the size of the middle
 * one, go through encoders (Vaswani et al. 2017, fig. 1; norms before the layers, not behind); each level adds the
 * result. */
#include "model/parts.h"
#include "op/ops.h"
#include <math.h>

enum { LEVELS_USED = 3, MIDDLE = 1 };

const struct key tan_keys[] = {
    { "in_channels",   FIELD(tan, in_channels),   NULL, 1, 65536, "channels of the backbone's three maps" },
    { "out_channels",  FIELD(tan, out_channels),  NULL, 1, 65536, "channels per level" },
    { "feature_hw",    FIELD(tan, feature_hw),    NULL, 1, 4096,  "height and width of the middle level" },
    { "num_heads",     FIELD(tan, num_heads),     NULL, 1, 4096,  "heads of the attention" },
    { "num_encoders",  FIELD(tan, num_encoders),  NULL, 0, 64,    "encoders" },
    { "mlp_ratio",     FIELD(tan, mlp_ratio),     NULL, 0.001, 64, "inner channels of an encoder / out_channels" },
    { "dropout_ratio", FIELD(tan, dropout_ratio), NULL, 0, 0.999, "dropout probability in training" },
    { "activation",    WORDS(tan, activation, activation_words), "LeakyReLU", 0, 0, "activation" },
    {0} };

static value attention(struct builder *b, value x, int head_count, double rate)
{
    const int c = channels_of(b, x);
    const struct init weights = { INIT_UNIFORM, sqrt(6.0 / (c + 3 * c)) }, zero = {0};
    value qkv[3] = { x };
    qkv[1] = graph_param(b, "in_proj_weight", (struct shape){ .n = 3 * c, .h = 1, .w = 1, .c = c }, 2, PARAM_TRAINED,
                         weights);
    qkv[2] = graph_param(b, "in_proj_bias", (struct shape){ .n = 1, .h = 1, .w = 1, .c = 3 * c }, 1, PARAM_TRAINED,
                         zero);
    const value projected = graph_node(b, &op_conv, "in_proj", qkv, 3, &(struct conv_attr){ .stride = 1, .groups = 1 });
    const struct attention_attr attr = { head_count, b->training ? (real)rate : 0 };
    return conv(b, "out_proj", graph_node(b, &op_attention, "heads", &projected, 1, &attr), linear(c));
}

static value mlp(struct builder *b, value x, const struct tan *c)
{
    x = activate(b, conv(b, "fc1", x, linear((int)(c->out_channels * c->mlp_ratio))), c->activation);
    x = conv(b, "fc2", dropout(b, x, c->dropout_ratio), linear(c->out_channels));
    return dropout(b, x, c->dropout_ratio);
}

static value encoder(struct builder *b, value x, const struct tan *c)
{
    const double eps = 1e-5;
    value y = layer_norm(b, "norm1", x, eps);
    enter(b, "attn");
    x = add(b, x, attention(b, y, c->num_heads, c->dropout_ratio));
    leave(b);
    y = layer_norm(b, "norm2", x, eps);
    enter(b, "mlp");
    x = add(b, x, mlp(b, y, c));
    leave(b);
    return x;
}

static value transformer(struct builder *b, value x, value position, const struct tan *c)
{
    const struct norm_config none = { .type = NORM_NONE };
    enter(b, "conv");
    x = conv_module(b, x, pointwise(c->out_channels), none, ACT_RELU);
    leave(b);
    b->init.deviation = 0.02;
    conv_unused(b, "linear", c->out_channels, linear(c->out_channels));
    x = graph_node(b, &op_position, "pos_embed", (value[]){ x, position }, 2, NULL);
    for (int i = 0; i < c->num_encoders; i++) {
        enter_index(b, "encoders", i);
        x = encoder(b, x, c);
        leave(b);
    }
    return x;
}

static value resized_like(struct builder *b, value x, value like)
{
    const struct shape s = value_of(b, like)->shape;
    return resize(b, x, s.h, s.w);
}

void tan_build(struct builder *b, const void *config, const struct features *in, struct features *out)
{
    const struct tan *c = config;
    const struct norm_config batch = { .type = NORM_BATCH };
    const struct shape rows = { .n = c->feature_hw[0] * c->feature_hw[1], .h = 1, .w = 1, .c = c->out_channels };
    if (in->count != LEVELS_USED)
        builder_fail(b, "needs 3 maps of the backbone, not %d", in->count);
    if (!features_fit(b, in, &c->in_channels))
        return;
    b->init = (struct layer_init){ .weights = WEIGHTS_NORMAL, .deviation = 0.01 };
    for (int i = 0; i < in->count; i++) {
        enter_index(b, "lateral_convs", i);
        out->at[i] = conv_module(b, in->at[i], pointwise(c->out_channels), batch, c->activation);
        leave(b);
    }
    out->count = in->count;
    const value middle = out->at[MIDDLE];
    value x = concat(b, resized_like(b, out->at[0], middle), middle);
    x = concat(b, x, resized_like(b, out->at[2], middle));
    const value position = graph_param(b, "pos_embed", rows, 3, PARAM_TRAINED, (struct init){ INIT_NORMAL, 0.02 });
    enter(b, "transformer");
    x = transformer(b, x, position, c);
    leave(b);
    for (int i = 0; i < out->count; i++)
        out->at[i] = add(b, out->at[i], i == MIDDLE ? x : resized_like(b, x, out->at[i]));
}
