/* interop/safetensors.c -- every number is the file's and is checked before it is used. */
#include "interop/safetensors.h"

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { HEADER_MAX = 1 << 24 };                  /* bytes of JSON; thousands of tensors take one of them */
static const char metadata_name[] = "__metadata__", checksum_name[] = "nanodet.crc32";

/* ---- the checksum ---- */

static unsigned long add_text(unsigned long crc, const char *text)
{
    return crc32_z(crc, (const unsigned char *)text, strlen(text) + 1);
}

static unsigned long tensor_crc(const struct tensor *t)
{
    unsigned long crc = add_text(add_text(0, t->name), dtype_name(t->dtype));
    for (int i = 0; i < t->rank; i++) {
        char digits[24];
        snprintf(digits, sizeof digits, "%zu", t->dims[i]);
        crc = add_text(crc, digits);
    }
    return tensor_bytes(t) ? crc32_z(crc, t->data, tensor_bytes(t)) : crc;
}

struct checksum { char digits[9]; };

static struct checksum checksum_of(const struct tensors *t)
{
    struct checksum sum;
    unsigned long total = 0;
    for (int i = 0; i < t->metadata_count; i++)
        if (strcmp(t->metadata[i].key, checksum_name) != 0)
            total += add_text(add_text(0, t->metadata[i].key), t->metadata[i].value);
    for (int i = 0; i < t->count; i++)
        total += tensor_crc(&t->list[i]);
    snprintf(sum.digits, sizeof sum.digits, "%08lx", total & 0xffffffff);
    return sum;
}

static bool verify(const struct tensors *t, const char *path, struct error *err)
{
    const char *written = tensors_metadata(t, checksum_name);
    return !written || strcmp(written, checksum_of(t).digits) == 0
        || reject(err, "%s: is damaged: its content does not have the checksum that was written with it; take another "
                  "copy of the file", path);
}

/* ---- reading ---- */

bool is_safetensors(struct bytes file)
{
    return file.size > sizeof(uint64_t) && file.p[sizeof(uint64_t)] == '{';
}

static bool index_metadata(struct tensors *out, const cJSON *list, const char *path, struct error *err)
{
    bool ok = cJSON_IsObject(list) || fail(err, "%s: %s is not an object", path, metadata_name);
    for (const cJSON *t = ok ? list->child : NULL; ok && t; t = t->next)
        ok = (cJSON_IsString(t) || fail(err, "%s: %s: %s is not a string", path, metadata_name, t->string))
          && tensors_add_metadata(out, t->string, t->valuestring, err);
    return ok;
}

static bool index_tensor(struct tensors *out, const cJSON *t, struct bytes data, const char *path, struct error *err)
{
    const cJSON *shape = cJSON_GetObjectItemCaseSensitive(t, "shape"), *extent;
    const cJSON *range = cJSON_GetObjectItemCaseSensitive(t, "data_offsets");
    const char *dtype = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(t, "dtype"));
    struct tensor found = { .name = t->string, .dtype = dtype_of(dtype) };
    size_t bytes = dtype_bytes(found.dtype), begin, end;
    if (bytes == 0)
        return fail(err, "%s: %s: unknown dtype %s", path, t->string, dtype ? dtype : "");
    bool fits = cJSON_IsArray(shape) && cJSON_GetArraySize(range) == 2;
    cJSON_ArrayForEach(extent, shape)
        fits = fits && found.rank < RANK_MAX && json_size(extent, &found.dims[found.rank])
            && checked_mul(bytes, found.dims[found.rank++], &bytes);
    if (!fits || !json_size(cJSON_GetArrayItem(range, 0), &begin) || !json_size(cJSON_GetArrayItem(range, 1), &end)
        || begin > end || end > data.size || end - begin != bytes)
        return fail(err, "%s: %s: shape or data_offsets do not fit %zu bytes of data", path, t->string, data.size);
    found.data = data.p + begin;
    return tensors_add(out, &found, err);
}

static int by_place(const void *a, const void *b)
{
    const struct tensor *const *x = a, *const *y = b;
    if ((*x)->data != (*y)->data)
        return (*x)->data < (*y)->data ? -1 : 1;
    return (tensor_bytes(*x) != 0) - (tensor_bytes(*y) != 0);       /* empty ones before the one that begins there */
}

/* The format wants every byte of the data to belong to one tensor. */
static bool check_places(const struct tensors *t, struct bytes data, const char *path, struct error *err)
{
    const unsigned char *end = data.p;
    const struct tensor **sorted = new_array((size_t)t->count, sizeof *sorted, err);
    bool ok = sorted != NULL;
    for (int i = 0; ok && i < t->count; i++)
        sorted[i] = &t->list[i];
    if (ok)
        qsort(sorted, (size_t)t->count, sizeof *sorted, by_place);
    for (int i = 0; ok && i < t->count; i++) {
        ok = sorted[i]->data == end || fail(err, "%s: %s: its data %s that of another tensor", path, sorted[i]->name,
                                            sorted[i]->data < end ? "overlaps" : "does not follow");
        end = sorted[i]->data + tensor_bytes(sorted[i]);
    }
    free(sorted);
    return ok && (end == data.p + data.size || fail(err, "%s: %zu bytes at its end belong to no tensor", path,
                                                    (size_t)(data.p + data.size - end)));
}

