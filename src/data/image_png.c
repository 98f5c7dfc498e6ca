/* data/image_png.c -- PNG by libpng, whose errors come back by longjmp.  Variables that live across that jump are kept
 * in a struct outside the function that sets it. */
#include "base/file.h"
#include "data/image_format.h"

#include "base/memory.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>

struct png_reader {
    png_structp png;
    png_infop info;
    struct bytes file;
    size_t at;
    png_bytep *rows;
    bool no_memory;                                     /* an allocation has failed, even if libpng went on */
    const char *name;
    struct error *err;
};

static void on_error(png_structp png, png_const_charp text)
{
    const struct png_reader *r = png_get_error_ptr(png);
    if (!r->no_memory)
        reject(r->err, "%s: PNG: %s", r->name, text);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp text)
{
    (void)png, (void)text;
}

static void on_read(png_structp png, png_bytep to, size_t n)
{
    struct png_reader *r = png_get_io_ptr(png);
    if (n > r->file.size - r->at)
        png_error(png, "truncated");
    memcpy(to, r->file.p + r->at, n);
    r->at += n;
}

/* libpng asks for as many bytes as a chunk claims to have: more than the file and a row need are refused. */
static png_voidp allocate(png_structp png, png_alloc_size_t size)
{
    enum { ROW = 1 << 24 };                             /* bytes; the longest row, 2^20 pixels of 8 bytes, is shorter */
    struct png_reader *r = png_get_mem_ptr(png);
    if (size > r->file.size + ROW)
        return NULL;
    void *p = malloc(size);
    r->no_memory |= !p;
    return p;
}

static void release(png_structp png, png_voidp p)
{
    (void)png;
    free(p);
}

static bool reader_new(struct png_reader *r)
{
    r->png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, r, on_error, on_warning, r, allocate, release);
    r->info = r->png ? png_create_info_struct(r->png) : NULL;
    r->no_memory |= !r->info;
    return r->info;
}

/* Fails after a failed allocation even if libpng went on, as it does without some chunks. */
static bool has_memory(const struct png_reader *r)
{
    return !r->no_memory || fail(r->err, "%s: out of memory", r->name);
}

static void reader_end(struct png_reader *r)
{
    png_destroy_read_struct(&r->png, &r->info, NULL);
    free(r->rows);
}

/* Compressed texts and profiles change no pixel here, and a small file may hold gigabytes of them. */
static void read_info(struct png_reader *r)
{
    static const png_byte skipped[] = "iCCP\0iTXt\0sPLT\0tEXt\0zTXt";
    png_set_read_fn(r->png, r, on_read);
    png_set_user_limits(r->png, IMAGE_SIDE, IMAGE_SIDE);
    png_set_keep_unknown_chunks(r->png, PNG_HANDLE_CHUNK_NEVER, skipped, sizeof skipped / 5);
    png_read_info(r->png, r->info);
}

static int orientation_of(const struct png_reader *r)
{
    png_bytep exif;
    png_uint_32 size;
    return png_get_eXIf_1(r->png, r->info, &size, &exif) ? exif_orientation(exif, size) : 1;
}

static bool read_head(struct png_reader *r, struct image_head *head)
{
    if (setjmp(png_jmpbuf(r->png)))
        return false;
    read_info(r);
    *head = (struct image_head){ (int)png_get_image_width(r->png, r->info),
                                   (int)png_get_image_height(r->png, r->info), orientation_of(r) };
    return true;
}

static bool head(struct image_head *out, struct bytes file, const char *name, struct error *err)
{
    struct png_reader r = { .file = file, .name = name, .err = err };
    const bool read = reader_new(&r) && read_head(&r, out), ok = has_memory(&r) && read;
    reader_end(&r);
    return ok;
}

/* Converts every kind of pixel to 8 bits of B, G and R. */
static void ask_for_bgr(struct png_reader *r)
{
    png_set_expand(r->png);
    png_set_strip_16(r->png);
    png_set_strip_alpha(r->png);
    png_set_gray_to_rgb(r->png);
    png_set_bgr(r->png);
    png_set_interlace_handling(r->png);
    png_read_update_info(r->png, r->info);
}

static const char magic[] = "\x89PNG\r\n\x1a\n";

