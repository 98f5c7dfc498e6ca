#include "base/wire.h"

#include "base/file.h"
#include "base/strbuf.h"
#include <string.h>

static bool take_varint(struct bytes *b, uint64_t *value)
{
    uint64_t v = 0;
    for (int i = 0; i < 10 && (size_t)i < b->size; i++) {
        v |= (uint64_t)(b->p[i] & 0x7f) << 7 * i;       /* the tenth byte adds one bit; its others are shifted out */
        if (b->p[i] < 0x80) {
            *value = v;
            b->p += i + 1;
            b->size -= (size_t)i + 1;
            return true;
        }
    }
    return false;
}

static bool take_fixed(struct bytes *b, int bytes, uint64_t *value)
{
    if (b->size < (size_t)bytes)
        return false;
    *value = 0;
    for (int i = bytes; i-- > 0; )
        *value = *value << 8 | b->p[i];
    b->p += bytes;
    b->size -= (size_t)bytes;
    return true;
}

static bool take_number(struct bytes *packed, enum wire_type type, uint64_t *value)
{
    switch (type) {
    case WIRE_VARINT:  return take_varint(packed, value);
    case WIRE_8_BYTES: return take_fixed(packed, 8, value);
    case WIRE_4_BYTES: return take_fixed(packed, 4, value);
    case WIRE_BYTES:   break;
    }
    return false;
}

bool wire_next(struct bytes *message, struct wire_field *field, bool *bad)
{
    uint64_t key, size = 0;
    if (message->size == 0 || *bad)
        return false;
    *field = (struct wire_field){0};
    *bad = !take_varint(message, &key) || key >> 3 == 0 || key >> 3 > INT32_MAX;
    if (*bad)
        return false;
    field->number = (int)(key >> 3);
    field->type = (enum wire_type)(key & 7);
    if (field->type != WIRE_BYTES)
        return !(*bad = !take_number(message, field->type, &field->value));
    *bad = !take_varint(message, &size) || size > message->size;
    if (*bad)
        return false;
    field->bytes = (struct bytes){ message->p, (size_t)size };
    message->p += size;
    message->size -= (size_t)size;
    return true;
}

struct wire_field wire_find(struct bytes message, int number)
{
    struct wire_field f, last = {0};
    bool bad = false;
    while (wire_next(&message, &f, &bad))
        if (f.number == number)
            last = f;
    return last;
}

int64_t wire_numbers(struct bytes message, int number, enum wire_type type, uint64_t *out, int64_t capacity)
{
    struct wire_field f;
    bool bad = false;
    int64_t count = 0;
    while (wire_next(&message, &f, &bad)) {
        const bool packed = f.type == WIRE_BYTES;
        if (f.number != number || (!packed && f.type != type))
            continue;
        for (bool more = !packed || f.bytes.size > 0; more; more = packed && f.bytes.size > 0) {
            if (packed && !take_number(&f.bytes, type, &f.value))
                return -1;
            if (count < capacity)
                out[count] = f.value;
            count++;
        }
    }
    return bad ? -1 : count;
}

float wire_float(uint64_t bits)
{
    const uint32_t low = (uint32_t)bits;
    float f;
    memcpy(&f, &low, sizeof f);
    return f;
}

void wire_put_fixed(struct strbuf *t, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        strbuf_add(t, &(unsigned char){ (unsigned char)(v >> 8 * i) }, 1);
}

static void put_varint(struct strbuf *t, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        wire_put_fixed(t, v | 0x80, 1);
    wire_put_fixed(t, v, 1);
}

static void put_key(struct strbuf *t, int number, enum wire_type type) { put_varint(t, (uint64_t)number << 3 | type); }

void wire_put_int(struct strbuf *t, int number, int64_t v)
{
    put_key(t, number, WIRE_VARINT);
    put_varint(t, (uint64_t)v);
}

void wire_put_float(struct strbuf *t, int number, float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    put_key(t, number, WIRE_4_BYTES);
    wire_put_fixed(t, bits, 4);
}

void wire_put_double(struct strbuf *t, int number, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    put_key(t, number, WIRE_8_BYTES);
    wire_put_fixed(t, bits, 8);
}

void wire_put_bytes(struct strbuf *t, int number, const void *p, size_t size)
{
    put_key(t, number, WIRE_BYTES);
    put_varint(t, size);
    strbuf_add(t, p, size);
}

void wire_put_text(struct strbuf *t, int number, const char *s) { wire_put_bytes(t, number, s, strlen(s)); }

void wire_put_message(struct strbuf *t, int number, struct strbuf *message)
{
    wire_put_bytes(t, number, message->s, message->size);
    t->failed = t->failed || message->failed;
    strbuf_free(message);
}
