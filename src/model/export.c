#include "model/export.h"

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "data/sample.h"
#include "deploy/network_fold.h"
#include "interop/ncnn/ncnn.h"
#include "interop/safetensors.h"
#include "model/as_network.h"
#include "model/criterion.h"
#include "model/file_config.h"
#include "model/fold.h"
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

static bool add_metadata(const struct model *m, bool folded, struct tensors *t, struct error *err)
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
        { "resize",        cJSON_CreateString(config_text(c, "data.val.resize")) },
        { "resize_to",     cJSON_CreateIntArray(c->val.input_size, 2) },
        { "mean_bgr",      cJSON_CreateDoubleArray(normalize[0], 3) },
        { "deviation_bgr", cJSON_CreateDoubleArray(normalize[1], 3) },
        { "strides",       cJSON_CreateIntArray(m->shape.strides.at, m->shape.strides.count) },
        { "reg_max",       cJSON_CreateNumber(m->shape.reg_max) },
        { "prior_offset",  cJSON_CreateNumber(grid.offset) },
        { "folded",        cJSON_CreateBool(folded) } };
    bool ok = tensors_add_metadata(t, "format", "nanodet", err);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ok = ok && add_list(t, rows[i].key, rows[i].list, err);
        cJSON_Delete(rows[i].list);
    }
    return ok;
}

/* ---- formats ---- */

static bool halve(struct tensors *t, struct error *err)
{
    for (int i = 0; i < t->count; i++) {
        struct tensor *one = &t->list[i];
        const float *from = (const float *)(const void *)one->data;
        uint16_t *to = tensors_block(t, tensor_count(one), sizeof *to, err);
        if (!to)
            return false;
        for (size_t k = 0; k < tensor_count(one); k++) {
            to[k] = half_of(from[k]);
            if ((to[k] & 0x7c00) == 0x7c00)
                return fail(err, "%s: %g is too large for 16 bits", one->name, (double)from[k]);
        }
        one->dtype = DTYPE_F16;
        one->data = (const unsigned char *)to;
    }
    return true;
}

static bool write_safetensors(struct model *m, const char *path, const struct export_options *o, struct error *err)
{
    struct inference needs = {0};
    struct tensors t = {0};
    struct text description = {0};
    real *folded = new_array((size_t)m->params.total, sizeof *folded, err);
    bool ok = folded && inference_of(&needs, m, err);
    if (ok && o->fold)
        fold_norms(&needs, &m->params, m->params.value, folded);
    ok = ok && inference_give(&needs, &m->params, o->fold ? folded : m->params.value, o->fold, &t, err)
      && (!o->half || halve(&t, err)) && add_metadata(m, o->fold, &t, err)
      && file_config_text(m->config, &description, err) && file_config_add(description.s, &t, err)
      && safetensors_write(path, &t, err);
    text_free(&description);
    tensors_free(&t);
    inference_free(&needs);
    free(folded);
    return ok;
}

static bool make_network(struct model *m, const struct export_options *o, struct network *net, struct error *err)
{
    return model_network(m, m->params.value, net, err) && add_metadata(m, o->fold, &net->weights, err)
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
    { "safetensors", .ending = ".safetensors", .write = write_safetensors },
    { "onnx", .ending = ".onnx", .runs_alone = true, .write = write_onnx },
    { "ncnn", .ending = ".param", .must_end = true, .beside = ".bin", .write = write_ncnn },
    {0} };

/* ---- files ---- */

/* The path with `middle` before its ending, which is replaced if `ending` is not NULL; free() it. */
static char *renamed(const char *path, const char *middle, const char *ending, struct error *err)
{
    const int stem = path_stem(path);
    struct text name = {0};
    text_add(&name, "%.*s%s%s", stem, path, middle, ending ? ending : path + stem);
    if (text_ok(&name, err))
        return name.s;
    text_free(&name);
    return NULL;
}

static bool move(const char *from, const char *to, struct error *err)
{
    return rename(from, to) == 0 || fail(err, "%s: %s", to, strerror(errno));
}

static bool replaceable(const char *path, struct error *err)
{
    return file_replaceable(path) || fail(err, "%s: is no ordinary file", path);
}

bool model_export(struct model *m, const char *path, const struct export_format *format,
                  const struct export_options *o, struct verification *v, struct error *err)
{
    const double tolerance = o->half ? 0.05 : 1e-4;
    if (format->must_end && (!ends_in(path, format->ending) || path_stem(path) == 0))
        return misuse(err, "%s: a file of %s must end in %s", path, format->name, format->ending);
    char *part = renamed(path, ".part", NULL, err);
    char *beside = format->beside ? renamed(path, "", format->beside, err) : NULL;
    char *beside_part = format->beside ? renamed(path, ".part", format->beside, err) : NULL;
    const bool ok = part && (!format->beside || (beside && beside_part && replaceable(beside, err)))
                 && replaceable(path, err) && format->write(m, part, o, err)
                 && model_verify(m, part, tolerance, o->threads, v, err)
                 && (!beside || move(beside_part, beside, err)) && move(part, path, err);
    if (!ok && part)
        unlink(part);
    if (!ok && beside_part)
        unlink(beside_part);
    free(part);
    free(beside);
    free(beside_part);
    return ok;
}
