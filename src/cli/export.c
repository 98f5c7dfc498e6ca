/* cli/export.c -- the network that detects, without what only training needs, in a file of its own. */
#include "base/memory.h"
#include "base/random.h"
#include "base/table.h"
#include "cli/commands.h"
#include "cli/session.h"
#include "interop/safetensors.h"
#include "model/criterion.h"
#include "model/detector.h"
#include "model/fold.h"
#include "model/load.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct option export_options[] = {
    { "weights", "FILE", NULL,          "the model's weights, whatever their format (default: schedule.load_model)" },
    { "out",     "PATH", NULL,          "where to write" },
    { "format",  "NAME", "safetensors", "safetensors; onnx and ncnn are not in this version" },
    { "fp16",    NULL,   NULL,          "numbers of 16 bits" },
    { "no-fold", NULL,   NULL,          "leave batch norms apart from the convolutions before them" },
    {0} };

struct export { struct session *session; const char *out; bool half, fold; };

/* ---- writing ---- */

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

static bool add_list(struct tensors *t, const char *key, const cJSON *list, struct error *err)
{
    char *text = list ? cJSON_PrintUnformatted(list) : NULL;
    const bool ok = text ? tensors_add_metadata(t, key, text, err) : fail(err, "out of memory for metadata");
    cJSON_free(text);
    return ok;
}

/* What a program needs besides the weights to detect with them. */
static bool add_metadata(const struct export *e, struct tensors *t, struct error *err)
{
    const struct config *c = &e->session->config;
    const struct head_config *head = &e->session->model.shape;
    const double (*normalize)[3] = c->val.pipeline.normalize;
    const struct { const char *key; cJSON *list; } rows[] = {
        { "class_names",   cJSON_CreateStringArray(c->class_names.at, c->class_names.count) },
        { "input_size",    cJSON_CreateIntArray(c->val.input_size, 2) },
        { "mean_bgr",      cJSON_CreateDoubleArray(normalize[0], 3) },
        { "deviation_bgr", cJSON_CreateDoubleArray(normalize[1], 3) },
        { "strides",       cJSON_CreateIntArray(head->strides.at, head->strides.count) },
        { "reg_max",       cJSON_CreateNumber(head->reg_max) },
        { "folded",        cJSON_CreateBool(e->fold) } };
    bool ok = tensors_add_metadata(t, "format", "nanodet", err);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ok = ok && add_list(t, rows[i].key, rows[i].list, err);
        cJSON_Delete(rows[i].list);
    }
    return ok;
}

static bool write_safetensors(const struct export *e, const char *path, struct error *err)
{
    struct model *model = &e->session->model;
    const struct params *params = &model->params;
    struct inference needs = {0};
    struct tensors t = {0};
    real *folded = new_array((size_t)params->total, sizeof *folded, err);
    bool ok = folded && inference_of(&needs, model, err);
    if (ok && e->fold)
        fold_norms(&needs, params, params->value, folded);
    ok = ok && inference_give(&needs, params, e->fold ? folded : params->value, e->fold, &t, err)
      && (!e->half || halve(&t, err)) && add_metadata(e, &t, err) && safetensors_write(path, &t, err);
    tensors_free(&t);
    inference_free(&needs);
    free(folded);
    return ok;
}

/* ---- reading back ---- */

/* The prediction for a generated image, a copy; NULL on failure. */
static float *predict(struct model *model, const real *values, int threads, size_t *count, struct error *err)
{
    const int w = padded_side(model->config->val.input_size[0]), h = padded_side(model->config->val.input_size[1]);
    struct random random = random_of(0, 0, 0);
    struct prior_grid grid;
    struct detector detector = {0};
    float *pixel = new_array(3 * (size_t)w * (size_t)h, sizeof *pixel, err), *out = NULL;
    for (ptrdiff_t i = 0; pixel && i < (ptrdiff_t)3 * w * h; i++)
        pixel[i] = (float)random_normal(&random);
    const float *rows = pixel && detector_init(&detector, model, values, threads, err)
                            && criterion_grid(model, 1, h, w, &grid, err)
                      ? detector_forward(&detector, pixel, 1, h, w, err) : NULL;
    if (rows) {
        *count = (size_t)prior_count(&grid) * (size_t)(model->shape.num_classes + 4 * (model->shape.reg_max + 1));
        out = new_array(*count, sizeof *out, err);
    }
    if (out)
        memcpy(out, rows, *count * sizeof *out);
    detector_free(&detector);
    free(pixel);
    return out;
}

static bool compare(const struct export *e, const char *path, const float *want, const float *have, size_t count,
                    struct error *err)
{
    const double tolerance = e->half ? 0.05 : 1e-4;
    double worst = 0, largest = 0;
    for (size_t i = 0; i < count; i++) {
        const double off = fabs((double)have[i] - want[i]);
        worst = off <= worst ? worst : off;
        largest = fmax(largest, fabs((double)want[i]));
    }
    if (!(worst <= tolerance * largest))
        return fail(err, "%s: what was written detects otherwise: outputs up to %g differ by %g", path, largest, worst);
    fprintf(stderr, "%s: read back, outputs up to %.3g differ by at most %.2g\n", e->out, largest, worst);
    return true;
}

static bool verify(const struct export *e, const char *path, int threads, struct error *err)
{
    struct model *model = &e->session->model;
    struct names notes = {0};
    size_t count = 0;
    real *again = new_array((size_t)model->params.total, sizeof *again, err);
    float *want = again && model_load(model, path, LOAD_TO_RUN, again, &notes, err)
                ? predict(model, model->params.value, threads, &count, err) : NULL;
    float *have = want ? predict(model, again, threads, &count, err) : NULL;
    const bool ok = have && compare(e, path, want, have, count, err);
    names_free(&notes);
    free(again);
    free(want);
    free(have);
    return ok;
}

/* The file gets its name once it is known to be good. */
static bool write_verified(const struct export *e, bool (*write)(const struct export *, const char *, struct error *),
                           int threads, struct error *err)
{
    struct text part = {0};
    text_add(&part, "%s.part", e->out);
    bool ok = text_ok(&part, err) && write(e, part.s, err) && verify(e, part.s, threads, err)
           && (rename(part.s, e->out) == 0 || fail(err, "%s: %s", e->out, strerror(errno)));
    if (!ok && part.s)
        unlink(part.s);
    text_free(&part);
    return ok;
}

static const struct format {
    const char *name;
    bool (*write)(const struct export *, const char *path, struct error *);     /* NULL: not yet */
} formats[] = {
    { "safetensors", write_safetensors },
    { "onnx",        NULL },
    { "ncnn",        NULL },
    {0} };

bool export_run(const struct args *args, struct error *err)
{
    const char *name = args_text(args, "format");
    const struct format *format = find_row(name, formats, sizeof *formats);
    struct session session = {0};
    const struct export e = { &session, args_text(args, "out"), args_flag(args, "fp16"), !args_flag(args, "no-fold") };
    if (!format)
        return misuse(err, "export: --format %s: no such format; did you mean %s?", name,
                      nearest_name(name, formats, sizeof *formats));
    if (!format->write)
        return misuse(err, "export: --format %s is not in this version; safetensors is", name);
    if (!e.out)
        return misuse(err, "export: --out PATH must be given");
    const bool ok = session_open(&session, args, err) && session_load(&session, args, err)
                 && write_verified(&e, format->write, args->threads, err);
    session_close(&session);
    return ok;
}
