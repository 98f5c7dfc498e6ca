#include "model/model.h"

#include "base/memory.h"
#include "base/table.h"
#include "data/sample.h"
#include "graph/parts.h"
#include "kernel/kernels.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The row that the section's `name` names, and its configuration. */
static const void *read_part(struct config *config, enum model_section section, void **part_config, struct error *err)
{
    const struct part_table *table = &part_tables[section];
    const char *name = config->model.name[section], *path = model_sections[section];
    const struct model_part *part = find_row(name, table->rows, table->row_size);
    if (!part) {
        char key[64];
        snprintf(key, sizeof key, "%s.name", path);
        misuse(err, "%s: no such part '%s'; did you mean %s?", config_place(config, key).s, name,
               nearest_name(name, table->rows, table->row_size));
        return NULL;
    }
    *part_config = new_array(1, part->config_size, err);
    return *part_config && section_read(config, path, part->keys, *part_config, err) ? part : NULL;
}

/* Backbones differ in the name of this key. */
static void find_pretrain(struct model *m)
{
    const struct key *keys = m->backbone->keys, *key = find_row("pretrain", keys, sizeof *keys);
    if (!key)
        key = find_row("pretrained", keys, sizeof *keys);
    m->pretrain_key = key->name;
    memcpy(&m->pretrain, (const char *)m->backbone_config + key->offset, sizeof m->pretrain);
}

static bool read_aux_head(struct model *m, struct error *err)
{
    m->aux_head = read_part(m->config, MODEL_AUX_HEAD, &m->aux_config, err);
    if (!m->aux_head)
        return false;
    const struct head_config *aux = m->aux_config;
    const struct place_text place = config_place(m->config, model_sections[MODEL_AUX_HEAD]);
    if (m->head->family != LOSS_PLUS)
        return misuse(err, "%s: %s is trained without one", place.s, m->head->name);
    return (aux->num_classes == m->shape.num_classes && aux->reg_max == m->shape.reg_max)
        || misuse(err, "%s: the auxiliary head's num_classes and reg_max must be the head's", place.s);
}

/* An assigner that reads no predictions has no guide. */
static bool guide_fits(const struct model *m, struct error *err)
{
    const enum guide guide = m->config->model.guide;
    return criteria[m->head->family].guided || guide == GUIDE_AUX || guide == GUIDE_SELF
        || misuse(err, "%s must be self: %s assigns objects by geometry alone",
                  config_place(m->config, "model.guide").s, m->head->name);
}

static bool read_parts(struct model *m, struct error *err)
{
    if (!(m->backbone = read_part(m->config, MODEL_BACKBONE, &m->backbone_config, err))
        || !(m->neck = read_part(m->config, MODEL_NECK, &m->neck_config, err))
        || !(m->head = read_part(m->config, MODEL_HEAD, &m->head_config, err)))
        return false;
    m->shape = *(const struct head_config *)m->head_config;
    find_pretrain(m);
    return guide_fits(m, err) && (!m->config->model.name[MODEL_AUX_HEAD] || read_aux_head(m, err));
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
    b->auxiliary = true;
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
    struct builder b = { .graph = g, .params = &m->params, .training = o->training, .unfolding = o->unfolding,
                         .parts = o->training ? parts_of_share(o->policy ? o->policy->ranks : NULL) : 1,
                         .local_norms = !m->config->model.sync_norm,
                         .input_gradient = o->input_gradient,
                         .unfused = o->unfused, .detached = o->detached, .freeze = m->config->model.freeze.at,
                         .freeze_count = m->config->model.freeze.count, .merged = m->merged, .policy = o->policy,
                         .split_shuffle = o->policy,
                         .fold_norm = o->policy && !o->training && !o->input_gradient && !o->unfused };
    struct features maps = {0}, levels = {0};
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
