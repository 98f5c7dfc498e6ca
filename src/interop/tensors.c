#include "interop/tensors.h"

#include "base/file.h"
#include "base/memory.h"
#include <stdlib.h>
#include <string.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "weight files are little-endian and are read without swapping"
#endif

static const struct { const char *name; size_t bytes; } dtypes[] = {
    [DTYPE_NONE] = { "none", 0 },
    [DTYPE_BOOL] = { "BOOL", 1 }, [DTYPE_U8] = { "U8", 1 },     [DTYPE_I8] = { "I8", 1 },
    [DTYPE_U16] = { "U16", 2 },   [DTYPE_I16] = { "I16", 2 },   [DTYPE_U32] = { "U32", 4 },
    [DTYPE_I32] = { "I32", 4 },   [DTYPE_U64] = { "U64", 8 },   [DTYPE_I64] = { "I64", 8 },
    [DTYPE_F16] = { "F16", 2 },   [DTYPE_BF16] = { "BF16", 2 }, [DTYPE_F32] = { "F32", 4 },
    [DTYPE_F64] = { "F64", 8 } };

const char *dtype_name(enum dtype dtype) { return dtypes[dtype].name; }
size_t dtype_bytes(enum dtype dtype)     { return dtypes[dtype].bytes; }

enum dtype dtype_of(const char *name)
{
    for (int i = DTYPE_F64; name && i > DTYPE_NONE; i--)
        if (strcmp(dtypes[i].name, name) == 0)
            return (enum dtype)i;
    return DTYPE_NONE;
}

void tensors_free(struct tensors *t)
{
    for (int i = 0; i < t->count; i++)
        free(t->list[i].name);
    for (int i = 0; i < t->metadata_count; i++) {
        free(t->metadata[i].key);
        free(t->metadata[i].value);
    }
    for (int i = 0; i < t->block_count; i++)
        free(t->blocks[i]);
    free(t->list);
    free(t->by_name);
    free(t->metadata);
    free(t->blocks);
    bytes_free(&t->file);
    *t = (struct tensors){0};
}

bool tensors_add_named(struct tensors *t, const char *name, const struct tensor *tensor, struct error *err)
{
    size_t bytes = dtype_bytes(tensor->dtype);
    for (int i = 0; i < tensor->rank; i++)
        if (!checked_mul(bytes, tensor->dims[i], &bytes))
            return fail(err, "%s: its size does not fit in %zu bytes", name, sizeof bytes);
    if (!grow_array(&t->list, t->count, &t->capacity, sizeof *t->list, err))
        return false;
    t->list[t->count] = *tensor;
    t->list[t->count].name = new_text(name, err);
    return t->list[t->count].name && ++t->count;
}

bool tensors_add(struct tensors *t, const struct tensor *tensor, struct error *err)
{
    return tensors_add_named(t, tensor->name, tensor, err);
}

bool tensors_add_constant(struct tensors *t, const char *name, size_t count, double number, struct error *err)
{
    float *data = tensors_block(t, count, sizeof *data, err);
    for (size_t i = 0; data && i < count; i++)
        data[i] = (float)number;
    const struct tensor constant = { .dtype = DTYPE_F32, .rank = 1, .dims = { count },
                                     .data = (const unsigned char *)data };
    return data && tensors_add_named(t, name, &constant, err);
}

bool tensor_rename(struct tensor *t, const char *name, struct error *err)
{
    char *copy = new_text(name, err);
    if (!copy)
        return false;
    free(t->name);
    t->name = copy;
    return true;
}

