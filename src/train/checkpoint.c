#include "train/checkpoint.h"

#include "base/memory.h"
#include "base/strbuf.h"
#include "base/string_list.h"
#include "base/table.h"
#include "interop/safetensors.h"
#include "weights/file_config.h"
#include "weights/weights.h"
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- tensors ---- */

/* The parameters that have moments, as a model of their own; the list is new, all else borrowed. */
static bool trained_part(const struct params *all, struct params *part, struct error *err)
{
    *part = (struct params){ .list = new_array((size_t)all->count, sizeof *part->list, err) };
    for (int i = 0; part->list && i < all->count; i++)
        if (all->list[i].kind == PARAM_TRAINED)
            part->list[part->count++] = all->list[i];
    return part->list != NULL;
}

/* The arrays of a checkpoint, of so many numbers; array NULL: this optimizer has none. */
struct section { const char *prefix; const struct params *params; float *array; ptrdiff_t length; };
enum { SECTIONS = 4 };

static void sections_of(const struct optimizer *o, const struct params *trained, struct section out[SECTIONS])
{
    const struct params *all = o->params;
    out[0] = (struct section){ "", all, all->value, all->total };
    out[1] = (struct section){ "ema.", all, o->average, all->total };
    out[2] = (struct section){ "moment1.", trained, o->moment1, all->trained };
    out[3] = (struct section){ "moment2.", trained, o->moment2, all->trained };
}

static bool all_finite(const char *path, const struct optimizer *o, struct error *err)
{
    struct section sections[SECTIONS];
    bool ok = true;
    sections_of(o, o->params, sections);
    for (int i = 0; ok && i < SECTIONS; i++) {
        const struct section *s = &sections[i];
        const struct param *p = s->array ? params_find_nonfinite(o->params, s->array, s->length) : NULL;
        ok = !p || fail(err, "after %ld steps %s%s has an element that is not finite: %s is not written, a former one "
                        "stays; try a lower schedule.optimizer.lr, a longer schedule.warmup or grad_clip", o->step,
                        s->prefix, p->name, path);
    }
    return ok;
}

static bool give_all(const struct optimizer *o, struct tensors *t, struct error *err)
{
    struct params trained;
    struct section sections[SECTIONS];
    bool ok = trained_part(o->params, &trained, err);
    sections_of(o, &trained, sections);
    for (int i = 0; ok && i < SECTIONS; i++)
        ok = !sections[i].array || weights_give(sections[i].params, sections[i].array, sections[i].prefix, t, err);
    free(trained.list);
    return ok;
}

/* All tensors whose name starts with the prefix, under the rest of it; all must be there, and fit. */
static bool take_section(const struct section *s, const struct tensors *all, const char *path, struct error *err)
{
    struct tensors part = {0};
    struct weights_report report = {0};
    const size_t length = strlen(s->prefix);
    bool ok = true;
    for (int i = 0; ok && i < all->count; i++) {
        struct tensor t = all->list[i];
        t.name += length;
        ok = strncmp(all->list[i].name, s->prefix, length) != 0 || tensors_add(&part, &t, err);
    }
    ok = ok && weights_take(s->params, &part, "", s->array, &report, err);
    if (ok && report.misfit.count)
        ok = fail(err, "%s: %s%s", path, s->prefix, report.misfit.list[0]);
    if (ok && report.missing.count)
        ok = fail(err, "%s: no tensor %s%s", path, s->prefix, report.missing.list[0]);
    weights_report_free(&report);
    tensors_free(&part);
    return ok;
}

static bool take_all(const struct optimizer *o, const struct tensors *t, const char *path, struct error *err)
{
    struct params trained;
    struct section sections[SECTIONS];
    bool ok = trained_part(o->params, &trained, err);
    sections_of(o, &trained, sections);
    for (int i = 0; ok && i < SECTIONS; i++)
        ok = !sections[i].array || take_section(&sections[i], t, path, err);
    free(trained.list);
    return ok;
}

/* ---- numbers ---- */

enum { STEP, UPDATES, EPOCH, BATCH, IMAGES, BEST, BEST_EPOCH, NUMBERS };
static const struct number { const char *name; double min, max; bool real; } numbers[] = {
    [STEP]    = { "step", 0, 1e15, false },         [UPDATES] = { "updates", 0, 1e15, false },
    [EPOCH]   = { "epoch", 0, INT_MAX - 1, false }, [BATCH] = { "batch", 0, INT_MAX, false },
    [IMAGES]  = { "images", 1, INT_MAX, false },    [BEST_EPOCH] = { "best_epoch", 0, INT_MAX, false },
    [BEST]    = { "best", -1, 1, true },
    [NUMBERS] = { "score", -1, 1, true },           /* of the best model */
    {0} };

static const char *const digests[2] = { "data.train", "data.val" };      /* as 16 hexadecimal digits */

static bool give_digests(const struct run_state *s, struct tensors *t, struct error *err)
{
    bool ok = true;
    for (int i = 0; ok && i < 2; i++) {
        char digits[20];
        snprintf(digits, sizeof digits, "%016" PRIx64, s->data[i]);
        ok = tensors_add_metadata(t, digests[i], digits, err);
    }
    return ok;
}

