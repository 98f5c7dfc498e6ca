/* base/atomic_file.h -- atomic replacement of files: a reader finds the old content or all of the new content.
 *
 * The content goes to a temporary file with a random name, NAME.<16 hexadecimal digits>.tmp, in the folder of the
 * target.  atomic_commit syncs it, renames it to the target and syncs the folder.  The target is the path with its
 * symbolic links resolved; it need not exist.  A replaced file keeps its permissions (the nine bits of owner, group
 * and others).  A target that is not a regular file (a device, a FIFO, /dev/stdout) is written directly. */
#ifndef BASE_ATOMIC_FILE_H
#define BASE_ATOMIC_FILE_H
#include "base/error.h"
#include <stddef.h>
#include <stdio.h>

/* {0} is not open. */
struct atomic_file {
    FILE *out;
    char *path;                 /* as given, for messages */
    char *target;
    char *temporary;            /* NULL: the target is written to directly */
    bool committed;             /* the target has the new content */
};

/* Call atomic_close even if it fails. */
bool atomic_open(struct atomic_file *, const char *path, struct error *);
bool atomic_write(struct atomic_file *, const void *p, size_t size, struct error *);
/* Flushes and syncs the content; fails if any of it did not reach the disk. */
bool atomic_sync(struct atomic_file *, struct error *);
/* Syncs the content and replaces the target.  Fails with committed set if only the folder could not be synced. */
bool atomic_commit(struct atomic_file *, struct error *);
/* Removes the temporary file unless it is committed. */
void atomic_close(struct atomic_file *);

/* The path with its symbolic links resolved, whether a file exists there or not; free() it.  NULL and an error if
 * memory is short, a link cannot be read, or there are more than 40 links. */
char *atomic_target(const char *path, struct error *);

/* Returns true if writing to a would change b: with links resolved, both are the same file or folder, or the same name
 * that does not exist yet.  Different paths to a device are different targets. */
bool same_target(const char *a, const char *b);

/* Removes the temporary files that killed processes have left for the target of path. */
bool atomic_remove_stale(const char *path, struct error *);

/* Syncs the folder of a file, so that renames in it are durable.  Succeeds on file systems that cannot sync folders. */
bool sync_folder_of(const char *path, struct error *);
#endif
