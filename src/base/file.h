/* base/file.h -- whole files. */
#ifndef BASE_FILE_H
#define BASE_FILE_H
#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

struct bytes { unsigned char *p; size_t size; };

/* Reads the whole file; a 0 byte that size does not count follows it.  reject() if there is no file, if it has more
 * bytes than a quarter of the machine's memory, or if it is a folder, device, socket or named pipe: most of these never
 * end.  A pipe of this process is read if the path is /dev/stdin, /dev/fd/N or /proc/self/fd/N.  fail() on any other
 * error.  bytes_free releases the bytes. */
bool file_read(struct bytes *, const char *path, struct error *);
bool file_read_max(struct bytes *, const char *path, size_t max, struct error *);   /* refuses more than max bytes */
bool file_size(const char *path, size_t *size);         /* of a regular file; false: it is none */
void bytes_free(struct bytes *);

/* Appears whole or not at all; see base/atomic_file.h. */
bool file_write(const char *path, const void *p, size_t size, struct error *);
#endif
