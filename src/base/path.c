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

char *path_join(const char *folder, const char *name, struct error *err)
{
    struct strbuf t = {0};
    const size_t n = strlen(folder);
    if (n == 0 || name[0] == '/')
        strbuf_addf(&t, "%s", name);
    else
        strbuf_addf(&t, "%s%s%s", folder, folder[n - 1] == '/' ? "" : "/", name);
    if (!strbuf_check(&t, err))
        strbuf_free(&t);
    return t.s;
}

const char *path_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

int path_stem(const char *path)
{
    const char *dot = strrchr(path_name(path), '.');
    return (int)(dot ? dot - path : (ptrdiff_t)strlen(path));
}

char *path_with_suffix(const char *path, const char *suffix, struct error *err)
{
    struct strbuf t = {0};
    strbuf_addf(&t, "%.*s%s", path_stem(path), path, suffix);
    if (!strbuf_check(&t, err))
        strbuf_free(&t);
    return t.s;
}

enum path_kind path_size(const char *path, int64_t *bytes, struct error *err)
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
    return path_size(path, &bytes, err);
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
    char *parent = new_text(path, err);
    bool ok = parent != NULL;
    for (char *slash = ok ? strchr(parent + (*parent != 0), '/') : NULL; ok && slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        ok = make_folder(parent, err);
        *slash = '/';
    }
    ok = ok && make_folder(path, err);
    free(parent);
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

/* subfolder: relative to root, "" for root itself.  *folders: the number read until now; it is limited, since links can
 * create an unlimited number of paths to one folder. */
static bool add_tree(struct string_list *files, const char *root, const char *subfolder, int depth, int *folders,
                     struct error *err)
{
    enum { DEPTH = 16, FOLDERS = 100000 };
    struct string_list names = {0};
    char *folder = *subfolder ? path_join(root, subfolder, err) : new_text(root, err);
    bool ok = folder && (depth <= DEPTH || fail(err, "%s: folders are nested deeper than %d", folder, DEPTH))
           && (++*folders <= FOLDERS || fail(err, "%s: has more than %d folders", root, FOLDERS))
           && folder_list(&names, folder, err);
    for (int i = 0; ok && i < names.count; i++) {
        char *name = path_join(subfolder, names.list[i], err), *path = name ? path_join(root, name, err) : NULL;
        const enum path_kind kind = path ? path_kind(path, err) : PATH_ERROR;
        ok = kind && (kind != PATH_FOLDER ? string_list_add(files, name, err)
                      : names.list[i][0] == '.' || add_tree(files, root, name, depth + 1, folders, err));
        free(path);
        free(name);
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