static int by_name(const void *a, const void *b)
{
    const struct tensor *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

bool tensors_index(struct tensors *t, const char *path, struct error *err)
{
    free(t->by_name);
    t->by_name = new_array((size_t)t->count, sizeof *t->by_name, err);
    if (!t->by_name)
        return false;
    for (int i = 0; i < t->count; i++)
        t->by_name[i] = &t->list[i];
    qsort(t->by_name, (size_t)t->count, sizeof *t->by_name, by_name);
    for (int i = 1; i < t->count; i++)
        if (by_name(&t->by_name[i - 1], &t->by_name[i]) == 0)
            return fail(err, "%s: there are two tensors %s", path, t->by_name[i]->name);
    return true;
}

static int name_order(const void *name, const void *tensor)
{
    const struct tensor *const *t = tensor;
    return strcmp(name, (*t)->name);
}

const struct tensor *tensors_find(const struct tensors *t, const char *name)
{
    if (t->count == 0)
        return NULL;
    struct tensor **found = bsearch(name, t->by_name, (size_t)t->count, sizeof *t->by_name, name_order);
    return found ? *found : NULL;
}

void *tensors_block(struct tensors *t, size_t count, size_t size, struct error *err)
{
    if (!grow_array(&t->blocks, t->block_count, &t->block_capacity, sizeof *t->blocks, err))
        return NULL;
    void *p = new_array(count, size, err);
    if (p)
        t->blocks[t->block_count++] = p;
    return p;
}

bool tensors_add_metadata(struct tensors *t, const char *key, const char *value, struct error *err)
{
    if (!grow_array(&t->metadata, t->metadata_count, &t->metadata_capacity, sizeof *t->metadata, err))
        return false;
    const struct metadata m = { new_text(key, err), new_text(value, err) };
    t->metadata[t->metadata_count++] = m;
    return m.key && m.value;
}

const char *tensors_metadata(const struct tensors *t, const char *key)
{
    for (int i = 0; i < t->metadata_count; i++)
        if (strcmp(t->metadata[i].key, key) == 0)
            return t->metadata[i].value;
    return NULL;
}

size_t tensor_count(const struct tensor *t)
{
    size_t n = 1;
    for (int i = 0; i < t->rank; i++)
        n *= t->dims[i];                                /* fits: tensors_add has seen to it */
    return n;
}

size_t tensor_bytes(const struct tensor *t) { return tensor_count(t) * dtype_bytes(t->dtype); }

static float float_of_bits(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static uint32_t bits_of_float(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

static float float_of_half(uint16_t half)
{
    const uint32_t sign = (half & 0x8000u) << 16, exponent = half >> 10 & 31, mantissa = half & 1023;
    if (exponent == 0)                                  /* zero and subnormals: a multiple of 2^-24 */
        return float_of_bits(sign | bits_of_float((float)mantissa * 0x1p-24f));
    return float_of_bits(sign | (exponent == 31 ? 255 : exponent + 127 - 15) << 23 | mantissa << 13);
}

uint16_t half_of(float f)
{
    const uint32_t bits = bits_of_float(f), sign = bits >> 16 & 0x8000, size = bits & 0x7fffffff;
    uint32_t half;
    if (size > 0x7f800000)
        half = 0x7e00;                                  /* NaN */
    else if (size >= bits_of_float(65520))              /* halfway from the largest to 2^16 */
        half = 0x7c00;
    else if (size < bits_of_float(0x1p-14f))            /* in [0.5, 1) the last bit is 2^-24: the sum rounds */
        half = bits_of_float(float_of_bits(size) + 0.5f) - bits_of_float(0.5f);
    else
        half = (size - ((127 - 15) << 23) + 0xfff + (size >> 13 & 1)) >> 13;
    return (uint16_t)(sign | half);
}

/* The element at p. */
static double number(enum dtype dtype, const unsigned char *p)
{
    union { int8_t i8; uint16_t u16; int16_t i16; uint32_t u32; int32_t i32; uint64_t u64; int64_t i64;
            float f32; double f64; } v;
    memcpy(&v, p, dtype_bytes(dtype));
    switch (dtype) {
    case DTYPE_BOOL: return *p != 0;
    case DTYPE_U8:   return *p;
    case DTYPE_I8:   return v.i8;
    case DTYPE_U16:  return v.u16;
    case DTYPE_I16:  return v.i16;
    case DTYPE_U32:  return v.u32;
    case DTYPE_I32:  return v.i32;
    case DTYPE_U64:  return (double)v.u64;
    case DTYPE_I64:  return (double)v.i64;
    case DTYPE_F16:  return (double)float_of_half(v.u16);
    case DTYPE_BF16: return (double)float_of_bits((uint32_t)v.u16 << 16);
    case DTYPE_F32:  return (double)v.f32;
    case DTYPE_F64:  return v.f64;
    case DTYPE_NONE: break;
    }
    return 0;
}

void tensor_floats(const struct tensor *t, float *out)
{
    const size_t count = tensor_count(t), bytes = dtype_bytes(t->dtype);
    if (t->dtype == DTYPE_F32 && count)
        memcpy(out, t->data, tensor_bytes(t));
    else
        for (size_t i = 0; i < count; i++)
            out[i] = (float)number(t->dtype, t->data + i * bytes);
}

void tensor_doubles(const struct tensor *t, double *out)
{
    const size_t count = tensor_count(t), bytes = dtype_bytes(t->dtype);
    for (size_t i = 0; i < count; i++)
        out[i] = number(t->dtype, t->data + i * bytes);
}
