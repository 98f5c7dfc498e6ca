#include "weights/load.h"

#include "base/memory.h"
#include "base/strbuf.h"
#include "base/string_list.h"
#include "base/table.h"
#include "interop/state_dict.h"
#include "interop/weights_file.h"
#include "weights/file_config.h"
#include "weights/fold.h"
#include "weights/levels.h"
#include "weights/match.h"
#include "weights/transfer.h"
#include "weights/weights.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- notes and errors ---- */

/* "a, b, c and 12 more" */
static void add_names(struct strbuf *text, const struct string_list *names, int max)
{
    for (int i = 0; i < names->count && i < max; i++)
        strbuf_addf(text, "%s%s", i ? ", " : "", names->list[i]);
    if (names->count > max)
        strbuf_addf(text, " and %d more", names->count - max);
}

static bool note_names(struct string_list *notes, const char *path, const char *what, const struct string_list *names,
                       struct error *err)
{
    enum { MAX_NAMES = 8 };
    struct strbuf line = {0};
    if (names->count == 0)
        return true;
    strbuf_addf(&line, "%s: %s: ", path, what);
    add_names(&line, names, MAX_NAMES);
    const bool ok = strbuf_check(&line, err) && string_list_add(notes, line.s, err);
    strbuf_free(&line);
    return ok;
}

static bool refuse(const char *path, const char *what, const struct string_list *names, struct error *err)
{
    enum { MAX_NAMES = 4 };
    struct strbuf list = {0};
    add_names(&list, names, MAX_NAMES);
    if (strbuf_check(&list, err))
        fail(err, "%s: %s: %s", path, what, list.s);
    strbuf_free(&list);
    return false;
}

static bool note_loaded(struct string_list *notes, const char *path, const struct weights_report *r, struct error *err)
{
    struct strbuf line = {0};
    strbuf_addf(&line, "%s: %d tensors loaded", path, r->loaded);
    const bool ok = strbuf_check(&line, err) && string_list_add(notes, line.s, err);
    strbuf_free(&line);
    return ok;
}

static bool note_levels(struct string_list *notes, const char *path, int added, struct error *err)
{
    struct strbuf line = {0};
    if (added == 0)
        return true;
    strbuf_addf(&line, "%s: the model has %d finer level%s; the other levels take the weights of the file", path,
                added, added == 1 ? "" : "s");
    const bool ok = strbuf_check(&line, err) && string_list_add(notes, line.s, err);
    strbuf_free(&line);
    return ok;
}

static bool only_heads(const struct string_list *names)
{
    bool only = true;
    for (int i = 0; i < names->count; i++)
        only = only && (starts_with(names->list[i], "head.") || starts_with(names->list[i], "aux_head."));
    return only;
}

/* ---- missing and misfit tensors ---- */

static void keep_needed(struct string_list *missing, const struct params *params, const bool *needed)
{
    int kept = 0;
    for (int i = 0; i < missing->count; i++)
        if (needed[params_find(params, missing->list[i])])
            missing->list[kept++] = missing->list[i];
        else
            free(missing->list[i]);
    missing->count = kept;
}

/* The number of classes of the file if all its misfit tensors differ only in that; else 0. */
static int other_classes(const struct model *model, const struct weights_report *r)
{
    const int classes = model->shape.num_classes + r->extra_rows;
    return r->misfit.count && only_heads(&r->misfit) && r->extra_rows && classes > 0 ? classes : 0;
}

static const char *plural(int count) { return count == 1 ? "" : "es"; }

/* One more bin per distance also adds four rows. */
static const char *or_bins(const struct weights_report *r)
{
    return r->extra_rows % 4 ? "" : ", or another reg_max";
}

