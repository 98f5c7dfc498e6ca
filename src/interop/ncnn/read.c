#include "interop/ncnn/read.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/path.h"
#include "base/strbuf.h"
#include "base/table.h"
#include "interop/predictions.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HALF = 0x01306B47, INT8 = 0x000D4B38, FLOAT = 0, FLOAT_TOO = 0x0002C056 };   /* flags before weights */

bool ncnn_refuse(struct ncnn_reader *r, const char *format, ...)
{
    char why[300];
    va_list list;
    va_start(list, format);
    vsnprintf(why, sizeof why, format, list);
    va_end(list);
    return fail(r->err, "%s:%d: %s %s: %s", r->path, r->line->number, r->line->type, r->line->name, why);
}

int ncnn_channels(const struct ncnn_reader *r, int value) { return r->net->layers[value].out_channels; }
bool ncnn_is_pixel(const struct ncnn_reader *r, int value) { return r->strides[value] == 0; }

int ncnn_add(struct ncnn_reader *r, enum layer_kind kind, const int *operands, int count)
{
    return network_add(r->net, kind, r->line->name, operands, count, r->err);
}

bool ncnn_finish(struct ncnn_reader *r, int layer)
{
    if (layer < 0 || !network_check_layer(r->net, layer, r->path, r->err)
        || !grow_array(&r->strides, layer, &r->stride_capacity, sizeof *r->strides, r->err))
        return false;
    r->strides[layer] = network_stride(r->net, layer, r->strides);
    return true;
}

void ncnn_put(struct ncnn_reader *r, int i, int value)
{
    r->out[i] = (struct ncnn_blob){ .layout = r->in[0]->layout, .value = { value }, .values = 1,
                                    .heads = r->in[0]->heads };
}

/* ---- weights ---- */

static const unsigned char *take(struct ncnn_reader *r, size_t size)
{
    const size_t padded = size + (-size & 3);               /* data are aligned to 4 bytes */
    if (padded < size || padded > r->weights.size - r->at) {
        ncnn_refuse(r, "its weights go beyond the %zu bytes of the bin file", r->weights.size);
        return NULL;
    }
    r->at += padded;
    return r->weights.p + r->at - padded;
}

int ncnn_weight(struct ncnn_reader *r, const char *suffix, bool flagged, int rank, const size_t *dims)
{
    struct strbuf name = {0};
    struct tensor t = { .dtype = DTYPE_F32, .rank = rank };
    size_t bytes = 1;
    uint32_t flag = FLOAT;
    const unsigned char *p = flagged ? take(r, sizeof flag) : NULL;
    if (flagged && !p)
        return NO_TENSOR;
    if (p)
        memcpy(&flag, p, sizeof flag);
    if (flag == INT8)
        return ncnn_refuse(r, "weights of 8 bits are not supported") + NO_TENSOR;
    if (flag != FLOAT && flag != FLOAT_TOO && flag != HALF)
        return ncnn_refuse(r, "weights with flag 0x%08x, such as tables of quantised ones, are not supported",
                           (unsigned)flag) + NO_TENSOR;
    if (flag == HALF)
        t.dtype = DTYPE_F16;
    for (int i = 0; i < rank; i++) {
        t.dims[i] = dims[i];
        if (!checked_mul(bytes, dims[i], &bytes))
            return ncnn_refuse(r, "too many weights") + NO_TENSOR;
    }
    if (!checked_mul(bytes, dtype_bytes(t.dtype), &bytes) || !(t.data = take(r, bytes)))
        return NO_TENSOR;
    strbuf_addf(&name, "%s.%s", r->line->name, suffix);
    t.name = name.s;
    const bool ok = strbuf_check(&name, r->err) && tensors_add(&r->net->weights, &t, r->err);
    strbuf_free(&name);
    return ok ? r->net->weights.count - 1 : NO_TENSOR;
}

/* ---- lines ---- */

static const struct ncnn_type *type_of(struct ncnn_reader *r)
{
    const struct ncnn_line *line = r->line;
    const struct ncnn_type *type = find_row(line->type, ncnn_map_types, sizeof *type);
    if (!type)
        type = find_row(line->type, ncnn_layout_types, sizeof *type);
    if (!type)
        type = ncnn_activation_type(line->type);
    if (!type)
        ncnn_refuse(r, "an unsupported layer type");
    else if (line->bottoms < type->bottoms[0] || line->bottoms > type->bottoms[1]
             || line->tops < type->tops[0] || line->tops > type->tops[1])
        ncnn_refuse(r, "reads %d blobs and writes %d", line->bottoms, line->tops);
    else
        return type;
    return NULL;
}

