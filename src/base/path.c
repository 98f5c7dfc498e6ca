#include "base/path.h"

#include "base/memory.h"
#include "base/strbuf.h"
#include "base/string_list.h"
#include <dirent.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

bool is_absent(int code) { return code == ENOENT || code == ENOTDIR; }

/* The text, which the caller frees; NULL if memory was short. */
static char *take_text(struct strbuf *text, struct error *err)
{
    if (strbuf_check(text, err))
        return text->s;
    strbuf_free(text);
    return NULL;
}

char *path_join(const char *folder, const char *name, struct error *err)
{
    struct strbuf joined = {0};
    const size_t n = strlen(folder);
    if (n == 0 || name[0] == '/')
        strbuf_addf(&joined, "%s", name);
    else
        strbuf_addf(&joined, "%s%s%s", folder, folder[n - 1] == '/' ? "" : "/", name);
    return take_text(&joined, err);
}

const char *path_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

int path_stem_length(const char *path)
{
    const char *dot = strrchr(path_name(path), '.');
    return (int)(dot ? dot - path : (ptrdiff_t)strlen(path));
}

char *path_with_suffix(const char *path, const char *suffix, struct error *err)
{
    struct strbuf changed = {0};
    strbuf_addf(&changed, "%.*s%s", path_stem_length(path), path, suffix);
    return take_text(&changed, err);
}

enum path_kind path_kind_and_size(const char *path, int64_t *bytes, struct error *err)
{
    struct stat info;
    *bytes = 0;
    if (stat(path, &info) == 0) {
        *bytes = info.st_size;
        return S_ISDIR(info.st_mode) ? PATH_FOLDER : PATH_FILE;
    }
    if (is_absent(errno))
        return PATH_ABSENT;
    fail(err, "%s: %s", path, errno_text(errno));
    return PATH_ERROR;
}

enum path_kind path_kind(const char *path, struct error *err)
{
    int64_t bytes;
    return path_kind_and_size(path, &bytes, err);
}

static bool make_folder(const char *path, struct error *err)
{
    if (mkdir(path, 0777) == 0)
        return true;
    const int code = errno;
    return path_kind(path, NULL) == PATH_FOLDER || fail(err, "%s: %s", path, errno_text(code));
}

bool make_folders(const char *path, struct error *err)
{
    char *prefix = new_text(path, err);
    if (!prefix)
        return false;
    bool ok = true;
    char *second = prefix + (*prefix != 0);             /* a slash at the beginning is the root, which exists */
    for (char *slash = strchr(second, '/'); ok && slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        ok = make_folder(prefix, err);
        *slash = '/';
    }
    ok = ok && make_folder(path, err);
    free(prefix);
    return ok;
}

bool folder_list(struct string_list *names, const char *path, struct error *err)
{
    const struct dirent *entry;
    *names = (struct string_list){0};
    DIR *folder = opendir(path);
    if (!folder)
        return fail(err, "%s: %s", path, errno_text(errno));
    bool ok = true;
    while (ok && (errno = 0, entry = readdir(folder)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            ok = string_list_add(names, entry->d_name, err);
    if (ok && errno)
        ok = fail(err, "%s: %s", path, errno_text(errno));
    closedir(folder);
    if (!ok)
        string_list_free(names);
    else
        string_list_sort(names);
    return ok;
}

/* Adds the files below a subfolder, a path relative to root, "" for root itself.  *folders counts the folders read so
 * far; it is limited, since symbolic links can form cycles. */
static bool add_tree(struct string_list *files, const char *root, const char *subfolder, int depth, int *folders,
                     struct error *err)
{
    enum { DEPTH_MAX = 16, FOLDERS_MAX = 100000 };
    struct string_list names = {0};
    char *folder = *subfolder ? path_join(root, subfolder, err) : new_text(root, err);
    bool ok = folder && (depth <= DEPTH_MAX || fail(err, "%s: folders are nested deeper than %d", folder,
                                                         DEPTH_MAX))
           && (++*folders <= FOLDERS_MAX || fail(err, "%s: has more than %d folders", root, FOLDERS_MAX))
           && folder_list(&names, folder, err);
    for (int i = 0; ok && i < names.count; i++) {
        char *relative = path_join(subfolder, names.list[i], err);
        char *path = relative ? path_join(root, relative, err) : NULL;
        const enum path_kind kind = path ? path_kind(path, err) : PATH_ERROR;
        const bool hidden = names.list[i][0] == '.';
        if (kind == PATH_ERROR)
            ok = false;
        else if (kind != PATH_FOLDER)
            ok = string_list_add(files, relative, err);
        else if (!hidden)
            ok = add_tree(files, root, relative, depth + 1, folders, err);
        free(path);
        free(relative);
    }
    string_list_free(&names);
    free(folder);
    return ok;
}

bool folder_tree(struct string_list *files, const char *path, struct error *err)
{
    int folders = 0;
    *files = (struct string_list){0};
    const bool ok = add_tree(files, path, "", 0, &folders, err);
    if (!ok)
        string_list_free(files);
    else
        string_list_sort(files);
    return ok;
}
