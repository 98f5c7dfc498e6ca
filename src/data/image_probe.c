/* data/image_probe.c -- kind, size and completeness of an image file from its first and last bytes. */
#include "base/file.h"
#include "data/image_format.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PART = 1 << 14 };                                /* bytes read at either end */

/* Files that are met in folders of images and cannot be decoded: the bytes at an offset, and a message. */
static const struct { size_t at; const char *magic, *message; } foreign[] = {
    { 8, "WEBP",                     "is a WebP image; convert it to JPEG or PNG" },
    { 0, "GIF8",                     "is a GIF image; convert it to JPEG or PNG" },
    { 0, "BM",                       "is a BMP image; convert it to JPEG or PNG" },
    { 0, "II*",                      "is a TIFF image; convert it to JPEG or PNG" },
    { 0, "MM",                       "is a TIFF image; convert it to JPEG or PNG" },
    { 4, "ftypavif",                 "is an AVIF image; convert it to JPEG or PNG" },
    { 4, "ftyphei",                  "is a HEIC image; convert it to JPEG or PNG" },
    { 4, "ftyphev",                  "is a HEIC image; convert it to JPEG or PNG" },
    { 4, "ftypmif1",                 "is a HEIF image; convert it to JPEG or PNG" },
    { 4, "ftyp",                     "is a video, not an image" },
    { 0, "8BPS",                     "is a Photoshop file; convert it to JPEG or PNG" },
    { 0, "%PDF",                     "is a PDF file; convert it to JPEG or PNG" },
    { 0, "version https://git-lfs",  "is a pointer of Git LFS; get the image with: git lfs pull" },
    { 0, "<!DOCTYPE",                "is an HTML page, not an image" },
    { 0, "<!doctype",                "is an HTML page, not an image" },
    { 0, "<html",                    "is an HTML page, not an image" },
    { 0, "<HTML",                    "is an HTML page, not an image" },
    { 0, "<svg",                     "is an SVG drawing; convert it to JPEG or PNG" },
    { 0, "<?xml",                    "is an XML file, not an image" },
};

static bool begins(struct bytes file, size_t at, const char *magic)
{
    const size_t n = strlen(magic);
    return file.size >= at + n && memcmp(file.p + at, magic, n) == 0;
}

static bool is_text(struct bytes file)
{
    for (size_t i = 0; i < file.size && i < 512; i++)
        if (!isprint(file.p[i]) && !isspace(file.p[i]))
            return false;
    return true;
}

const struct image_format *image_format_of(struct bytes start, const char *name, struct error *err)
{
    static const struct image_format *const formats[] = { &image_jpeg, &image_png };
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (begins(start, 0, formats[i]->magic))
            return formats[i];
    const char *message = start.size == 0 ? "is empty" : is_text(start) ? "is a text file, not an image"
                                                                        : "is neither JPEG nor PNG";
    for (size_t i = sizeof foreign / sizeof *foreign; i-- > 0; )
        if (begins(start, foreign[i].at, foreign[i].magic))
            message = foreign[i].message;
    reject(err, "%s: %s", name, message);
    return NULL;
}

/* head and tail are the first and the last bytes of so many, or both all of the file.  ending: unknown if tail does not
 * tell. */
static bool measure(struct bytes head, struct bytes tail, size_t bytes, const char *name, struct image_probe *out,
                    enum image_ending *ending, struct error *err)
{
    const struct image_format *format = image_format_of(head, name, err);
    struct image_head size;
    struct error why = {0};
    if (!format || !format->head(&size, head, name, err))
        return false;
    if (!image_allowed(size.width, size.height, &why))
        return reject(err, "%s: %s", name, why.text);
    if (format == &image_jpeg && !jpeg_allowed(size.width, size.height, bytes, name, err))
        return false;
    *ending = format->ending(tail, tail.size == bytes, &size.orientation);
    out->width = size.orientation < 5 ? size.width : size.height;
    out->height = size.orientation < 5 ? size.height : size.width;
    out->complete = *ending == ENDING_COMPLETE;
    return true;
}

bool image_decode_size(const void *p, size_t size, const char *name, int *width, int *height, struct error *err)
{
    const struct bytes file = { (unsigned char *)(uintptr_t)p, size };      /* read only */
    struct image_probe probe;
    enum image_ending ending;
    if (!measure(file, file, size, name, &probe, &ending, err))
        return false;
    *width = probe.width;
    *height = probe.height;
    return true;
}

/* Reads the first and the last bytes of a file and its size.  False if the file is shorter than both parts or cannot be
 * read. */
static bool read_ends(const char *path, unsigned char head[PART], unsigned char tail[PART], size_t *bytes)
{
    struct stat info;
    const int fd = file_size(path, bytes) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    const bool ok = fd >= 0 && fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 2 * PART
                 && pread(fd, head, PART, 0) == PART && pread(fd, tail, PART, info.st_size - PART) == PART;
    if (fd >= 0)
        close(fd);
    *bytes = ok ? (size_t)info.st_size : 0;
    return ok;
}

static bool probe_whole(const char *path, struct image_probe *out, struct error *err)
{
    struct image_file file;
    enum image_ending ending;
    const bool ok = image_file_read(&file, path, err)
                 && measure(file.bytes, file.bytes, file.bytes.size, path, out, &ending, err)
                 && (out->complete || begins(file.bytes, 0, image_jpeg.magic)
                     || reject(err, "%s: PNG: truncated", path));
    image_file_free(&file);
    return ok;
}

bool image_probe(const char *path, struct image_probe *out, struct error *err)
{
    unsigned char head[PART], tail[PART];
    enum image_ending ending = ENDING_UNKNOWN;
    size_t bytes;
    *out = (struct image_probe){0};
    if (read_ends(path, head, tail, &bytes)
        && measure((struct bytes){ head, PART }, (struct bytes){ tail, PART }, bytes, path, out, &ending, NULL)
        && ending != ENDING_UNKNOWN)
        return true;
    return probe_whole(path, out, err);
}

bool image_size(const char *path, int *width, int *height, struct error *err)
{
    struct image_probe probe;
    if (!image_probe(path, &probe, err))
        return false;
    *width = probe.width;
    *height = probe.height;
    return true;
}
