/* base/file.h -- whole files, and text that grows. */
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

/* The kind of file at the end of a path's links; PATH_FILE is anything but a folder.  PATH_ABSENT means ENOENT or
 * ENOTDIR.  PATH_ERROR, which is 0, means any other failure, with an error. */
enum path_kind { PATH_ERROR, PATH_ABSENT, PATH_FILE, PATH_FOLDER };
enum path_kind path_kind(const char *path, struct error *);
enum path_kind path_size(const char *path, int64_t *bytes, struct error *);     /* also its size; 0 if it is absent */

bool make_folders(const char *path, struct error *);    /* path and its parents; fine if they are there */

/* Text that grows.  {0} is empty.  The first failure is kept: later calls do nothing, text_ok asks once. */
struct text { char *s; size_t size, capacity; bool failed; };
void text_add(struct text *, const char *format, ...) PRINTF_LIKE(2, 3);
void text_bytes(struct text *, const void *p, size_t size);
bool text_ok(const struct text *, struct error *);
void text_free(struct text *);

/* A path made of a folder and a name (name alone if it is absolute or the folder is empty); free() it. */
char *path_join(const char *folder, const char *name, struct error *);
const char *path_name(const char *path);                /* its last name */
int path_stem(const char *path);                        /* characters before the ending of that, ".x", if it has one */
char *path_with_ending(const char *path, const char *ending, struct error *);   /* replaces that ending; free() it */

/* The names in a folder, sorted by byte; "." and ".." left out.  names_free releases them. */
struct names { char **list; int count, capacity; };
bool folder_list(struct names *, const char *path, struct error *);
/* The files in a folder and the folders below it, as paths relative to it, sorted by byte.  Folders whose names begin
 * with a dot are left out.  Fails if folders are nested deeper than 16, for example by a link to a parent, or if there
 * are more than 100,000 of them. */
bool folder_tree(struct names *, const char *path, struct error *);
bool names_add(struct names *, const char *name, struct error *);       /* a copy */
void names_sort(struct names *);                         /* by byte */
bool names_have(const struct names *sorted, const char *name);
void names_free(struct names *);
#endif
