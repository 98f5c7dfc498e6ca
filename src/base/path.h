/* base/path.h -- paths, the kind of file at a path, and folders. */
#ifndef BASE_PATH_H
#define BASE_PATH_H
#include "base/string_list.h"
#include <stdint.h>

/* A path made of a folder and a name (name alone if it is absolute or the folder is empty); free() it. */
char *path_join(const char *folder, const char *name, struct error *);
const char *path_name(const char *path);                /* the last component */
int path_stem_length(const char *path);                 /* without the suffix ".x" of the last component */
char *path_with_suffix(const char *path, const char *suffix, struct error *);   /* replaces that suffix; free() it */

/* The kind of file at a path, links resolved; PATH_FILE is anything but a folder.  PATH_ABSENT means ENOENT or ENOTDIR.
 * PATH_ERROR, which is 0, means any other failure, with an error. */
enum path_kind { PATH_ERROR, PATH_ABSENT, PATH_FILE, PATH_FOLDER };
enum path_kind path_kind(const char *path, struct error *);
enum path_kind path_kind_and_size(const char *path, int64_t *bytes, struct error *);    /* 0 bytes if absent */

bool make_folders(const char *path, struct error *);    /* path and its parents, which may exist */

/* The names in a folder except "." and "..", sorted by byte.  string_list_free releases them. */
bool folder_list(struct string_list *, const char *path, struct error *);
/* The files in a folder and its subfolders, as paths relative to it, sorted by byte; links that lead nowhere count as
 * files.  Folders whose names begin with a dot are skipped.  Fails if folders are nested deeper than 16 levels, for
 * example by a link to a parent, or if there are more than 100,000 of them. */
bool folder_tree(struct string_list *, const char *path, struct error *);

bool is_absent(int code);                               /* code, an errno, is ENOENT or ENOTDIR */
#endif