/* Goes over the chunks from one on to the last; false if there is no last one.  Sets the orientation if it is 1. */
static bool walk_chunks(const unsigned char *p, const unsigned char *end, int *orientation)
{
    while (end - p >= 12) {                             /* length, name, that many bytes, checksum */
        const size_t length = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
        if (memcmp(p + 4, "IEND", 4) == 0)
            return true;
        if (length > (size_t)(end - p) - 12)
            return false;
        if (memcmp(p + 4, "eXIf", 4) == 0 && *orientation == 1)
            *orientation = exif_orientation(p + 8, length);
        p += length + 12;
    }
    return false;
}

/* Looks for the Exif orientation before the pixels and behind them. */
static bool is_turned(const struct png_reader *r)
{
    int orientation = orientation_of(r);
    walk_chunks(r->file.p + sizeof magic - 1, r->file.p + r->file.size, &orientation);
    return orientation != 1;
}

/* A bound of what libpng and zlib allocate: four rows of 8 bytes per pixel, tables, the pointers to rows. */
static size_t working_bytes(size_t width, size_t height)
{
    enum { ROWS = 4 * 8, TABLES = 1 << 18 };
    return TABLES + ROWS * width + height * sizeof(png_bytep);
}

static bool read_image(struct png_reader *r, struct image *image)
{
    if (setjmp(png_jmpbuf(r->png)))
        return false;
    read_info(r);
    const size_t width = png_get_image_width(r->png, r->info), height = png_get_image_height(r->png, r->info);
    /* Deflate makes of a byte 1032 at most, so that a small file cannot ask for much memory. */
    if (png_get_rowbytes(r->png, r->info) * height / 1032 > r->file.size)
        png_error(r->png, "truncated");
    if (!image_allocate(image, (int)width, (int)height, working_bytes(width, height), is_turned(r), r->name, r->err))
        return false;
    if (!(r->rows = new_array(height, sizeof *r->rows, NULL))) {
        r->no_memory = true;
        return false;
    }
    for (size_t y = 0; y < height; y++)
        r->rows[y] = image->p + y * width * 3;
    ask_for_bgr(r);
    png_read_image(r->png, r->rows);
    png_read_end(r->png, r->info);
    return true;
}

static bool decode(struct image *image, int *orientation, const struct region *region, struct bytes file,
                   const char *name, struct error *err)
{
    struct png_reader r = { .file = file, .name = name, .err = err };
    (void)region;
    const bool read = reader_new(&r) && read_image(&r, image), ok = has_memory(&r) && read;
    if (ok)
        *orientation = orientation_of(&r);
    reader_end(&r);
    return ok;
}

/* In the last bytes of a file a chunk begins where the chunks from there on lead to the last one. */
static enum image_ending ending(struct bytes file, bool whole, int *orientation)
{
    static const unsigned char last[12] = { 0, 0, 0, 0, 'I', 'E', 'N', 'D', 0xae, 0x42, 0x60, 0x82 };
    const unsigned char *p = file.p, *const end = p + file.size;
    if (whole)
        return walk_chunks(p + sizeof magic - 1, end, orientation) ? ENDING_COMPLETE : ENDING_CUT;
    if (memcmp(end - sizeof last, last, sizeof last) != 0)
        return ENDING_UNKNOWN;
    for (p += 4; (p = memmem(p, (size_t)(end - p), "eXIf", 4)); p++) {
        int found = 1;
        if (walk_chunks(p - 4, end, &found) && *orientation == 1)
            *orientation = found;
    }
    return ENDING_COMPLETE;
}

const struct image_format image_png = { "PNG", magic, head, ending, decode };

bool image_write_png(const struct image *image, const char *path, struct error *err)
{
    png_image png = { .version = PNG_IMAGE_VERSION, .width = (png_uint_32)image->width,
                      .height = (png_uint_32)image->height, .format = PNG_FORMAT_BGR };
    png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(png);
    struct bytes file = { .p = new_array(size, 1, err) };
    errno = 0;                                          /* malloc sets it if it fails */
    const bool ok = file.p && (png_image_write_to_memory(&png, file.p, &size, 0, image->p, 0, NULL)
                    || fail(err, "%s: PNG: %s", path, errno == ENOMEM ? "out of memory" : png.message))
      && file_write(path, file.p, size, err);
    bytes_free(&file);
    return ok;
}
