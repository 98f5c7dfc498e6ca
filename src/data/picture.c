#include "data/picture_format.h"

#include "base/memory.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

bool picture_allowed(int width, int height, struct error *err)
{
    if (width < 1 || height < 1)
        return reject(err, "an image of %d x %d pixels is empty", width, height);
    return (width <= PICTURE_SIDE && height <= PICTURE_SIDE && (int64_t)width * height <= PICTURE_PIXELS)
        || reject(err, "an image of %d x %d pixels is too large: at most %d million pixels, %d per side", width,
                  height, PICTURE_PIXELS / 1000000, PICTURE_SIDE);
}

bool picture_new(struct picture *picture, int width, int height, struct error *err)
{
    *picture = (struct picture){0};
    if (!picture_allowed(width, height, err))
        return false;
    const size_t bytes = 3 * (size_t)width * (size_t)height;
    picture->p = malloc(bytes);                 /* setting it would take a tenth of what reading it takes */
    if (!picture->p)
        return fail(err, "out of memory: %zu bytes for a picture", bytes);
    picture->width = width;
    picture->height = height;
    return true;
}

void picture_free(struct picture *picture)
{
    free(picture->p);
    *picture = (struct picture){0};
}

bool picture_room(struct picture *picture, int width, int height, const char *name, struct error *err)
{
    struct error why;
    return picture_new(picture, width, height, &why) || fail_as(err, &why, "%s: %s", name, why.text);
}

/* Exif counts: 2 mirrored, 3 turned by half, 4 upside down, 5..8 the same with rows and columns exchanged.  The pixel
 * at row y, column x of the upright picture comes from: */
static size_t source_of(const struct picture *from, int orientation, int y, int x)
{
    const bool exchanged = orientation >= 5;
    const bool flip_rows = orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
    const bool flip_columns = orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
    int row = exchanged ? x : y, column = exchanged ? y : x;
    if (exchanged ? flip_columns : flip_rows)
        row = from->height - 1 - row;
    if (exchanged ? flip_rows : flip_columns)
        column = from->width - 1 - column;
    return ((size_t)row * (size_t)from->width + (size_t)column) * 3;
}

static bool turn_upright(struct picture *picture, int orientation, const char *name, struct error *err)
{
    struct picture upright;
    if (orientation == 1)
        return true;
    if (!picture_room(&upright, orientation < 5 ? picture->width : picture->height,
                      orientation < 5 ? picture->height : picture->width, name, err))
        return false;
    upright.halved = picture->halved;
    upright.truncated = picture->truncated;
    upright.whole_width = orientation < 5 ? picture->whole_width : picture->whole_height;
    upright.whole_height = orientation < 5 ? picture->whole_height : picture->whole_width;
    unsigned char *to = upright.p;
    for (int y = 0; y < upright.height; y++)
        for (int x = 0; x < upright.width; x++, to += 3)
            memcpy(to, picture->p + source_of(picture, orientation, y, x), 3);
    picture_free(picture);
    *picture = upright;
    return true;
}

bool picture_decode_region(struct picture *picture, const struct region *region, const void *p, size_t size,
                           const char *name, struct error *err)
{
    const struct bytes file = { (unsigned char *)(uintptr_t)p, size };      /* read only */
    const struct picture_format *format = picture_format_of(file, name, err);
    int orientation = 1;
    *picture = (struct picture){0};
    const bool ok = format && format->decode(picture, &orientation, region, file, name, err)
                 && turn_upright(picture, orientation, name, err);
    if (!ok)
        picture_free(picture);
    return ok;
}

bool picture_decode(struct picture *picture, const void *p, size_t size, const char *name, struct error *err)
{
    return picture_decode_region(picture, NULL, p, size, name, err);
}

bool picture_read(struct picture *picture, const char *path, struct error *err)
{
    struct bytes file;
    *picture = (struct picture){0};
    const bool ok = file_read(&file, path, err) && picture_decode(picture, file.p, file.size, path, err);
    bytes_free(&file);
    return ok;
}
