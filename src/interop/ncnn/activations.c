#include "interop/ncnn/activations.h"

#include "interop/ncnn/read.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- writing ---- */

struct ncnn_params ncnn_activation_params(const struct layer *layer, bool fused)
{
    const struct ncnn_spelling *spelling = &act_spellings[layer->act].ncnn[0];
    const int count = spelling->params[1] ? 2 : spelling->params[0] != NULL;
    struct ncnn_params text = { "" };
    char slope[24];
    int n = 0;
    snprintf(slope, sizeof slope, "%.8e", (double)layer->slope);
    if (fused)
        n = snprintf(text.s, sizeof text.s, count ? " 9=%d -23310=%d" : " 9=%d", spelling->fused, count);
    for (int i = 0; i < count; i++) {
        const char *value = strcmp(spelling->params[i], "slope") == 0 ? slope : spelling->params[i];
        n += fused ? snprintf(text.s + n, sizeof text.s - (size_t)n, ",%s", value)
                   : snprintf(text.s + n, sizeof text.s - (size_t)n, " %d=%s", i, value);
    }
    return text;
}

/* ---- reading ---- */

/* Is v the parameter that a spelling wants?  A text of 1e38 stands for no limit. */
static bool param_fits(const char *wanted, double v)
{
    if (wanted && strcmp(wanted, "slope") == 0)
        return v > 0 && v <= 1;
    const double want = wanted ? strtod(wanted, NULL) : 0;
    return want > 1e30 ? v > 1e30 : fabs(v - want) <= 2e-5 * fabs(want);
}

/* The activation that a line spells, or a convolution's line if `fused` is not 0; ACT_NONE if it is not supported. */
static enum act find_activation(const struct ncnn_line *line, int fused, double params[2])
{
    if (fused)
        ncnn_array(line, 10, params, 2);
    for (int act = 0; act < ACT_KINDS; act++)
        for (int i = 0; i < NCNN_SPELLINGS; i++) {
            const struct ncnn_spelling *s = &act_spellings[act].ncnn[i];
            if (!s->type || (fused ? s->fused != fused : strcmp(s->type, line->type) != 0))
                continue;
            for (int k = 0; k < 2 && !fused; k++)
                params[k] = ncnn_number(line, k, s->presets[k]);
            if (param_fits(s->params[0], params[0]) && param_fits(s->params[1], params[1]))
                return (enum act)act;
        }
    return ACT_NONE;
}

/* Adds the activation of the line, or the one that is fused into it, to *value. */
static bool add_activation(struct ncnn_reader *r, int fused, int *value)
{
    double params[2] = { 0, 0 };
    const enum act act = find_activation(r->line, fused, params);
    if (act == ACT_NONE)
        return ncnn_refuse(r, "activation %d with %g and %g is not supported", fused, params[0], params[1]);
    const int layer = ncnn_add(r, LAYER_ACTIVATION, value, 1);
    if (layer < 0)
        return false;
    r->net->layers[layer].act = act;
    r->net->layers[layer].slope = act == ACT_LEAKY_RELU ? (float)params[0] : 0;
    *value = layer;
    return ncnn_finish(r, layer);
}

bool ncnn_fused_activation(struct ncnn_reader *r, int *value)
{
    const int fused = ncnn_integer(r->line, 9, 0);
    return fused == 0 || add_activation(r, fused, value);
}

/* An activation applies to every level of a blob. */
static bool activation(struct ncnn_reader *r)
{
    r->out[0] = *r->in[0];
    r->out[0].read = false;
    for (int i = 0; i < r->in[0]->values; i++)
        if (!add_activation(r, 0, &r->out[0].value[i]))
            return false;
    return true;
}

const struct ncnn_type *ncnn_activation_type(const char *name)
{
    static const struct ncnn_type type = { "activation", { 1, 1 }, { 1, 1 }, ANY | JOINED, activation };
    for (int act = 0; act < ACT_KINDS; act++)
        for (int i = 0; i < NCNN_SPELLINGS; i++)
            if (act_spellings[act].ncnn[i].type && strcmp(act_spellings[act].ncnn[i].type, name) == 0)
                return &type;
    return NULL;
}
