#include "base/file.h"
#include "data/image_format.h"

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

void image_memory(int mb)
{
    budget_set(&files, FILES_OF(mb));
    budget_set(&decoding, DECODING_OF(mb));
}

/* Bytes given back since malloc_trim last returned free memory to the system.  The C library may keep them until then,
 * up to 64 MB per thread, so `take` counts them as used. */
static atomic_size_t freed;

static bool take(size_t bytes)
{
    if (!budget_acquire(&decoding, bytes))
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
    budget_release(&decoding, bytes);
}

/* Refuses bytes that exceed their part of device.decode_mb, which is so many thirds of it. */
static bool too_large(size_t bytes, size_t thirds, const char *name, const char *what, struct error *err)
{
    const size_t needed = (bytes / thirds * 3 >> 20) + 1;
    return reject(err, "%s: %s %zu MB: it needs device.decode_mb=%zu, which is %zu", name, what, bytes >> 20, needed,
                  (budget_limit(&files) * 3 + (1 << 19)) >> 20);
}

bool image_file_read(struct image_file *file, const char *path, struct error *err)
{
    enum { STREAM = 1 << 26 };                          /* bytes of a pipe at most */
    size_t size;
    *file = (struct image_file){0};
    if (!file_size(path, &size))
        size = budget_limit(&files) < STREAM ? budget_limit(&files) : STREAM;
    if (!budget_acquire(&files, size))
        return too_large(size, 1, path, "the file has", err);
    file->counted = size;
    if (file_read_max(&file->bytes, path, size, err))
        return true;
    image_file_free(file);
    return false;
}

void image_file_free(struct image_file *file)
{
    bytes_free(&file->bytes);
    budget_release(&files, file->counted);
    *file = (struct image_file){0};
}

bool image_allowed(int width, int height, struct error *err)
{
    if (width < 1 || height < 1)
        return reject(err, "an image of %d x %d pixels is empty", width, height);
    return (width <= IMAGE_SIDE && height <= IMAGE_SIDE && (int64_t)width * height <= IMAGE_PIXELS)
        || reject(err, "an image of %d x %d pixels is too large: at most %d million pixels, %d per side", width,
                  height, IMAGE_PIXELS / 1000000, IMAGE_SIDE);
}

bool image_new(struct image *image, int width, int height, struct error *err)
{
    *image = (struct image){0};
    if (!image_allowed(width, height, err))
        return false;
    const size_t bytes = 3 * (size_t)width * (size_t)height;
    image->p = malloc(bytes);                 /* setting it would take a tenth of what reading it takes */
    if (!image->p)
        return fail(err, "out of memory: %zu bytes for an image", bytes);
    image->width = width;
    image->height = height;
    return true;
}

void image_leave_budget(struct image *image)
{
    if (image->counted)
        give_back(image->counted);
    image->counted = 0;
}

void image_free(struct image *image)
{
    free(image->p);
    image_leave_budget(image);
    *image = (struct image){0};
}

static size_t pixel_bytes(int width, int height) { return 3 * (size_t)width * (size_t)height; }

bool image_allocate(struct image *image, int width, int height, size_t besides, bool turned, const char *name,
                    struct error *err)
{
    struct error why;
    if (!image_allowed(width, height, &why))
        return reject(err, "%s: %s", name, why.text);
    const size_t pixels = pixel_bytes(width, height);
    const size_t need = pixels + (turned && besides < pixels ? pixels : besides);
    if (!take(need))
        return too_large(need, 2, name, "decoding takes", err);
    const bool ok = image_new(image, width, height, &why) || fail_as(err, &why, "%s: %s", name, why.text);
    image->counted = need;
    return ok;
}

/* Returns the budget of a decoder besides the pixels, once it has ended. */
static void count_pixels_alone(struct image *image)
{
    const size_t pixels = pixel_bytes(image->width, image->height);
    give_back(image->counted - pixels);
    image->counted = pixels;
}

/* Exif counts: 2 mirrored, 3 turned by half, 4 upside down, 5..8 the same with rows and columns exchanged.  The pixel
 * at row y, column x of the upright image comes from: */
static size_t source_of(const struct image *from, int orientation, int y, int x)
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

static bool turn_upright(struct image *image, int orientation, const char *name, struct error *err)
{
    struct image upright;
    struct error why;
    if (orientation == 1)
        return true;
    if (!image_new(&upright, orientation < 5 ? image->width : image->height,
                   orientation < 5 ? image->height : image->width, &why))
        return fail(err, "%s: %s", name, why.text);
    upright.halved = image->halved;
    upright.truncated = image->truncated;
    upright.whole_width = orientation < 5 ? image->whole_width : image->whole_height;
    upright.whole_height = orientation < 5 ? image->whole_height : image->whole_width;
    unsigned char *to = upright.p;
    for (int y = 0; y < upright.height; y++)
        for (int x = 0; x < upright.width; x++, to += 3)
            memcpy(to, image->p + source_of(image, orientation, y, x), 3);
    upright.counted = image->counted;                 /* image_allocate has counted both */
    image->counted = 0;
    image_free(image);
    *image = upright;
    return true;
}

bool image_decode_region(struct image *image, const struct region *region, const void *p, size_t size,
                         const char *name, struct error *err)
{
    const struct bytes file = { (unsigned char *)(uintptr_t)p, size };      /* read only */
    const struct image_format *format = image_format_of(file, name, err);
    int orientation = 1;
    *image = (struct image){0};
    const bool ok = format && format->decode(image, &orientation, region, file, name, err)
                 && turn_upright(image, orientation, name, err);
    if (ok)
        count_pixels_alone(image);
    else
        image_free(image);
    return ok;
}

bool image_decode(struct image *image, const void *p, size_t size, const char *name, struct error *err)
{
    return image_decode_region(image, NULL, p, size, name, err);
}

bool image_read(struct image *image, const char *path, struct error *err)
{
    struct image_file file;
    *image = (struct image){0};
    const bool ok = image_file_read(&file, path, err)
                 && image_decode(image, file.bytes.p, file.bytes.size, path, err);
    image_file_free(&file);
    return ok;
}
