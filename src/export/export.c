#include "export/export.h"

#include "base/atomic_file.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/path.h"
#include "base/strbuf.h"
#include "data/sample.h"
#include "deploy/network_fold.h"
#include "interop/ncnn/ncnn.h"
#include "interop/safetensors.h"
#include "model/criterion.h"
#include "model/model_network.h"
#include "weights/file_config.h"
#include "weights/fold.h"
#include "weights/weights.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- metadata ---- */

static bool add_list(struct tensors *t, const char *key, const cJSON *list, struct error *err)
{
    char *text = list ? json_print(list) : NULL;
    const bool ok = text ? tensors_add_metadata(t, key, text, err) : fail(err, "out of memory for metadata");
    free(text);
    return ok;
}

static bool add_metadata(const struct model *m, const struct export_options *o, struct tensors *t, struct error *err)
{
    const struct config *c = m->config;
    const double (*normalize)[3] = c->val.pipeline.normalize;
    const int size[2] = { padded_side(c->val.input_size[0]), padded_side(c->val.input_size[1]) };
    struct prior_grid grid;
    if (!criterion_grid(m, 1, size[1], size[0], &grid, err))
        return false;
    const struct { const char *key; cJSON *list; } rows[] = {
        { "class_names",   cJSON_CreateStringArray(c->class_names.at, c->class_names.count) },
        { "input_size",    cJSON_CreateIntArray(size, 2) },
        { "resize",        cJSON_CreateString(resize_name(c->val.resize)) },
        { "resize_to",     cJSON_CreateIntArray(c->val.input_size, 2) },
        { "mean_bgr",      cJSON_CreateDoubleArray(normalize[0], 3) },
        { "deviation_bgr", cJSON_CreateDoubleArray(normalize[1], 3) },
        { "strides",       cJSON_CreateIntArray(m->shape.strides.at, m->shape.strides.count) },
        { "reg_max",       cJSON_CreateNumber(m->shape.reg_max) },
        { "prior_offset",  cJSON_CreateNumber(grid.offset) },
        { "folded",        cJSON_CreateBool(o->fold) } };
    bool ok = tensors_add_metadata(t, "format", "nanodet", err) && weights_add_threshold(o->score_threshold, t, err);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ok = ok && add_list(t, rows[i].key, rows[i].list, err);
        cJSON_Delete(rows[i].list);
    }
    return ok;
}

/* ---- formats ---- */

static bool convert_to_half(struct tensors *t, struct error *err)
{
    for (int i = 0; i < t->count; i++) {
        struct tensor *tensor = &t->list[i];
        const float *from = (const float *)(const void *)tensor->data;
        uint16_t *to = tensors_block(t, tensor_count(tensor), sizeof *to, err);
        if (!to)
            return false;
        for (size_t k = 0; k < tensor_count(tensor); k++) {
            to[k] = half_of(from[k]);
            if ((to[k] & 0x7c00) == 0x7c00)
                return fail(err, "%s: %g is too large for 16 bits", tensor->name, (double)from[k]);
        }
        tensor->dtype = DTYPE_F16;
        tensor->data = (const unsigned char *)to;
    }
    return true;
}

static bool write_safetensors(struct model *m, const char *path, const struct export_options *o, struct error *err)
{
    struct inference inference = {0};
    struct tensors t = {0};
    struct strbuf description = {0};
    real *folded = new_array((size_t)m->params.total, sizeof *folded, err);
    bool ok = folded && inference_of(&inference, m, err);
    if (ok && o->fold)
        fold_norms(&inference, &m->params, m->params.value, folded);
    ok = ok && inference_to_tensors(&inference, &m->params, o->fold ? folded : m->params.value, o->fold, &t, err)
      && (!o->half || convert_to_half(&t, err)) && add_metadata(m, o, &t, err)
      && file_config_write(m->config, &description, err) && file_config_add(description.s, &t, err)
      && safetensors_write(path, &t, err);
    strbuf_free(&description);
    tensors_free(&t);
    inference_free(&inference);
    free(folded);
    return ok;
}

static bool make_network(struct model *m, const struct export_options *o, struct network *net, struct error *err)
{
    return model_export_network(m, m->params.value, net, err) && add_metadata(m, o, &net->weights, err)
        && (!o->fold || (network_fold(net, err) && network_merge(net, err)));
}

static bool write_ncnn(struct model *m, const char *path, const struct export_options *o, struct error *err)
{
    const struct ncnn_options options = { .half = o->half, .separate = m->head->family == LOSS_GFL };
    struct network net = {0};
    const bool ok = make_network(m, o, &net, err) && ncnn_write(path, &net, &options, err);
    network_free(&net);
    return ok;
}

static bool write_onnx(struct model *m, const char *path, const struct export_options *o, struct error *err)
{
    const struct test_config *test = &m->config->test;
    struct onnx_options options = { .half = o->half, .output = o->output, .images = o->images, .any_size = o->any_size,
                                    .score_thr = test->score_thr, .iou_thr = test->nms_iou,
                                    .kept = test->max_per_image, .class_agnostic = test->class_agnostic_nms };
    struct prior_grid grid;
    struct network net = {0};
    bool ok = make_network(m, o, &net, err) && criterion_grid(m, 1, net.input_h, net.input_w, &grid, err);
    if (ok) {
        options.prior_offset = grid.offset;
        ok = onnx_write(path, &net, &options, err);
    }
    network_free(&net);
    return ok;
}

