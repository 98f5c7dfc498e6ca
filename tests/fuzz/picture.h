/* tests/fuzz/picture.h -- a picture of any bytes: decoded to the size that its head tells, or refused.  Of what is as
 * large as PIXELS only the head is read: more pixels are more time and no other way through the decoder. */
#include "data/picture.h"
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { PIXELS = 1 << 16 };
    struct picture picture;
    struct error err;
    int width, height;
    if (!picture_decode_size(data, size, "fuzz", &width, &height, &err) || (int64_t)width * height >= PIXELS)
        return 0;
    if (picture_decode(&picture, data, size, "fuzz", &err)
        && (int64_t)picture.width * picture.height != (int64_t)width * height)
        abort();
    picture_free(&picture);
    return 0;
}
