/* base/atomic_file.h -- files that appear whole or not at all.
 *
 * The content goes to a temporary file with a random name, NAME.<16 hexadecimal digits>.tmp, in the folder of the
 * target.  atomic_commit syncs it, renames it to the target and syncs the folder.  The target is the file at the end of
 * the links that path leads through, whether it exists or not.  A file that is replaced keeps its permissions (the nine
 * bits of owner, group and others).  A target that is not a regular file, as a device, a FIFO or /dev/stdout, is
 * written to directly. */
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
/* Flushes and syncs what was written; fails if any of it did not reach the disk. */
bool atomic_sync(struct atomic_file *, struct error *);
/* Syncs the content and replaces the target.  Fails with committed set if only the folder could not be synced. */
bool atomic_commit(struct atomic_file *, struct error *);
/* Removes the temporary file unless it is committed. */
void atomic_close(struct atomic_file *);

/* The path at the end of path's links, whether a file exists there or not; free() it.  NULL and an error if memory is
 * short, a link cannot be read, or there are more than 40 of them. */
char *atomic_target(const char *path, struct error *);

/* Whether writing to a would change b: both lead, through any links, to one file or folder, or to one name that does
 * not exist yet.  Different paths to a device are different targets. */
bool same_target(const char *a, const char *b);

/* Removes the temporary files that killed processes have left for the target of path. */
bool atomic_remove_stale(const char *path, struct error *);

/* Syncs the folder of a file, so that renames in it are durable.  A file system that cannot sync folders is no
 * error. */
bool sync_folder_of(const char *path, struct error *);
#endif
