/* base/file.h -- whole files, and text that grows. */
#ifndef BASE_FILE_H
#define BASE_FILE_H
#include "base/error.h"
#include <stddef.h>
#include <stdio.h>

struct bytes { unsigned char *p; size_t size; };

/* The whole file; a 0 byte that size does not count follows it.  bytes_free releases it.  Refused by name: folders,
 * devices, sockets and named pipes, which may never end, and files of more than a quarter of the machine's memory.  A
 * pipe is read where the path says that it is one of this process: /dev/stdin, /dev/fd/N, /proc/self/fd/N. */
bool file_read(struct bytes *, const char *path, struct error *);
bool file_read_max(struct bytes *, const char *path, size_t max, struct error *);   /* refuses more than max bytes */
bool file_size(const char *path, size_t *size);         /* of a regular file; false: it is none */
void bytes_free(struct bytes *);

/* Appears whole or not at all: written beside path, fsynced, renamed over it.  What stands there and is not
 * replaceable, as a device, is written to instead.  A full disk is an error. */
bool file_write(const char *path, const void *p, size_t size, struct error *);
bool file_replaceable(const char *path);                /* a regular file or nothing at all; no link */

/* The same for what is written bit by bit: to `out`, which lies beside path until draft_close puts it there, if `keep`,
 * or takes it away.  {0} is no draft; closing it does nothing and is true. */
struct draft { FILE *out; char *path, *temporary; };
bool draft_open(struct draft *, const char *path, struct error *);
bool draft_close(struct draft *, bool keep, struct error *);

bool file_exists(const char *path);                     /* a file of any kind but a folder */
bool folder_exists(const char *path);
bool make_folders(const char *path, struct error *);    /* path and its parents; fine if they are there */

/* Text that grows.  {0} is empty.  The first failure is kept: later calls do nothing, text_ok asks once. */
struct text { char *s; size_t size, capacity; bool failed; };
void text_add(struct text *, const char *format, ...) PRINTF_LIKE(2, 3);
void text_bytes(struct text *, const void *p, size_t size);
bool text_ok(const struct text *, struct error *);
void text_free(struct text *);

/* A path made of a folder and a name (name alone if it is absolute or the folder is empty); free() it. */
char *path_join(const char *folder, const char *name, struct error *);
bool same_file(const char *a, const char *b);           /* equal paths, or one regular file under both */
const char *path_name(const char *path);                /* its last name */
int path_stem(const char *path);                        /* characters before the ending of that, ".x", if it has one */

/* The names in a folder, sorted by byte; "." and ".." left out.  names_free releases them. */
struct names { char **list; int count, capacity; };
bool folder_list(struct names *, const char *path, struct error *);
/* The files in a folder and the folders below it, as paths that begin below it, sorted by byte.  Folders whose names
 * begin with a dot are left out.  Fails if folders are nested deeper than 16, as by a link that leads back, or if there
 * are more than 100,000 of them. */
bool folder_tree(struct names *, const char *path, struct error *);
bool names_add(struct names *, const char *name, struct error *);       /* a copy */
void names_sort(struct names *);                         /* by byte */
bool names_have(const struct names *sorted, const char *name);
void names_free(struct names *);
#endif
