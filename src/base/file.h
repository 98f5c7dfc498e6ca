/* base/file.h -- reading and writing whole files. */
#ifndef BASE_FILE_H
#define BASE_FILE_H
#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

struct bytes { unsigned char *p; size_t size; };

/* Reads the whole file and appends a 0 byte that size does not count.  reject() if the file does not exist, has more
 * bytes than a quarter of the machine's memory, or is a folder, device, socket or named pipe, since reading those may
 * never end.  A pipe of this process is read if the path is /dev/stdin, /dev/fd/N or /proc/self/fd/N.  fail() on any
 * other error.  bytes_free releases the bytes. */
bool file_read(struct bytes *, const char *path, struct error *);
bool file_read_max(struct bytes *, const char *path, size_t max, struct error *);   /* refuses more than max bytes */
bool file_size(const char *path, size_t *size);         /* false: it is not a regular file */
void bytes_free(struct bytes *);

/* Replaces the file atomically; see base/atomic_file.h. */
bool file_write(const char *path, const void *p, size_t size, struct error *);
bool file_write_in(const char *folder, const char *name, const void *p, size_t size, struct error *);
#endif