bool safetensors_index(struct tensors *out, struct bytes file, const char *path, struct error *err)
{
    uint64_t header = UINT64_MAX;
    if (file.size >= sizeof header)
        memcpy(&header, file.p, sizeof header);
    if (file.size < sizeof header || header > file.size - sizeof header)    /* a sum of the two could wrap */
        return fail(err, "%s: header does not fit in %zu bytes", path, file.size);
    if (header > HEADER_MAX)
        return fail(err, "%s: a header of more than %d bytes", path, HEADER_MAX);
    const struct bytes data = { file.p + sizeof header + header, file.size - sizeof header - (size_t)header };
    cJSON *json = json_parse((const char *)file.p + sizeof header, (size_t)header, path, err);
    bool ok = json && (cJSON_IsObject(json) || fail(err, "%s: header is not a JSON object", path));
    for (const cJSON *t = ok ? json->child : NULL; ok && t; t = t->next)
        ok = strcmp(t->string, metadata_name) == 0 ? index_metadata(out, t, path, err)
                                                   : index_tensor(out, t, data, path, err);
    cJSON_Delete(json);
    return ok && check_places(out, data, path, err) && tensors_index(out, path, err) && verify(out, path, err);
}

bool safetensors_read(struct tensors *out, const char *path, struct error *err)
{
    *out = (struct tensors){0};
    return file_read(&out->file, path, err) && safetensors_index(out, out->file, path, err);
}

/* ---- writing ---- */

static bool put_tensor(cJSON *header, const struct tensor *t, size_t begin)
{
    cJSON *row = cJSON_AddObjectToObject(header, t->name);
    cJSON *shape = cJSON_AddArrayToObject(row, "shape");
    bool ok = shape && cJSON_AddStringToObject(row, "dtype", dtype_name(t->dtype));
    for (int i = 0; ok && i < t->rank; i++)
        ok = json_add(shape, NULL, cJSON_CreateNumber((double)t->dims[i]));
    cJSON *range = cJSON_AddArrayToObject(row, "data_offsets");
    return ok && json_add(range, NULL, cJSON_CreateNumber((double)begin))
              && json_add(range, NULL, cJSON_CreateNumber((double)(begin + tensor_bytes(t))));
}

/* The JSON text, padded so that the data begins at a multiple of 8; *size bytes of data will follow. */
static bool header_text(struct strbuf *out, const struct tensors *t, size_t *size, struct error *err)
{
    cJSON *header = cJSON_CreateObject();
    cJSON *metadata = cJSON_AddObjectToObject(header, metadata_name);
    bool ok = cJSON_AddStringToObject(metadata, checksum_name, checksum_of(t).digits);
    for (int i = 0; i < t->metadata_count; i++)
        if (strcmp(t->metadata[i].key, checksum_name) != 0)
            ok = cJSON_AddStringToObject(metadata, t->metadata[i].key, t->metadata[i].value) && ok;
    *size = 0;
    for (int i = 0; ok && i < t->count; i++)
        ok = put_tensor(header, &t->list[i], *size) && checked_add(*size, tensor_bytes(&t->list[i]), size);
    char *json = ok ? json_print(header) : NULL;
    if (json)
        strbuf_addf(out, "%s%*s", json, (int)(-strlen(json) & 7), "");
    free(json);
    cJSON_Delete(header);
    return (json || fail(err, "out of memory: the header of %d tensors", t->count)) && strbuf_check(out, err);
}

bool safetensors_write(const char *path, struct tensors *t, struct error *err)
{
    struct strbuf header = {0};
    size_t size;
    bool ok = tensors_index(t, path, err)
           && (!tensors_find(t, metadata_name) || fail(err, "%s: no tensor can be called %s", path, metadata_name))
           && header_text(&header, t, &size, err);
    const uint64_t header_size = header.size;
    unsigned char *file = ok ? new_array(sizeof header_size + header.size + size, 1, err) : NULL;
    if (file) {
        unsigned char *p = file;
        memcpy(p, &header_size, sizeof header_size);
        memcpy(p += sizeof header_size, header.s, header.size);
        p += header.size;
        for (int i = 0; i < t->count; p += tensor_bytes(&t->list[i++]))
            if (tensor_bytes(&t->list[i]))
                memcpy(p, t->list[i].data, tensor_bytes(&t->list[i]));
        ok = file_write(path, file, sizeof header_size + header.size + size, err);
    }
    strbuf_free(&header);
    free(file);
    return ok && file;
}
