#include "model/model.h"

#include "base/memory.h"
#include "base/table.h"
#include "data/sample.h"
#include "kernel/kernels.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The row that the section's `name` names, and its configuration. */
static const void *read_part(struct config *config, const char *section, const void *rows, size_t row_size,
                             void **part_config, struct error *err)
{
    char path[64];
    snprintf(path, sizeof path, "%s.name", section);
    const char *name = config_text(config, path);
    if (!name) {
        misuse(err, "%s must be given", config_place(config, path).s);
        return NULL;
    }
    const void *row = find_row(name, rows, row_size);
    if (!row) {
        misuse(err, "%s: no such part '%s'; did you mean %s?", config_place(config, path).s, name,
               nearest_name(name, rows, row_size));
        return NULL;
    }
    const struct model_part *part = row;
    *part_config = new_array(1, part->config_size, err);
    return *part_config && section_read(config, section, part->keys, *part_config, err) ? row : NULL;
}

static bool read_parts(struct model *m, struct error *err)
{
    struct config *config = m->config;
    m->backbone = read_part(config, "model.arch.backbone", backbones, sizeof *backbones, &m->backbone_config, err);
    m->neck = m->backbone ? read_part(config, "model.arch.fpn", necks, sizeof *necks, &m->neck_config, err) : NULL;
    m->head = m->neck ? read_part(config, "model.arch.head", heads, sizeof *heads, &m->head_config, err) : NULL;
    if (!m->head)
        return false;
    m->shape = *(const struct head_config *)m->head_config;
    if (!config_text(config, "model.arch.aux_head.name"))
        return true;
    m->aux_head = read_part(config, "model.arch.aux_head", heads, sizeof *heads, &m->aux_config, err);
    if (!m->aux_head)
        return false;
    const struct head_config *aux = m->aux_config;
    if (m->head->family != LOSS_PLUS)
        return misuse(err, "%s: %s is trained without one", config_place(config, "model.arch.aux_head").s,
                      m->head->name);
    return (aux->num_classes == m->shape.num_classes && aux->reg_max == m->shape.reg_max)
        || misuse(err, "%s: the auxiliary head's num_classes and reg_max must be the head's",
                  config_place(config, "model.arch.aux_head").s);
}

static void build_neck(struct builder *b, const struct model *m, const char *name, const struct features *in,
                       struct features *out)
{
    enter(b, name);
    m->neck->build(b, m->neck_config, in, out);
    leave(b);
}

static void build_head(struct builder *b, const char *name, const struct head *head, const void *config,
                       const struct features *in, const char *output)
{
    const struct head_config *c = config;
    enter(b, name);
    if (c->strides.count != in->count)
        builder_fail(b, "strides has %d numbers, the neck %d levels", c->strides.count, in->count);
    for (int i = 0; i < in->count; i++)
        if (channels_of(b, in->at[i]) != c->input_channel)
            builder_fail(b, "input_channel is %d, level %d of the neck has %d channels", c->input_channel, i,
                         channels_of(b, in->at[i]));
    graph_output(b, output, b->error.exit ? VALUE_NONE : head->build(b, config, in));
    leave(b);
}

/* The assign guidance module: a second neck, and a head over the levels of both. */
static void build_aux(struct builder *b, const struct model *m, const struct features *maps,
                      const struct features *levels)
{
    struct features in = *maps, own = {0}, both = {0};
    for (int i = 0; i < in.count && b->detached; i++)
        in.at[i] = detach(b, in.at[i]);
    build_neck(b, m, "aux_fpn", &in, &own);
    for (int i = 0; i < own.count; i++)
        both.at[both.count++] = concat(b, b->detached ? detach(b, levels->at[i]) : levels->at[i], own.at[i]);
    b->bf16_terms = b->bf16_terms ? 2 : 0;              /* the head guides training only: less accuracy suffices */
    build_head(b, "aux_head", m->aux_head, m->aux_config, &both, "aux");
}

static bool strides_fit(struct builder *b, const struct model *m, const struct features *levels, int h, int w)
{
    for (int i = 0; i < levels->count && i < m->shape.strides.count && !b->error.exit; i++) {
        const struct shape s = value_of(b, levels->at[i])->shape;
        const int stride = m->shape.strides.at[i];
        if (s.h != (h + stride - 1) / stride || s.w != (w + stride - 1) / stride)
            builder_fail(b, "an input of %d x %d gives a level of %d x %d, not of stride %d; sizes must be multiples "
                         "of 32", w, h, s.w, s.h, stride);
    }
    return !b->error.exit;
}

bool model_graph(struct model *m, const struct graph_options *o, struct graph *g, struct error *err)
{
    struct builder b = { .graph = g, .params = &m->params, .training = o->training, .input_gradient = o->input_gradient,
                         .unfused = o->unfused, .detached = o->detached, .freeze = m->config->model.freeze.at,
                         .freeze_count = m->config->model.freeze.count };
    const char *way = getenv("NANODET_CONV");
    struct features maps = {0}, levels = {0};
    b.direct = way && strcmp(way, "direct") == 0;
    b.merged = m->merged;
    b.bf16_terms = !b.direct && o->kernels && o->kernels->amx ? 3 : 0;
    b.split_shuffle = o->kernels;
    b.fold_norm = o->kernels && !o->training && !o->input_gradient && !o->unfused;
    *g = (struct graph){ .separate = o->separate };
    const value image = graph_input(&b, (struct shape){ o->n, o->h, o->w, 3, {0} });
    enter(&b, "backbone");
    m->backbone->build(&b, m->backbone_config, image, &maps);
    leave(&b);
    build_neck(&b, m, "fpn", &maps, &levels);
    if (strides_fit(&b, m, &levels, o->h, o->w))
        build_head(&b, "head", m->head, m->head_config, &levels, "main");
    if (m->aux_head && o->training)
        build_aux(&b, m, &maps, &levels);
    m->branches = b.branches;
    return graph_build(&b, err);
}

/* The auxiliary neck starts as a copy of the neck. */
static void copy_neck(struct params *params)
{
    for (int i = 0; i < params->count; i++) {
        struct param *to = &params->list[i];
        const int from = strncmp(to->name, "aux_fpn.", 8) == 0 ? params_find(params, to->name + 4) : -1;
        if (from >= 0)
            memcpy(params->value + to->offset, params->value + params->list[from].offset,
                   (size_t)to->count * sizeof *params->value);
    }
}

static bool open_as(struct model *m, struct config *config, bool merged, struct error *err)
{
    const int *size = config->train.input_size;
    const struct graph_options all = { .n = 1, .h = padded_side(size[1]), .w = padded_side(size[0]),
                                       .training = !merged };
    struct graph g = {0};
    *m = (struct model){ .config = config, .merged = merged };
    const bool ok = read_parts(m, err) && model_graph(m, &all, &g, err)
                 && params_layout(&m->params, config->model.freeze.at, merged ? 0 : config->model.freeze.count, err);
    graph_free(&g);
    return ok;
}

bool model_open(struct model *m, struct config *config, struct error *err)
{
    return open_as(m, config, false, err);
}

bool model_open_merged(struct model *m, struct config *config, struct error *err)
{
    return open_as(m, config, true, err);
}

void model_start(struct model *m)
{
    params_init(&m->params, (uint64_t)m->config->seed);
    copy_neck(&m->params);
}

void model_free(struct model *m)
{
    free(m->backbone_config);
    free(m->neck_config);
    free(m->head_config);
    free(m->aux_config);
    params_free(&m->params);
    *m = (struct model){0};
}
