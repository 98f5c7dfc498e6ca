/* tests/fuzz/image.h -- an image of any bytes: decoded to the size in its header, or refused; a region of
 * it likewise, with equal pixels, and the whole at half size.  Images of PIXELS or more are not decoded: they take
 * more time without reaching other code. */
#include "data/image.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The last bytes of the file select the region; behind the end marker of an image they have no other meaning. */
static struct region region_of(const uint8_t last[4], int width, int height)
{
    const int left = last[0] * width >> 8, top = last[1] * height >> 8;
    return (struct region){ left, top, left + 1 + (last[2] * (width - left - 1) >> 8),
                            top + 1 + (last[3] * (height - top - 1) >> 8), 0 };
}

static void check_region(const struct image *whole, const uint8_t *data, size_t size, int width, int height)
{
    const struct region region = region_of(data + size - 4, width, height);
    const size_t columns = (size_t)(region.right - region.left);
    struct image part;
    struct error err;
    if (image_decode_region(&part, &region, data, size, "fuzz", &err) != (whole->p != NULL))
        abort();
    for (int y = region.top; part.p && y < region.bottom; y++) {
        const size_t at = 3 * ((size_t)y * (size_t)part.width + (size_t)region.left);
        if (memcmp(part.p + at, whole->p + at, 3 * columns) != 0)
            abort();
    }
    image_free(&part);
}

static void check_halved(const struct image *whole, const uint8_t *data, size_t size, int width, int height)
{
    const int halved = 1 + data[size - 1] % HALVINGS, round = (1 << halved) - 1;
    const struct region all = { 0, 0, (width + round) >> halved, (height + round) >> halved, halved };
    struct image part;
    struct error err;
    if (image_decode_region(&part, &all, data, size, "fuzz", &err) != (whole->p != NULL))
        abort();
    if (part.halved && (part.width != all.right || part.height != all.bottom))
        abort();
    image_free(&part);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { PIXELS = 1 << 16 };
    struct image image;
    struct error err;
    int width, height;
    if (!image_decode_size(data, size, "fuzz", &width, &height, &err) || (int64_t)width * height >= PIXELS)
        return 0;
    if (image_decode(&image, data, size, "fuzz", &err)
        && (int64_t)image.width * image.height != (int64_t)width * height)
        abort();
    check_region(&image, data, size, image.p ? image.width : width, image.p ? image.height : height);
    check_halved(&image, data, size, width, height);
    image_free(&image);
    return 0;
}
