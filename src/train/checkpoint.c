#include "train/checkpoint.h"

#include "base/memory.h"
#include "base/strbuf.h"
#include "base/string_list.h"
#include "base/table.h"
#include "interop/safetensors.h"
#include "interop/weights_file.h"
#include "weights/file_config.h"
#include "weights/weights.h"
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- tensors ---- */

/* The parameters that have moments.  The caller frees the list; its content is borrowed. */
static bool trained_params(const struct params *all, struct params *trained, struct error *err)
{
    *trained = (struct params){ .list = new_array((size_t)all->count, sizeof *trained->list, err) };
    for (int i = 0; trained->list && i < all->count; i++)
        if (all->list[i].kind == PARAM_TRAINED)
            trained->list[trained->count++] = all->list[i];
    return trained->list != NULL;
}

/* An array of `length` elements that a checkpoint contains; array NULL: this optimizer has none. */
struct tensor_section { const char *prefix; const struct params *params; float *array; ptrdiff_t length; };
enum { SECTIONS = 4 };

static void fill_sections(const struct optimizer *o, const struct params *trained, struct tensor_section out[SECTIONS])
{
    const struct params *all = o->params;
    out[0] = (struct tensor_section){ "", all, all->value, all->total };
    out[1] = (struct tensor_section){ "ema.", all, o->average, all->total };
    out[2] = (struct tensor_section){ "moment1.", trained, o->moment1, all->trained };
    out[3] = (struct tensor_section){ "moment2.", trained, o->moment2, all->trained };
}

static bool all_finite(const char *path, const struct optimizer *o, struct error *err)
{
    struct tensor_section sections[SECTIONS];
    bool ok = true;
    fill_sections(o, o->params, sections);
    for (int i = 0; ok && i < SECTIONS; i++) {
        const struct tensor_section *s = &sections[i];
        const struct param *p = s->array ? params_find_nonfinite(o->params, s->array, s->length) : NULL;
        ok = !p || fail(err, "after %ld steps %s%s has an element that is not finite: %s is not written, a former one "
                        "stays; try a lower schedule.optimizer.lr, a longer schedule.warmup or grad_clip", o->step,
                        s->prefix, p->name, path);
    }
    return ok;
}

static bool add_tensors(const struct optimizer *o, struct tensors *t, struct error *err)
{
    struct params trained;
    struct tensor_section sections[SECTIONS];
    bool ok = trained_params(o->params, &trained, err);
    fill_sections(o, &trained, sections);
    for (int i = 0; ok && i < SECTIONS; i++)
        ok = !sections[i].array
          || weights_to_tensors(sections[i].params, sections[i].array, sections[i].prefix, t, err);
    free(trained.list);
    return ok;
}

/* Reads the tensors with the prefix of a section into its array.  Every parameter needs one, of its shape. */
static bool read_section(const struct tensor_section *s, const struct tensors *all, const char *path, struct error *err)
{
    struct tensors selected = {0};
    struct weights_report report = {0};
    const size_t length = strlen(s->prefix);
    bool ok = true;
    for (int i = 0; ok && i < all->count; i++) {
        struct tensor t = all->list[i];
        t.name += length;
        ok = strncmp(all->list[i].name, s->prefix, length) != 0 || tensors_add(&selected, &t, err);
    }
    ok = ok && weights_from_tensors(s->params, &selected, "", s->array, &report, err);
    if (ok && report.misfit.count)
        ok = fail(err, "%s: %s%s", path, s->prefix, report.misfit.list[0]);
    if (ok && report.missing.count)
        ok = fail(err, "%s: no tensor %s%s", path, s->prefix, report.missing.list[0]);
    weights_report_free(&report);
    tensors_free(&selected);
    return ok;
}

static bool read_tensors(const struct optimizer *o, const struct tensors *t, const char *path, struct error *err)
{
    struct params trained;
    struct tensor_section sections[SECTIONS];
    bool ok = trained_params(o->params, &trained, err);
    fill_sections(o, &trained, sections);
    for (int i = 0; ok && i < SECTIONS; i++)
        ok = !sections[i].array || read_section(&sections[i], t, path, err);
    free(trained.list);
    return ok;
}

