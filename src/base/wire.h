/* base/wire.h -- the wire format of protocol buffers, which ONNX models and TensorBoard's events use.
 * A message is a sequence of fields, each a number, a type and a value; a repeated field occurs several times.
 * Reading copies and allocates nothing, whatever lengths a file claims. */
#ifndef BASE_WIRE_H
#define BASE_WIRE_H
#include "base/file.h"
#include "base/strbuf.h"
#include <stdint.h>

enum wire_type { WIRE_VARINT = 0, WIRE_8_BYTES = 1, WIRE_BYTES = 2, WIRE_4_BYTES = 5 };

struct wire_field {
    int number;
    enum wire_type type;
    uint64_t value;                             /* a varint, or the bits of 4 or 8 bytes */
    struct bytes bytes;                         /* of WIRE_BYTES, within the message; else empty */
};

/* Removes the first field from the message; false at its end.  Invalid data sets *bad and ends the message. */
bool wire_next(struct bytes *message, struct wire_field *, bool *bad);

/* The last field with that number, as the format specifies; no value and no bytes if there is none. */
struct wire_field wire_find(struct bytes message, int number);

/* The values of a repeated field, packed or not: stores the first `capacity` of them and returns their count; -1 if a
 * value is truncated.  Values of 4 or 8 bytes are raw bits, varints are 64 bits of two's complement. */
int64_t wire_numbers(struct bytes message, int number, enum wire_type, uint64_t *out, int64_t capacity);

float wire_float(uint64_t bits);                /* of 4 bytes */

/* Each appends a field; strbuf_check reports a failure of any. */
void wire_put_int(struct strbuf *, int number, int64_t);
void wire_put_float(struct strbuf *, int number, float);
void wire_put_double(struct strbuf *, int number, double);
void wire_put_bytes(struct strbuf *, int number, const void *, size_t);
void wire_put_text(struct strbuf *, int number, const char *);
void wire_put_message(struct strbuf *, int number, struct strbuf *message);     /* frees the message */
void wire_put_fixed(struct strbuf *, uint64_t, int bytes);                    /* a bare little-endian value, no field */
#endif
