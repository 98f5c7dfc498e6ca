/* model/backbone/custom_csp_net.c -- the network of NanoDet-g: stages of plain convolutions that pass one half of their
 * result on as it is, in the manner of CSPNet (Wang et al. 2019, figure 2b). */
#include "base/table.h"
#include "model/parts.h"
#include <stdlib.h>

const struct key custom_csp_net_keys[] = {
    { "net_cfg",    FIELD(custom_csp_net, net_cfg),    NULL, 0, 0,
      "stages: [Conv, in, out, kernel, stride], [CspBlock, in, blocks, kernel, stride] or [MaxPool, kernel, stride]" },
    { "out_stages", FIELD(custom_csp_net, out_stages), NULL, 0, 1024,
      "stages whose maps go to the neck, counted from 0" },
    { "norm_cfg.type", WORDS(custom_csp_net, norm.type, norm_words), "BN", 0, 0, "normalisation" },
    { "norm_cfg.num_groups", FIELD(custom_csp_net, norm.num_groups), "32", 1, 65536, "groups of GN" },
    { "norm_cfg.requires_grad", .type = KEY_IGNORED, .help = "always true" },
    { "activation", WORDS(custom_csp_net, activation, activation_words), "LeakyReLU", 0, 0, "activation" },
    { "pretrain",   FIELD(custom_csp_net, pretrain),   "false", 0, 0, "weights file to start from" },
    {0} };

static value module(struct builder *b, const char *name, value x, struct conv spec, const struct custom_csp_net *c)
{
    enter(b, name);
    x = conv_module(b, x, spec, c->norm, c->activation);
    leave(b);
    return x;
}

static value tiny_res_block(struct builder *b, value x, int kernel, const struct custom_csp_net *c)
{
    const struct conv half = dense(channels_of(b, x) / 2, kernel, 1);
    const value y = module(b, "in_conv", x, half, c);
    return concat(b, module(b, "mid_conv", y, half, c), y);
}

/* ---- the stages, each from the numbers behind its name ---- */

static value conv_stage(struct builder *b, value x, const int *n, const struct custom_csp_net *c)
{
    return conv_module(b, x, dense(n[1], n[2], n[3]), c->norm, c->activation);
}

static value csp_block(struct builder *b, value x, const int *n, const struct custom_csp_net *c)
{
    const value whole = module(b, "in_conv", x, dense(n[0], n[2], n[3]), c);
    value y = whole;
    if (n[0] % 2)
        builder_fail(b, "a CspBlock of %d channels: they must be even", n[0]);
    for (int i = 0; i < n[1] && !b->error.exit; i++) {
        enter_index(b, "res_blocks", i);
        y = tiny_res_block(b, y, n[2], c);
        leave(b);
    }
    return concat(b, module(b, "res_out_conv", y, dense(n[0], n[2], 1), c), whole);
}

static value pool_stage(struct builder *b, value x, const int *n, const struct custom_csp_net *c)
{
    (void)c;
    return max_pool(b, x, n[0], n[1], (n[0] - 1) / 2);
}

enum { NUMBERS = 4 };
static const struct stage_kind {
    const char *name;
    int numbers;
    bool has_channels;                          /* the first number is the channels of x */
    value (*build)(struct builder *, value, const int *, const struct custom_csp_net *);
} kinds[] = {
    { "Conv", 4, true, conv_stage }, { "CspBlock", 4, true, csp_block }, { "MaxPool", 2, false, pool_stage }, {0} };

/* The whole numbers from 1 to 65536 behind the name; NULL if it is not a stage. */
static const struct stage_kind *read_stage(const struct strings *stage, int *numbers)
{
    const struct stage_kind *kind = stage->count ? find_row(stage->at[0], kinds, sizeof *kinds) : NULL;
    if (!kind || stage->count != 1 + kind->numbers)
        return NULL;
    for (int i = 1; i < stage->count; i++) {
        char *end = NULL;
        const long v = strtol(stage->at[i], &end, 10);
        if (v < 1 || v > 65536 || end == stage->at[i] || *end)
            return NULL;
        *numbers++ = (int)v;
    }
    return kind;
}

void custom_csp_net_build(struct builder *b, const void *config, value image, struct features *out)
{
    const struct custom_csp_net *c = config;
    value x = image;
    if (c->net_cfg.count == 0)
        builder_fail(b, "net_cfg must be a list of stages");
    b->init = (struct layer_init){ .weights = WEIGHTS_KAIMING };
    for (int i = 0; i < c->net_cfg.count && !b->error.exit; i++) {
        int n[NUMBERS];
        const struct stage_kind *kind = read_stage(&c->net_cfg.at[i], n);
        enter_index(b, "stages", i);
        if (!kind)
            builder_fail(b, "net_cfg[%d] must be [Conv, in, out, kernel, stride], [CspBlock, in, blocks, kernel, "
                         "stride] or [MaxPool, kernel, stride]", i);
        else if (kind->has_channels && n[0] != channels_of(b, x))
            builder_fail(b, "net_cfg[%d] wants %d channels, the stage before gives %d", i, n[0], channels_of(b, x));
        else
            x = kind->build(b, x, n, c);
        leave(b);
        add_feature(b, &c->out_stages, i, x, out);
    }
}
