#include "base/file.h"

#include "base/atomic_file.h"
#include "base/machine.h"
#include "base/memory.h"
#include "base/path.h"
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* reject() if the file is absent or may not be read; fail() on any other error of a call on a path. */
static bool path_failed(struct error *err, const char *path, int number)
{
    return (is_absent(number) || number == EACCES ? reject : fail)(err, "%s: %s", path, errno_text(number));
}

static bool is_own_pipe(const char *path, mode_t mode)
{
    return S_ISFIFO(mode) && (strcmp(path, "/dev/stdin") == 0 || strncmp(path, "/dev/fd/", 8) == 0
                              || strncmp(path, "/proc/self/fd/", 14) == 0);
}

/* Examines a path before it is opened: opening a pipe would wait for a writer, and opening a device may do anything. */
static bool refuse_endless(const char *path, struct error *err)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return path_failed(err, path, errno);
    if (S_ISREG(info.st_mode) || is_own_pipe(path, info.st_mode))
        return true;
    return reject(err, "%s: is a %s", path, S_ISDIR(info.st_mode) ? "folder"
                                          : S_ISFIFO(info.st_mode) ? "named pipe, not a file"
                                          : S_ISSOCK(info.st_mode) ? "socket, not a file" : "device, not a file");
}

static bool read_all(struct bytes *out, FILE *f, const char *path, size_t max, struct error *err)
{
    size_t capacity = 1 << 16;
    struct stat info;
    if (fstat(fileno(f), &info) == 0 && S_ISREG(info.st_mode) && info.st_size >= 0) {
        if ((uintmax_t)info.st_size > max)
            return reject(err, "%s: has %jd bytes; at most %zu are read", path, (intmax_t)info.st_size, max);
        capacity = (size_t)info.st_size + 2;            /* a read of one more byte detects the end of the file */
    }
    for (;;) {
        unsigned char *p = realloc(out->p, capacity);
        if (!p)
            return fail(err, "%s: out of memory: %zu bytes", path, capacity);
        out->p = p;
        out->size += fread(p + out->size, 1, capacity - 1 - out->size, f);
        if (ferror(f))
            return fail(err, "%s: %s", path, errno_text(errno));
        if (out->size > max)
            return reject(err, "%s: has more than %zu bytes", path, max);
        if (out->size < capacity - 1) {
            p[out->size] = 0;
            return true;
        }
        if (!checked_mul(capacity, 2, &capacity))
            return fail(err, "%s: too large", path);
    }
}

bool file_read_max(struct bytes *out, const char *path, size_t max, struct error *err)
{
    *out = (struct bytes){0};
    if (!refuse_endless(path, err))
        return false;
    FILE *f = fopen(path, "rb");
    if (!f)
        return path_failed(err, path, errno);
    const bool ok = read_all(out, f, path, max, err);
    fclose(f);
    if (!ok)
        bytes_free(out);
    return ok;
}

bool file_read(struct bytes *out, const char *path, struct error *err)
{
    enum { SMALL = 1 << 26 };                           /* bytes; no need to look up the machine's memory */
    size_t size;
    const bool small = file_size(path, &size) && size <= SMALL / 2;     /* it may grow */
    return file_read_max(out, path, small ? SMALL : machine_memory() / 4, err);
}

bool file_size(const char *path, size_t *size)
{
    struct stat info;
    const bool ok = stat(path, &info) == 0 && S_ISREG(info.st_mode) && info.st_size >= 0;
    *size = ok ? (size_t)info.st_size : 0;
    return ok;
}

void bytes_free(struct bytes *b)
{
    free(b->p);
    *b = (struct bytes){0};
}

bool file_write(const char *path, const void *p, size_t size, struct error *err)
{
    struct atomic_file f;
    const bool ok = atomic_open(&f, path, err) && atomic_write(&f, p, size, err) && atomic_commit(&f, err);
    atomic_close(&f);
    return ok;
}

bool file_write_in(const char *folder, const char *name, const void *p, size_t size, struct error *err)
{
    char *path = path_join(folder, name, err);
    const bool ok = path && file_write(path, p, size, err);
    free(path);
    return ok;
}