static bool note_misfits(const struct model *model, const char *path, const struct weights_report *r,
                         struct string_list *notes, struct error *err)
{
    const int own = model->shape.num_classes, classes = other_classes(model, r);
    struct strbuf line = {0};
    if (!classes)
        return note_names(notes, path, "does not fit the model, left at the initial values", &r->misfit, err);
    strbuf_addf(&line, "%s: the head has %d class%s, the file has %d%s: the %d tensors that depend on it keep their "
                "initial values", path, own, plural(own), classes, or_bins(r), r->misfit.count);
    const bool ok = strbuf_check(&line, err) && string_list_add(notes, line.s, err);
    strbuf_free(&line);
    return ok;
}

static bool check_report(const struct model *model, const char *path, enum load_for purpose,
                         const struct weights_report *r, struct string_list *notes, struct error *err)
{
    const int own = model->shape.num_classes, classes = other_classes(model, r);
    if (purpose == LOAD_TO_RUN && classes)
        return fail(err, "%s: the head has %d class%s, the file has %d%s", path, own, plural(own), classes,
                    or_bins(r));
    if (purpose == LOAD_TO_RUN && r->misfit.count)
        return refuse(path, "does not fit the model", &r->misfit, err);
    if (purpose == LOAD_TO_RUN && r->missing.count)
        return refuse(path, "lacks what the model needs", &r->missing, err);
    return note_loaded(notes, path, r, err)
        && note_names(notes, path, "missing, left at the initial values", &r->missing, err)
        && note_misfits(model, path, r, notes, err)
        && note_names(notes, path, "not of this model, ignored", &r->unknown, err);
}

static bool all_finite(const struct params *params, const real *array, const char *path, struct error *err)
{
    const struct param *p = params_find_nonfinite(params, array, params->total);
    return !p || fail(err, "%s: %s holds a number that is not finite", path, p->name);
}

/* ---- loading ---- */

static bool load_tensors(struct model *model, struct tensors *t, const char *path, const char *prefix,
                         enum load_for purpose, real *array, struct string_list *notes, struct error *err)
{
    struct weights_report report = {0};
    struct inference inference = {0};
    const int in_file = t->count;
    int added = 0;
    bool ok = raise_levels(&model->params, t, &added, err) && note_levels(notes, path, added, err)
           && (purpose == LOAD_TO_RUN || !model->config->schedule.transfer_head
               || transfer_head(model, t, path, array, notes, err))
           && inference_of(&inference, model, err) && inference_unfold(&inference, &model->params, t, path, err)
           && weights_from_tensors(&model->params, t, prefix, array, &report, err);
    if (ok && purpose == LOAD_TO_RUN)
        keep_needed(&report.missing, &model->params, inference.needed);
    if (ok && report.loaded == 0 && report.misfit.count == 0)
        ok = fail(err, "%s: none of its %d tensors is one of the model's", path, in_file);
    ok = ok && check_report(model, path, purpose, &report, notes, err) && all_finite(&model->params, array, path, err);
    inference_free(&inference);
    weights_report_free(&report);
    return ok;
}

static bool other_classes_fit(const struct model *model, const struct network *net)
{
    return model->config->schedule.transfer_head && net->classes > 0 && net->classes != model->shape.num_classes;
}

/* Reads the tensors of a file of any format, with the names of the state_dict. */
static bool read_tensors(struct model *model, const char *path, struct tensors *t, struct error *err)
{
    struct network net = {0};
    const bool ok = weights_file_read(t, &net, path, err)
                 && (net.count == 0 ? normalise_weight_names(t, path, err)
                     : other_classes_fit(model, &net) ? match_other_classes(model, &net, path, t, err)
                                                      : match_weights_by_structure(model, &net, path, t, err));
    network_free(&net);
    return ok;
}

bool model_load(struct model *model, const char *path, enum load_for purpose, real *array, struct string_list *notes,
                struct error *err)
{
    struct tensors t = {0};
    const bool ok = read_tensors(model, path, &t, err)
                 && load_tensors(model, &t, path, "", purpose, array, notes, err)
                 && file_config_note_missing(&t, path, notes, err)
                 && file_config_note_classes(&t, path, model->config, notes, err);
    tensors_free(&t);
    return ok;
}