/* ---- counters ---- */

enum { STEP, UPDATES, EPOCH, BATCH, IMAGES, BEST, BEST_EPOCH, COUNTERS };
static const struct counter_spec { const char *name; double min, max; bool real; } counters[] = {
    [STEP]    = { "step", 0, 1e15, false },         [UPDATES] = { "updates", 0, 1e15, false },
    [EPOCH]   = { "epoch", 0, INT_MAX - 1, false }, [BATCH] = { "batch", 0, INT_MAX, false },
    [IMAGES]  = { "images", 1, INT_MAX, false },    [BEST_EPOCH] = { "best_epoch", 0, INT_MAX, false },
    [BEST]    = { "best", -1, 1, true },
    [COUNTERS] = { "score", -1, 1, true },          /* of the best model, as is the next one */
    { "score_threshold", 0, 1, true },
    {0} };

static bool add_digest(struct tensors *t, const char *key, uint64_t digest, struct error *err)
{
    char digits[20];
    snprintf(digits, sizeof digits, "%016" PRIx64, digest);
    return tensors_add_metadata(t, key, digits, err);
}

static bool add_digests(const struct run_state *s, struct tensors *t, struct error *err)
{
    return add_digest(t, "data.train", s->data[0], err) && add_digest(t, "data.val", s->data[1], err)
        && (!s->teacher || add_digest(t, "teacher", s->teacher, err));
}

/* Sets 0 if there is none. */
static bool read_digest(uint64_t *digest, const struct tensors *t, const char *key, const char *path, struct error *err)
{
    const char *digits = tensors_metadata(t, key);
    if (digits && (strlen(digits) != 16 || strspn(digits, "0123456789abcdef") != 16))
        return reject(err, "%s: metadata '%s' is '%.40s', not 16 hexadecimal digits", path, key, digits);
    *digest = digits ? strtoull(digits, NULL, 16) : 0;
    return true;
}

/* Files of older versions have no digests. */
static bool read_digests(struct run_state *s, const struct tensors *t, const char *path, struct error *err)
{
    return read_digest(&s->data[0], t, "data.train", path, err) && read_digest(&s->data[1], t, "data.val", path, err)
        && read_digest(&s->teacher, t, "teacher", path, err);
}

static bool add_counters(const struct optimizer *o, const struct run_state *s, struct tensors *t, struct error *err)
{
    const double values[COUNTERS] = {
        [STEP] = (double)o->step, [UPDATES] = (double)o->updates, [EPOCH] = o->epoch, [BATCH] = s->batch,
        [IMAGES] = s->images, [BEST] = s->best, [BEST_EPOCH] = s->best_epoch };
    struct strbuf rates = {0};
    bool ok = true;
    for (int i = 0; ok && i < COUNTERS; i++) {
        char digits[40];
        snprintf(digits, sizeof digits, "%.17g", values[i]);
        ok = tensors_add_metadata(t, counters[i].name, digits, err);
    }
    for (int i = 0; i < o->rate_count; i++)
        strbuf_addf(&rates, "%s%.17g", i ? " " : "", o->rates[i].current);
    ok = ok && (!o->rate_count || strbuf_check(&rates, err))
      && tensors_add_metadata(t, "rates", rates.s ? rates.s : "", err);
    strbuf_free(&rates);
    return ok;
}

/* Parses a decimal number, without a sign or fraction unless it is real, and moves *text behind it. */
static bool parse_number(const char **text, const struct counter_spec *n, double *out)
{
    const size_t length = strspn(*text, n->real ? "0123456789+-.e" : "0123456789");
    const char *end = *text + length;
    char *stop;
    *out = strtod(*text, &stop);
    *text = end;
    return length > 0 && stop == end && *out >= n->min && *out <= n->max;
}

