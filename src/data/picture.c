#include "data/picture_format.h"

#include "base/budget.h"
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#define FILES_OF(mb) (((size_t)(mb) << 20) / 3)
#define DECODING_OF(mb) (((size_t)(mb) << 20) / 3 * 2)

static struct budget files = BUDGET(FILES_OF(DECODE_MB)), decoding = BUDGET(DECODING_OF(DECODE_MB));

void picture_memory(int mb)
{
    budget_set(&files, FILES_OF(mb));
    budget_set(&decoding, DECODING_OF(mb));
}

/* Bytes given back since malloc_trim last returned free memory to the system.  The C library may keep them until then,
 * up to 64 MB per thread, so `take` counts them as used. */
static atomic_size_t freed;

static bool take(size_t bytes)
{
    if (!budget_take(&decoding, bytes))
        return false;
#ifdef __GLIBC__
    if (budget_exceeded(&decoding, atomic_load(&freed))) {
        atomic_store(&freed, 0);
        malloc_trim(0);
    }
#endif
    return true;
}

static void give_back(size_t bytes)
{
    atomic_fetch_add(&freed, bytes);
    budget_give(&decoding, bytes);
}

/* Refuses bytes that exceed their part of device.decode_mb, which is so many thirds of it. */
static bool too_large(size_t bytes, size_t thirds, const char *name, const char *what, struct error *err)
{
    const size_t needed = (bytes / thirds * 3 >> 20) + 1;
    return reject(err, "%s: %s %zu MB: it needs device.decode_mb=%zu, which is %zu", name, what, bytes >> 20, needed,
                  (budget_limit(&files) * 3 + (1 << 19)) >> 20);
}

bool picture_file_read(struct picture_file *file, const char *path, struct error *err)
{
    enum { STREAM = 1 << 26 };                          /* bytes of a pipe at most */
    size_t size;
    *file = (struct picture_file){0};
    if (!file_size(path, &size))
        size = budget_limit(&files) < STREAM ? budget_limit(&files) : STREAM;
    if (!budget_take(&files, size))
        return too_large(size, 1, path, "the file has", err);
    file->counted = size;
    if (file_read_max(&file->bytes, path, size, err))
        return true;
    picture_file_free(file);
    return false;
}

void picture_file_free(struct picture_file *file)
{
    bytes_free(&file->bytes);
    budget_give(&files, file->counted);
    *file = (struct picture_file){0};
}

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

void picture_count_not(struct picture *picture)
{
    if (picture->counted)
        give_back(picture->counted);
    picture->counted = 0;
}

void picture_free(struct picture *picture)
{
    free(picture->p);
    picture_count_not(picture);
    *picture = (struct picture){0};
}

static size_t pixel_bytes(int width, int height) { return 3 * (size_t)width * (size_t)height; }

bool picture_room(struct picture *picture, int width, int height, size_t besides, bool turned, const char *name,
                  struct error *err)
{
    struct error why;
    if (!picture_allowed(width, height, &why))
        return reject(err, "%s: %s", name, why.text);
    const size_t pixels = pixel_bytes(width, height);
    const size_t need = pixels + (turned && besides < pixels ? pixels : besides);
    if (!take(need))
        return too_large(need, 2, name, "decoding takes", err);
    const bool ok = picture_new(picture, width, height, &why) || fail_as(err, &why, "%s: %s", name, why.text);
    picture->counted = need;
    return ok;
}

/* Gives back what a decoder took besides the pixels, once it has ended. */
static void count_pixels_alone(struct picture *picture)
{
    const size_t pixels = pixel_bytes(picture->width, picture->height);
    give_back(picture->counted - pixels);
    picture->counted = pixels;
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
    struct error why;
    if (orientation == 1)
        return true;
    if (!picture_new(&upright, orientation < 5 ? picture->width : picture->height,
                     orientation < 5 ? picture->height : picture->width, &why))
        return fail(err, "%s: %s", name, why.text);
    upright.halved = picture->halved;
    upright.truncated = picture->truncated;
    upright.whole_width = orientation < 5 ? picture->whole_width : picture->whole_height;
    upright.whole_height = orientation < 5 ? picture->whole_height : picture->whole_width;
    unsigned char *to = upright.p;
    for (int y = 0; y < upright.height; y++)
        for (int x = 0; x < upright.width; x++, to += 3)
            memcpy(to, picture->p + source_of(picture, orientation, y, x), 3);
    upright.counted = picture->counted;                 /* picture_room has counted both */
    picture->counted = 0;
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
    if (ok)
        count_pixels_alone(picture);
    else
        picture_free(picture);
    return ok;
}

bool picture_decode(struct picture *picture, const void *p, size_t size, const char *name, struct error *err)
{
    return picture_decode_region(picture, NULL, p, size, name, err);
}

bool picture_read(struct picture *picture, const char *path, struct error *err)
{
    struct picture_file file;
    *picture = (struct picture){0};
    const bool ok = picture_file_read(&file, path, err)
                 && picture_decode(picture, file.bytes.p, file.bytes.size, path, err);
    picture_file_free(&file);
    return ok;
}
