#include "graph/params.h"

#include "base/hash.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/strbuf.h"
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void params_free(struct params *params)
{
    for (int i = 0; i < params->count; i++)
        free(params->list[i].name);
    free(params->list);
    free(params->value);
    *params = (struct params){0};
}

int params_find(const struct params *params, const char *name)
{
    for (int i = 0; i < params->count; i++)
        if (strcmp(params->list[i].name, name) == 0)
            return i;
    return -1;
}

static bool same_shape(struct shape a, struct shape b)
{
    return a.n == b.n && a.h == b.h && a.w == b.w && a.c == b.c;
}

int params_declare(struct params *params, const char *name, struct shape shape, int rank, enum param_kind kind,
                   struct init init, struct error *err)
{
    const int known = params_find(params, name);
    if (known >= 0) {
        if (same_shape(params->list[known].shape, shape))
            return known;
        fail(err, "%s: declared with two shapes", name);
        return -1;
    }
    if (params->value) {
        fail(err, "%s: the model has no such parameter", name);
        return -1;
    }
    size_t count;
    if (!checked_mul((size_t)shape.n, (size_t)shape.h, &count) || !checked_mul(count, (size_t)shape.w, &count)
        || !checked_mul(count, (size_t)shape.c, &count) || count == 0 || count > INT32_MAX) {
        fail(err, "%s: %d x %d x %d x %d is not a size for a parameter", name, shape.n, shape.h, shape.w, shape.c);
        return -1;
    }
    if (!grow_array(&params->list, params->count, &params->capacity, sizeof *params->list, err))
        return -1;
    char *copy = new_text(name, err);
    if (!copy)
        return -1;
    params->list[params->count] = (struct param){
        .name = copy, .shape = shape, .rank = rank, .kind = kind, .init = init, .count = (ptrdiff_t)count };
    return params->count++;
}

static void init_param(const struct param *p, uint64_t seed, real *value)
{
    struct random r = random_of(seed, hash_bytes(HASH_START, p->name, strlen(p->name)), 0);
    for (ptrdiff_t i = 0; i < p->count; i++)
        value[p->offset + i] = (real)(p->init.kind == INIT_NORMAL ? p->init.a * random_normal(&r)
                                    : p->init.kind == INIT_UNIFORM ? random_range(&r, -p->init.a, p->init.a)
                                    : p->init.a);
}

static bool freeze_prefix(struct params *params, const char *prefix, struct error *err)
{
    int frozen = 0;
    for (int i = 0; i < params->count; i++)
        if (starts_with(params->list[i].name, prefix)) {
            if (params->list[i].kind == PARAM_TRAINED)
                params->list[i].kind = PARAM_FROZEN;
            frozen++;
        }
    return frozen || misuse(err, "model.freeze: no parameter's name starts with '%s'", prefix);
}

bool params_layout(struct params *params, const char *const *freeze, int freeze_count, struct error *err)
{
    assert(!params->value);                             /* invariant 1: laid out once */
    for (int i = 0; i < freeze_count; i++)
        if (!freeze_prefix(params, freeze[i], err))
            return false;
    params->total = 0;
    for (int kind = PARAM_TRAINED; kind <= PARAM_BUFFER; kind++) {
        for (int i = 0; i < params->count; i++) {
            struct param *p = &params->list[i];
            if (p->kind != (enum param_kind)kind)
                continue;
            p->offset = params->total;
            params->total += (p->count + PARAM_ALIGN - 1) / PARAM_ALIGN * PARAM_ALIGN;
        }
        if (kind == PARAM_TRAINED)
            params->trained = params->total;
    }
    params->value = new_array((size_t)params->total, sizeof *params->value, err);
    return params->value != NULL;
}

void params_init(const struct params *params, uint64_t seed)
{
    for (int i = 0; i < params->count; i++)
        init_param(&params->list[i], seed, params->value);
}

const struct param *params_find_nonfinite(const struct params *params, const real *array, ptrdiff_t length)
{
    for (int i = 0; i < params->count; i++) {
        const struct param *p = &params->list[i];
        for (ptrdiff_t k = p->offset; k < p->offset + p->count && k < length; k++)
            if (!isfinite(array[k]))
                return p;
    }
    return NULL;
}

int param_dims(const struct param *p, size_t dims[4])
{
    const size_t n = (size_t)p->shape.n, h = (size_t)p->shape.h, w = (size_t)p->shape.w, c = (size_t)p->shape.c;
    const size_t all[][4] = { {0}, { c }, { n, c }, { n, 1, c }, { n, c, h, w } };
    memcpy(dims, all[p->rank], sizeof all[0]);
    return p->rank;
}

/* Per output, taps precede channels here and follow them in files. */
void param_to_file(const struct param *p, const real *array, float *out)
{
    const ptrdiff_t c = p->shape.c, taps = (ptrdiff_t)p->shape.h * p->shape.w;
    const real *from = array + p->offset;
    for (int o = 0; o < p->shape.n; o++, out += c * taps)
        for (ptrdiff_t t = 0; t < taps; t++)
            for (ptrdiff_t i = 0; i < c; i++)
                out[i * taps + t] = (float)*from++;
}

void param_from_file(const struct param *p, const float *in, real *array)
{
    const ptrdiff_t c = p->shape.c, taps = (ptrdiff_t)p->shape.h * p->shape.w;
    real *to = array + p->offset;
    for (int o = 0; o < p->shape.n; o++, in += c * taps)
        for (ptrdiff_t t = 0; t < taps; t++)
            for (ptrdiff_t i = 0; i < c; i++)
                *to++ = (real)in[i * taps + t];
}
