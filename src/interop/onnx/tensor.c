/* TensorProto: 1 dims, 2 data_type, 9 raw_data, 13 external_data, 14 data_location; else the numbers lie in a field of
 * their type, in rows below. */
#include "base/file.h"
#include "base/memory.h"
#include "base/wire.h"
#include "interop/onnx/file.h"
#include <string.h>

enum { TENSOR_DIMS = 1, TENSOR_TYPE = 2, TENSOR_RAW = 9, TENSOR_LOCATION = 14 };

static const struct { uint64_t type; enum dtype dtype; int field; enum wire_type wire; } types[] = {
    { 1, DTYPE_F32, 4, WIRE_4_BYTES },  { 11, DTYPE_F64, 10, WIRE_8_BYTES }, { 10, DTYPE_F16, 5, WIRE_VARINT },
    { 16, DTYPE_BF16, 5, WIRE_VARINT }, { 6, DTYPE_I32, 5, WIRE_VARINT },    { 7, DTYPE_I64, 7, WIRE_VARINT },
    { 9, DTYPE_BOOL, 5, WIRE_VARINT },  { 2, DTYPE_U8, 5, WIRE_VARINT },     { 3, DTYPE_I8, 5, WIRE_VARINT },
    { 4, DTYPE_U16, 5, WIRE_VARINT },   { 5, DTYPE_I16, 5, WIRE_VARINT },    { 12, DTYPE_U32, 11, WIRE_VARINT },
    { 13, DTYPE_U64, 11, WIRE_VARINT } };
enum { TYPES = sizeof types / sizeof *types };

static bool read_dims(struct tensor *t, struct bytes proto, size_t *count)
{
    uint64_t dims[RANK_MAX];
    const int64_t rank = wire_numbers(proto, TENSOR_DIMS, WIRE_VARINT, dims, RANK_MAX);
    *count = 1;
    if (rank < 0 || rank > RANK_MAX)
        return false;
    t->rank = (int)rank;
    for (int i = 0; i < t->rank; i++) {
        t->dims[i] = (size_t)dims[i];
        if (dims[i] > INT64_MAX || !checked_mul(*count, (size_t)dims[i], count))           /* negative ones too */
            return false;
    }
    return true;
}

/* Gathers elements stored in a field of their type.  Each element takes at least one byte of the file, so the file's
 * size bounds the memory. */
static bool gather(struct tensor *t, struct bytes proto, int type, size_t count, struct tensors *owner,
                   struct error *err)
{
    const size_t bytes = dtype_bytes(t->dtype);
    if (count > proto.size || wire_numbers(proto, types[type].field, types[type].wire, NULL, 0) != (int64_t)count)
        return false;
    uint64_t *wide = tensors_block(owner, count, sizeof *wide, err);
    if (!wide)
        return false;
    wire_numbers(proto, types[type].field, types[type].wire, wide, (int64_t)count);
    unsigned char *narrow = (unsigned char *)wide;                  /* little-endian: the low bytes come first */
    for (size_t i = 0; i < count; i++)
        memmove(narrow + i * bytes, &wide[i], bytes);
    t->data = narrow;
    return true;
}

bool onnx_load_tensor(struct tensor *t, struct bytes proto, struct tensors *owner, struct error *err)
{
    const uint64_t wanted = wire_find(proto, TENSOR_TYPE).value;
    const struct wire_field raw = wire_find(proto, TENSOR_RAW);
    size_t count, bytes;
    int type = 0;
    while (type < TYPES && types[type].type != wanted)
        type++;
    *t = (struct tensor){ .dtype = type < TYPES ? types[type].dtype : DTYPE_NONE };
    if (type == TYPES)
        return fail(err, "an unsupported tensor type (%llu)", (unsigned long long)wanted);
    if (wire_find(proto, TENSOR_LOCATION).value != 0)
        return fail(err, "its data are in another file: export the model with embedded weights");
    if (!read_dims(t, proto, &count) || !checked_mul(count, dtype_bytes(t->dtype), &bytes))
        return fail(err, "invalid extents");
    t->data = raw.bytes.p;
    return raw.bytes.size == bytes || (raw.bytes.size == 0 && gather(t, proto, type, count, owner, err))
        || fail(err, "data that do not match %zu elements", count);
}
