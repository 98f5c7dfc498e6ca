#include "train/teacher.h"

#include "base/hash.h"
#include "base/memory.h"
#include "data/dataset.h"
#include "weights/file_config.h"
#include "weights/load.h"
#include "weights/merge.h"
#include <stdlib.h>
#include <string.h>

static const char config_key[] = "model.teacher.config", weights_key[] = "model.teacher.weights";

static bool open_model(struct teacher *t, const struct config *student, struct error *err)
{
    const char *config = student->model.teacher.config, *weights = student->model.teacher.weights;
    if (!config_require_file(student, weights_key, weights, err))
        return false;
    if (!*config)
        return file_config_open(&t->model, &t->config, weights, NULL, 0, err);
    return config_require_file(student, config_key, config, err) && config_read(&t->config, config, NULL, 0, err)
        && model_open(&t->model, &t->config, err);
}

/* ---- what the student needs ---- */

static bool same_strides(const struct ints *a, const struct ints *b)
{
    bool same = a->count == b->count;
    for (int i = 0; same && i < a->count; i++)
        same = a->at[i] == b->at[i];
    return same;
}

/* Predictions at the same priors of the same distances, for the same input. */
static bool check_form(const struct teacher *t, const struct model *student, struct error *err)
{
    const struct head_config *a = &t->model.shape, *b = &student->shape;
    const bool described = !*student->config->model.teacher.config;
    const struct place_text place = config_place(student->config, described ? weights_key : config_key);
    if (!same_strides(&a->strides, &b->strides))
        return misuse(err, "%s: the teacher's model.arch.head.strides are not the student's", place.s);
    if (a->reg_max != b->reg_max)
        return misuse(err, "%s: the teacher's model.arch.head.reg_max is %d, the student's %d", place.s, a->reg_max,
                      b->reg_max);
    if (criteria[t->model.head->family].prior_offset != criteria[student->head->family].prior_offset)
        return misuse(err, "%s: the priors of the teacher's %s are not those of %s", place.s, t->model.head->name,
                      student->head->name);
    return same_normalize(&t->config.val.pipeline, &student->config->train.pipeline)
        || misuse(err, "%s: the teacher's data.val.pipeline.normalize is not data.train.pipeline.normalize", place.s);
}

static bool check_classes(struct teacher *t, const struct model *student, struct error *err)
{
    const struct config *config = student->config;
    const struct strings *own = &config->class_names, *names = &t->config.class_names;
    const int classes = student->shape.num_classes;
    int shared = 0;
    t->class_of = new_array((size_t)classes, sizeof *t->class_of, err);
    t->has_class = new_array((size_t)classes, sizeof *t->has_class, err);
    if (!t->class_of || !t->has_class)
        return false;
    for (int i = 0; i < classes; i++) {
        t->class_of[i] = i < own->count ? class_find(names->at, names->count, own->at[i]) : -1;
        t->has_class[i] = t->class_of[i] >= 0;
        shared += t->has_class[i];
        if (config->model.guide == GUIDE_TEACHER && !t->has_class[i])
            return misuse(err, "%s is teacher, but the teacher has no class '%.60s'",
                          config_place(config, "model.guide").s, i < own->count ? own->at[i] : "?");
    }
    return shared > 0 || config->model.distill.classification == 0
        || misuse(err, "%s is above 0, but the teacher has none of the classes",
                  config_place(config, "model.distill.classification").s);
}

/* ---- weights ---- */

/* The digest covers the weights and the description, which has the classes and no paths. */
static bool find_digest(struct teacher *t, struct error *err)
{
    const struct params *params = &t->model.params;
    struct strbuf description = {0};
    if (!file_config_write(&t->config, &description, err)) {
        strbuf_free(&description);
        return false;
    }
    t->digest = hash_bytes(HASH_START, description.s, description.size);
    strbuf_free(&description);
    for (int i = 0; i < params->count; i++)
        t->digest = hash_bytes(t->digest, params->list[i].name, strlen(params->list[i].name));
    t->digest = hash_bytes(t->digest, params->value, (size_t)params->total * sizeof *params->value);
    t->digest += !t->digest;
    return true;
}

bool teacher_open(struct teacher *t, const struct model *student, struct string_list *notes, struct error *err)
{
    const char *weights = student->config->model.teacher.weights;
    *t = (struct teacher){0};
    return open_model(t, student->config, err) && check_form(t, student, err) && check_classes(t, student, err)
        && model_load(&t->model, weights, LOAD_TO_RUN, t->model.params.value, notes, err)
        && find_digest(t, err)
        && (!t->model.branches || model_merge(&t->merged, &t->model, t->model.params.value, err));
}

void teacher_free(struct teacher *t)
{
    model_free(&t->merged);
    model_free(&t->model);
    config_free(&t->config);
    free(t->class_of);
    free(t->has_class);
    *t = (struct teacher){0};
}

struct model *teacher_model(struct teacher *t) { return t->model.branches ? &t->merged : &t->model; }
