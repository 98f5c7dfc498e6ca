/* A JPEG of any bytes: decoded to the size that its head tells, or refused. */
#include "data/picture.h"
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct picture picture;
    struct error err;
    int width, height;
    if (!picture_decode_size(data, size, "fuzz", &width, &height, &err) || (int64_t)width * height > 1 << 20)
        return 0;
    if (picture_decode(&picture, data, size, "fuzz", &err)
        && (int64_t)picture.width * picture.height != (int64_t)width * height)
        abort();
    picture_free(&picture);
    return 0;
}
