/* tests/fuzz/fuzz_mjpeg.c -- a stream of arbitrary bytes: every frame starts and ends like a JPEG and is a part of
 * the stream. */
#include "data/mjpeg.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mjpeg m = {0};
    for (size_t i = 0; i < size; i++)
        if (mjpeg_push(&m, data[i])) {
            const unsigned char *frame = (const unsigned char *)m.frame.s;
            const size_t n = m.frame.size;
            if (n < 4 || n > i + 1 || memcmp(frame, "\xff\xd8", 2) != 0 || memcmp(frame + n - 2, "\xff\xd9", 2) != 0
                || memcmp(frame, data + i + 1 - n, n) != 0)
                abort();
        }
    mjpeg_free(&m);
    return 0;
}
