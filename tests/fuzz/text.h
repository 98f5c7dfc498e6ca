/* tests/fuzz/text.h -- the bytes of a fuzz input as text_read gives a file; p is NULL without memory. */
#include "base/file.h"
#include "base/text_file.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static inline struct bytes decoded(const uint8_t *data, size_t size)
{
    struct bytes text = { calloc(size + 1, 1), size };
    if (text.p && size)
        memcpy(text.p, data, size);
    if (text.p && !text_decode(&text, "fuzz", NULL))
        bytes_free(&text);
    return text;
}