bool model_load_tensors(struct model *model, struct tensors *t, const char *path, enum load_for purpose, real *array,
                        struct string_list *notes, struct error *err)
{
    return normalise_weight_names(t, path, err) && load_tensors(model, t, path, "", purpose, array, notes, err);
}

/* The full name of a tensor in a file of a backbone.  The original wraps timm's feature networks, in which timm's
 * stem.0 is called stem_0. */
static char *full_name(const struct params *params, const char *name, struct error *err)
{
    const char *dot = strchr(name, '.');
    struct strbuf full = {0}, timm = {0};
    strbuf_addf(&full, "backbone.%s", name);
    if (dot)
        strbuf_addf(&timm, "backbone.timm.%.*s_%s", (int)(dot - name), name, dot + 1);
    const bool ok = strbuf_check(&full, err) && strbuf_check(&timm, err), is_timm = ok && dot && params_find(params,
                                                                                                       timm.s) >= 0;
    char *chosen = ok ? new_text(is_timm ? timm.s : full.s, err) : NULL;
    strbuf_free(&full);
    strbuf_free(&timm);
    return chosen;
}

/* Keeps the tensors of the backbone, under their full names; a file without such names is one of a backbone. */
static bool keep_backbone(const struct params *params, struct tensors *t, struct error *err)
{
    bool whole = false;
    int kept = 0;
    for (int i = 0; i < t->count; i++)
        whole = whole || starts_with(t->list[i].name, "backbone.");
    for (int i = 0; i < t->count && !whole; i++) {
        char *name = full_name(params, t->list[i].name, err);
        if (!name)
            return false;
        free(t->list[i].name);
        t->list[i].name = name;
    }
    for (int i = 0; i < t->count; i++)
        if (starts_with(t->list[i].name, "backbone."))
            t->list[kept++] = t->list[i];
        else
            free(t->list[i].name);
    t->count = kept;
    return true;
}

static bool warn_random_weights(const char *key, const char *word, struct string_list *notes, struct error *err)
{
    struct strbuf line = {0};
    const char *section = model_sections[MODEL_BACKBONE];
    strbuf_addf(&line, "WARNING: %s.%s is %s and names no file; nothing is downloaded, so training starts from random "
                "weights: give --weights FILE or %s.%s=FILE, or set it to false if that is meant", section, key, word,
                section, key);
    const bool ok = strbuf_check(&line, err) && string_list_add(notes, line.s, err);
    strbuf_free(&line);
    return ok;
}

bool model_pretrain(struct model *model, real *array, struct string_list *notes, struct error *err)
{
    static const struct word words[] = { { "", 0 },     { "false", 0 }, { "no", 0 },  { "off", 0 }, { "False", 0 },
                                         { "true", 1 }, { "yes", 1 },   { "on", 1 },  { "True", 1 }, {0} };
    const char *path = model->pretrain;
    const struct word *word = find_row(path, words, sizeof *words);
    struct tensors t = {0};
    if (word)
        return !word->value || warn_random_weights(model->pretrain_key, path, notes, err);
    const bool ok = read_tensors(model, path, &t, err) && keep_backbone(&model->params, &t, err)
                 && load_tensors(model, &t, path, "backbone.", LOAD_TO_TRAIN, array, notes, err);
    tensors_free(&t);
    return ok;
}

bool model_initialise(struct model *model, const char *weights, struct string_list *notes, struct error *err)
{
    const char *file = weights ? weights : model->config->schedule.load_model;
    real *values = model->params.value;
    model_start(model);
    if (!*file)
        return model_pretrain(model, values, notes, err);
    return (weights || config_require_file(model->config, "schedule.load_model", file, err))
        && model_load(model, file, LOAD_TO_TRAIN, values, notes, err);
}
