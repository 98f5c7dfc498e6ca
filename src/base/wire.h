/* base/wire.h -- the wire format of protocol buffers, as ONNX models and TensorBoard's events are written in.
 * A message is fields one after another, each a number, a type and a value; a repeated field stands several times.
 * Reading copies nothing and asks for no memory, whatever lengths a file claims. */
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

/* Takes the next field off the front of the message; false at its end.  What is no message sets *bad, and ends it. */
bool wire_next(struct bytes *message, struct wire_field *, bool *bad);

/* The last field of that number, as the format wants it; no value and no bytes if there is none. */
struct wire_field wire_find(struct bytes message, int number);

/* The numbers of a repeated field, packed or one by one: stores the first `most` of them and returns how many there
 * are; -1 if one is cut off.  Those of 4 or 8 bytes are bits, varints are 64 bits of two's complement. */
int64_t wire_numbers(struct bytes message, int number, enum wire_type, uint64_t *out, int64_t most);

float wire_float(uint64_t bits);                /* of 4 bytes */

/* Fields are appended to a text, which remembers its first failure. */
void wire_put_int(struct strbuf *, int number, int64_t);
void wire_put_float(struct strbuf *, int number, float);
void wire_put_double(struct strbuf *, int number, double);
void wire_put_bytes(struct strbuf *, int number, const void *, size_t);
void wire_put_text(struct strbuf *, int number, const char *);
void wire_put_message(struct strbuf *, int number, struct strbuf *message);     /* and frees it */
void wire_put_fixed(struct strbuf *, uint64_t, int bytes);                    /* no field: little-endian */
#endif