const struct export_format export_formats[] = {
    { "safetensors", .suffix = ".safetensors", .write = write_safetensors },
    { "onnx", .suffix = ".onnx", .is_network = true, .write = write_onnx },
    { "ncnn", .suffix = ".param", .needs_suffix = true, .companion_suffix = ".bin", .write = write_ncnn },
    {0} };

/* ---- files ---- */

/* An export is one file or a pair of files.  Each is written to `staged`, in a temporary folder next to the target, and
 * verified; then its content is copied to `file`, which replaces the target. */
enum { MAIN, COMPANION, FILES };
struct staging {
    int count;
    char *folder;
    char *staged[FILES];
    struct atomic_file file[FILES];
};

static bool open_file(struct atomic_file *file, const char *path, struct error *err)
{
    return atomic_open(file, path, err) && (file->temporary || fail(err, "%s: is not a regular file", path));
}

static bool make_staging_folder(struct staging *s, const char *path, struct error *err)
{
    const char *target = s->file[MAIN].target;
    struct strbuf folder = {0};
    strbuf_addf(&folder, "%.*snanodet-export.XXXXXX", (int)(path_name(target) - target), target);
    const bool ok = strbuf_check(&folder, err) && (mkdtemp(folder.s) || fail(err, "%s: %s", path, errno_text(errno)));
    if (ok)
        s->folder = folder.s;
    else
        strbuf_free(&folder);
    return ok;
}

static bool stage(struct staging *s, const char *path, const struct export_format *format, struct error *err)
{
    s->count = format->companion_suffix ? 2 : 1;
    char *companion = format->companion_suffix ? path_with_suffix(path, format->companion_suffix, err) : NULL;
    const bool ok = open_file(&s->file[MAIN], path, err)
                 && (!format->companion_suffix || (companion && open_file(&s->file[COMPANION], companion, err)))
                 && make_staging_folder(s, path, err) && (s->staged[MAIN] = path_join(s->folder, path_name(path), err))
                 && (!format->companion_suffix
                     || (s->staged[COMPANION] = path_with_suffix(s->staged[MAIN], format->companion_suffix, err)));
    free(companion);
    return ok;
}

static bool copy_staged(struct staging *s, struct error *err)
{
    bool ok = true;
    for (int i = 0; ok && i < s->count; i++) {
        struct bytes content;
        ok = file_read(&content, s->staged[i], err) && atomic_write(&s->file[i], content.p, content.size, err)
          && atomic_sync(&s->file[i], err);
        bytes_free(&content);
    }
    return ok;
}

/* Renames the target to the name of the temporary file with .old appended; *old is NULL if there is no target. */
static bool rename_old(const struct atomic_file *file, char **old, struct error *err)
{
    struct strbuf name = {0};
    strbuf_addf(&name, "%s.old", file->temporary);
    const bool named = strbuf_check(&name, err), renamed = named && rename(file->target, name.s) == 0;
    const bool ok = renamed || (named && (errno == ENOENT || fail(err, "%s: cannot be replaced: %s", file->path,
                                                                  errno_text(errno))));
    if (renamed)
        *old = name.s;
    else
        strbuf_free(&name);
    return ok;
}

static void remove_or_report(int (*remove)(const char *), const char *path, struct error *leftover)
{
    if (remove(path) != 0 && !leftover->exit)
        fail(leftover, "%s: is left behind, since it cannot be removed: %s", path, errno_text(errno));
}

/* A pair can be loaded only with its .param.  The old .param is therefore renamed first and the new one last: a crash
 * leaves the old pair, the new pair, or no .param.  After a failure the old files are restored. */
static bool replace_pair(struct staging *s, struct error *leftover, struct error *err)
{
    struct atomic_file *param = &s->file[MAIN], *bin = &s->file[COMPANION];
    char *old[FILES] = {0};
    const bool ok = rename_old(param, &old[MAIN], err) && sync_folder_of(param->target, err)
                 && rename_old(bin, &old[COMPANION], err) && atomic_commit(bin, err) && atomic_commit(param, err);
    for (int i = COMPANION; i >= MAIN; i--) {
        if (old[i] && param->committed)
            remove_or_report(unlink, old[i], leftover);
        else if (old[i])
            rename(old[i], s->file[i].target);
        free(old[i]);
    }
    return ok;
}

static void unstage(struct staging *s, struct error *leftover)
{
    for (int i = 0; i < FILES; i++) {
        if (s->staged[i])
            unlink(s->staged[i]);
        free(s->staged[i]);
        atomic_close(&s->file[i]);
    }
    if (s->folder)
        remove_or_report(rmdir, s->folder, leftover);
    free(s->folder);
}

bool model_export(struct model *m, const char *path, const struct export_format *format,
                  const struct export_options *o, struct verification *v, struct error *leftover,
                  struct error *err)
{
    const double tolerance = o->half ? 0.05 : 1e-4;
    struct staging s = {0};
    if (format->needs_suffix && (!ends_with(path, format->suffix) || path_stem_length(path) == 0))
        return misuse(err, "%s: a file of %s must end in %s", path, format->name, format->suffix);
    const bool ok = stage(&s, path, format, err) && format->write(m, s.staged[MAIN], o, err)
                 && model_verify(m, s.staged[MAIN], tolerance, o->policy, v, err) && copy_staged(&s, err)
                 && (s.count == FILES ? replace_pair(&s, leftover, err) : atomic_commit(&s.file[MAIN], err));
    unstage(&s, leftover);
    return ok;
}
