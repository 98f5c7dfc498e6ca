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
#include <stdio.h>

/* {0} is not open. */
struct atomic_file {
    FILE *out;
    char *path;                 /* as given, for messages */
    char *target;
    char *temporary;            /* NULL: the target is written to directly */
    bool committed;             /* the target has the new content */
};

/* atomic_close in any case. */
bool atomic_open(struct atomic_file *, const char *path, struct error *);
bool atomic_write(struct atomic_file *, const void *p, size_t size, struct error *);
/* All that was written is on disk; a full disk shows here at the latest. */
bool atomic_sync(struct atomic_file *, struct error *);
/* Replaces the target.  Fails with committed set if only the folder could not be synced. */
bool atomic_commit(struct atomic_file *, struct error *);
/* Removes the temporary file unless it is committed. */
void atomic_close(struct atomic_file *);

/* The file that path leads to through links, which need not exist; free() it. */
char *atomic_target(const char *path, struct error *);

/* Writing to a would change b: one file or folder, or one name that does not exist yet, through any links.  A device is
 * never the same as another path. */
bool same_target(const char *a, const char *b);

/* Removes the temporary files that killed processes have left for the target of path. */
bool atomic_remove_stale(const char *path, struct error *);

/* Syncs the folder of a file, so that renames in it are durable.  A file system that cannot sync folders is no error. */
bool sync_folder_of(const char *path, struct error *);
#endif