static struct ncnn_blob *find_blob(struct ncnn_reader *r, const char *name)
{
    for (int i = r->blob_count - 1; i >= 0; i--)
        if (strcmp(r->blobs[i].name, name) == 0)
            return &r->blobs[i];
    return NULL;
}

static bool find_bottoms(struct ncnn_reader *r, const struct ncnn_type *type)
{
    for (int i = 0; i < r->line->bottoms; i++) {
        r->in[i] = find_blob(r, r->line->bottom[i]);
        if (!r->in[i])
            return ncnn_refuse(r, "reads %s, which no layer before it writes", r->line->bottom[i]);
        if (!((int)r->in[i]->layout & type->layouts)
            || (r->in[i]->values > 1 && r->in[i]->layout != SCORES && !(type->layouts & JOINED)))
            return ncnn_refuse(r, "its input's layout, after the reshapes and transposes before it, is not supported");
        r->in[i]->read = true;
    }
    return true;
}

static bool add_tops(struct ncnn_reader *r)
{
    for (int i = 0; i < r->line->tops; i++) {
        if (find_blob(r, r->line->top[i]))
            return ncnn_refuse(r, "writes %s, which a layer before it writes", r->line->top[i]);
        if (!grow_array(&r->blobs, r->blob_count, &r->blob_capacity, sizeof *r->blobs, r->err))
            return false;
        r->out[i].name = r->line->top[i];
        r->blobs[r->blob_count++] = r->out[i];
    }
    return true;
}

static bool read_line(struct ncnn_reader *r)
{
    const struct ncnn_type *type = type_of(r);
    if ((r->net->count == 0) != (strcmp(r->line->type, "Input") == 0))
        return ncnn_refuse(r, "the first layer, and no other, must be an Input");
    return type && find_bottoms(r, type) && type->read(r) && add_tops(r);
}

/* The blobs that no layer reads are the outputs. */
static bool find_outputs(struct ncnn_reader *r)
{
    int values[2 * LAYER_OPERANDS], count = 0;
    for (int i = 0; i < r->blob_count; i++)
        for (int k = 0; !r->blobs[i].read && k < r->blobs[i].values; k++) {
            if (count == 2 * LAYER_OPERANDS || r->blobs[i].layout == SCORES)
                return fail(r->err, "%s: too many outputs: %s", r->path, r->blobs[i].name);
            values[count++] = r->blobs[i].value[k];
        }
    return network_find_predictions(r->net, values, count, r->path, r->err);
}

bool ncnn_parse(struct network *net, struct bytes text, struct bytes weights, const char *path, struct error *err)
{
    struct ncnn_reader r = { .net = net, .weights = weights, .path = path, .err = err };
    struct ncnn_text lines = {0};
    bool ok = ncnn_text_read(&lines, text, path, err)
           && (lines.count > 0 || fail(err, "%s: has no layers", path));
    for (int i = 0; ok && i < lines.count; i++) {
        r.line = &lines.lines[i];
        ok = read_line(&r);
    }
    ok = ok && (r.at == weights.size || fail(err, "%s: %zu bytes of the bin file belong to no layer", path,
                                             weights.size - r.at))
       && find_outputs(&r) && network_check(net, path, err);
    free(r.blobs);
    free(r.strides);
    ncnn_text_free(&lines);
    return ok;
}

/* ---- files ---- */

static bool is_text(struct bytes file) { return file.size > 7 && memcmp(file.p, "7767517", 7) == 0; }

bool is_ncnn(struct bytes file)
{
    uint32_t flag = INT8;
    if (file.size > sizeof flag)
        memcpy(&flag, file.p, sizeof flag);
    return is_text(file) || flag == HALF || flag == FLOAT;
}

bool ncnn_read(struct network *net, struct bytes file, const char *path, struct error *err)
{
    struct bytes own = {0};
    char *param = path_with_suffix(path, ".param", err), *bin = param ? path_with_suffix(path, ".bin", err) : NULL;
    const bool ok = bin && file_read(&net->weights.file, bin, err)
                 && (is_text(file) || file_read(&own, param, err))
                 && ncnn_parse(net, is_text(file) ? file : own, net->weights.file, param, err);
    bytes_free(&own);
    free(param);
    free(bin);
    return ok;
}