/* Files of older versions have none. */
static bool take_digests(struct run_state *s, const struct tensors *t, const char *path, struct error *err)
{
    for (int i = 0; i < 2; i++) {
        const char *digits = tensors_metadata(t, digests[i]);
        if (digits && (strlen(digits) != 16 || strspn(digits, "0123456789abcdef") != 16))
            return reject(err, "%s: metadata '%s' is '%.40s', not 16 hexadecimal digits", path, digests[i], digits);
        s->data[i] = digits ? strtoull(digits, NULL, 16) : 0;
    }
    return true;
}

static bool give_numbers(const struct optimizer *o, const struct run_state *s, struct tensors *t, struct error *err)
{
    const double values[NUMBERS] = {
        [STEP] = (double)o->step, [UPDATES] = (double)o->updates, [EPOCH] = o->epoch, [BATCH] = s->batch,
        [IMAGES] = s->images, [BEST] = s->best, [BEST_EPOCH] = s->best_epoch };
    struct strbuf rates = {0};
    bool ok = true;
    for (int i = 0; ok && i < NUMBERS; i++) {
        char digits[40];
        snprintf(digits, sizeof digits, "%.17g", values[i]);
        ok = tensors_add_metadata(t, numbers[i].name, digits, err);
    }
    for (int i = 0; i < o->rate_count; i++)
        strbuf_add(&rates, "%s%.17g", i ? " " : "", o->rates[i].now);
    ok = ok && (!o->rate_count || strbuf_ok(&rates, err))
      && tensors_add_metadata(t, "rates", rates.s ? rates.s : "", err);
    strbuf_free(&rates);
    return ok;
}

/* Reads a number in plain decimal, without a sign or fraction unless it is real, and moves *text behind it. */
static bool read_number(const char **text, const struct number *n, double *out)
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
    const struct number *n = find_row(name, numbers, sizeof *numbers);
    const char *rest = text;
    return (read_number(&rest, n, number) && !*rest)
        || reject(err, "metadata '%s' is '%.40s', not a %s from %.0f to %.0f", name, text,
                  n->real ? "number" : "whole number", n->min, n->max);
}

static bool take_rates(struct optimizer *o, const char *text)
{
    static const struct number rate = { "rate", -1e30, 1e30, true };
    bool ok = text != NULL;
    for (int i = 0; ok && i < o->rate_count; i++)
        ok = (i == 0 || *text++ == ' ') && read_number(&text, &rate, &o->rates[i].now);
    return ok && !*text;
}

static bool take_numbers(struct optimizer *o, struct run_state *s, const struct tensors *t, const char *path,
                         struct error *err)
{
    double v[NUMBERS];
    for (int i = 0; i < NUMBERS; i++) {
        const char *text = tensors_metadata(t, numbers[i].name);
        struct error why;
        if (!text)
            return reject(err, "%s: no state of a training: metadata '%s' is missing", path, numbers[i].name);
        if (!checkpoint_number(numbers[i].name, text, &v[i], &why))
            return reject(err, "%s: no state of a training: %s", path, why.text);
    }
    if (!take_rates(o, tensors_metadata(t, "rates")))
        return reject(err, "%s: metadata 'rates' does not hold %d numbers with a blank between them", path,
                      o->rate_count);
    o->step = (long)v[STEP];
    o->updates = (long)v[UPDATES];
    o->epoch = (int)v[EPOCH];
    *s = (struct run_state){ (int)v[BATCH], (int)v[IMAGES], v[BEST], (int)v[BEST_EPOCH], {0} };
    return take_digests(s, t, path, err);
}

/* ---- files ---- */

bool checkpoint_write(const char *path, const struct optimizer *o, const struct run_state *s, const char *description,
                      struct error *err)
{
    struct tensors t = {0};
    const bool ok = all_finite(path, o, err) && give_numbers(o, s, &t, err) && give_digests(s, &t, err)
                 && file_config_add(description, &t, err) && give_all(o, &t, err) && safetensors_write(path, &t, err);
    tensors_free(&t);
    return ok;
}

bool checkpoint_read(const char *path, struct optimizer *o, struct run_state *s, struct string_list *notes,
                     struct error *err)
{
    struct tensors t = {0};
    const bool ok = safetensors_read(&t, path, err) && take_numbers(o, s, &t, path, err) && take_all(o, &t, path, err)
                 && file_config_note_missing(&t, path, notes, err);
    tensors_free(&t);
    return ok;
}

bool checkpoint_write_best(const char *path, const struct optimizer *o, const struct run_state *s,
                           const char *description, struct error *err)
{
    struct tensors t = {0};
    char epoch[20], score[40];
    snprintf(epoch, sizeof epoch, "%d", s->best_epoch);
    snprintf(score, sizeof score, "%.17g", s->best);
    const bool ok = all_finite(path, o, err) && tensors_add_metadata(&t, "epoch", epoch, err)
                 && tensors_add_metadata(&t, "score", score, err) && file_config_add(description, &t, err)
                 && weights_give(o->params, o->average ? o->average : o->params->value, "", &t, err)
                 && safetensors_write(path, &t, err);
    tensors_free(&t);
    return ok;
}