bool checkpoint_number(const char *name, const char *text, double *number, struct error *err)
{
    const struct counter_spec *n = find_row(name, counters, sizeof *counters);
    const char *rest = text;
    return (parse_number(&rest, n, number) && !*rest)
        || reject(err, "metadata '%s' is '%.40s', not a %s from %.0f to %.0f", name, text,
                  n->real ? "number" : "whole number", n->min, n->max);
}

static bool read_rates(struct optimizer *o, const char *text)
{
    static const struct counter_spec rate = { "rate", -1e30, 1e30, true };
    bool ok = text != NULL;
    for (int i = 0; ok && i < o->rate_count; i++)
        ok = (i == 0 || *text++ == ' ') && parse_number(&text, &rate, &o->rates[i].current);
    return ok && !*text;
}

static bool read_counters(struct optimizer *o, struct run_state *s, const struct tensors *t, const char *path,
                          struct error *err)
{
    double v[COUNTERS];
    for (int i = 0; i < COUNTERS; i++) {
        const char *text = tensors_metadata(t, counters[i].name);
        struct error cause;
        if (!text)
            return reject(err, "%s: no state of a training: metadata '%s' is missing", path, counters[i].name);
        if (!checkpoint_number(counters[i].name, text, &v[i], &cause))
            return reject(err, "%s: no state of a training: %s", path, cause.text);
    }
    if (!read_rates(o, tensors_metadata(t, "rates")))
        return reject(err, "%s: metadata 'rates' does not hold %d numbers with a blank between them", path,
                      o->rate_count);
    o->step = (long)v[STEP];
    o->updates = (long)v[UPDATES];
    o->epoch = (int)v[EPOCH];
    *s = (struct run_state){ (int)v[BATCH], (int)v[IMAGES], v[BEST], (int)v[BEST_EPOCH], {0}, 0 };
    return read_digests(s, t, path, err);
}

/* ---- files ---- */

bool checkpoint_write(const char *path, const struct optimizer *o, const struct run_state *s, const char *description,
                      struct error *err)
{
    struct tensors t = {0};
    const bool ok = all_finite(path, o, err) && add_counters(o, s, &t, err) && add_digests(s, &t, err)
                 && file_config_add(description, &t, err) && add_tensors(o, &t, err)
                 && safetensors_write(path, &t, err);
    tensors_free(&t);
    return ok;
}

bool checkpoint_read(const char *path, struct optimizer *o, struct run_state *s, struct string_list *notes,
                     struct error *err)
{
    struct tensors t = {0};
    const bool ok = safetensors_read(&t, path, err) && read_counters(o, s, &t, path, err)
                 && read_tensors(o, &t, path, err) && file_config_note_missing(&t, path, notes, err);
    tensors_free(&t);
    return ok;
}

bool checkpoint_write_best(const char *path, const struct optimizer *o, const struct run_state *s,
                           const char *description, double threshold, struct error *err)
{
    struct tensors t = {0};
    char epoch[20], score[40];
    snprintf(epoch, sizeof epoch, "%d", s->best_epoch);
    snprintf(score, sizeof score, "%.17g", s->best);
    const bool ok = all_finite(path, o, err) && tensors_add_metadata(&t, "epoch", epoch, err)
                 && tensors_add_metadata(&t, "score", score, err)
                 && weights_add_threshold(threshold, &t, err)
                 && file_config_add(description, &t, err)
                 && weights_to_tensors(o->params, o->average ? o->average : o->params->value, "", &t, err)
                 && safetensors_write(path, &t, err);
    tensors_free(&t);
    return ok;
}

bool checkpoint_threshold(const char *path, double *threshold, struct error *err)
{
    struct tensors t = {0};
    struct network net = {0};
    struct error why;
    bool ok = weights_file_read(&t, &net, path, err);
    const char *text = ok ? tensors_metadata(net.count ? &net.weights : &t, "score_threshold") : NULL;
    *threshold = -1;
    if (text && !checkpoint_number("score_threshold", text, threshold, &why))
        ok = reject(err, "%s: %s", path, why.text);
    tensors_free(&t);
    network_free(&net);
    return ok;
}
