#include "base/atomic_file.h"

#include "base/memory.h"
#include "base/path.h"
#include "base/strbuf.h"
#include "base/string_list.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_LINKS = 40, DIGITS = 16 };
static const char temporary_suffix[] = ".tmp";

static int folder_length(const char *path) { return (int)(path_name(path) - path); }

/* ---- the target ---- */

/* The descriptor N if link is /proc/self/fd/N, as /dev/stdout is; else -1. */
static int own_descriptor(const char *link)
{
    char own[40], folder[PATH_MAX], real[PATH_MAX];
    const char *name = path_name(link);
    snprintf(own, sizeof own, "/proc/%ld/fd", (long)getpid());
    snprintf(folder, sizeof folder, "%.*s", folder_length(link), link);
    return isdigit((unsigned char)*name) && realpath(folder, real) && strcmp(real, own) == 0 ? atoi(name) : -1;
}

/* The path that a link points to; free() it. */
static char *read_link(const char *link, struct error *err)
{
    char to[PATH_MAX];
    struct strbuf next = {0};
    const ssize_t n = readlink(link, to, sizeof to);
    if (n < 0 || n == sizeof to) {
        fail(err, "%s: %s", link, errno_text(n < 0 ? errno : ENAMETOOLONG));
        return NULL;
    }
    if (to[0] != '/')
        strbuf_addf(&next, "%.*s", folder_length(link), link);
    strbuf_addf(&next, "%.*s", (int)n, to);
    return strbuf_take(&next, err);
}

/* *mode: st_mode of the target, 0 if it does not exist; *descriptor: of a target that this process has open, or -1. */
static char *follow_links(const char *path, mode_t *mode, int *descriptor, struct error *err)
{
    char *target = new_text(path, err);
    struct stat info;
    *descriptor = -1;
    for (int links = 0; target && lstat(target, &info) == 0; links++) {
        *mode = info.st_mode;
        *descriptor = S_ISLNK(info.st_mode) ? own_descriptor(target) : -1;
        if (!S_ISLNK(info.st_mode) || *descriptor >= 0)
            return target;
        char *next = NULL;
        if (links < MAX_LINKS)
            next = read_link(target, err);
        else
            fail(err, "%s: %s", path, errno_text(ELOOP));
        free(target);
        target = next;
    }
    *mode = 0;
    if (target && errno != ENOENT) {
        fail(err, "%s: %s", path, errno_text(errno));
        free(target);
        target = NULL;
    }
    return target;
}

char *atomic_target(const char *path, struct error *err)
{
    mode_t mode;
    int descriptor;
    return follow_links(path, &mode, &descriptor, err);
}

/* Two paths that do not exist are the same new file if folder and name are the same. */
static bool same_new_file(const char *a, const char *b)
{
    struct stat x, y;
    char folder_a[PATH_MAX], folder_b[PATH_MAX];
    snprintf(folder_a, sizeof folder_a, "%.*s.", folder_length(a), a);
    snprintf(folder_b, sizeof folder_b, "%.*s.", folder_length(b), b);
    return strcmp(path_name(a), path_name(b)) == 0 && stat(folder_a, &x) == 0 && stat(folder_b, &y) == 0
        && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

bool same_target(const char *a, const char *b)
{
    struct stat x, y;
    if (strcmp(a, b) == 0)
        return true;
    const bool a_exists = stat(a, &x) == 0, b_exists = stat(b, &y) == 0;
    if (a_exists && b_exists)
        return x.st_dev == y.st_dev && x.st_ino == y.st_ino && (S_ISREG(x.st_mode) || S_ISDIR(x.st_mode));
    if (a_exists || b_exists)
        return false;
    char *target_a = atomic_target(a, NULL), *target_b = atomic_target(b, NULL);
    const bool same = target_a && target_b && same_new_file(target_a, target_b);
    free(target_a);
    free(target_b);
    return same;
}

bool sync_folder_of(const char *path, struct error *err)
{
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%.*s.", folder_length(path), path);
    const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const int code = fd < 0 || fsync(fd) != 0 ? errno : 0;
    if (fd >= 0)
        close(fd);
    /* a folder that may be written but not read cannot be opened; some file systems cannot sync folders */
    const bool unable = code == EACCES || code == EINVAL || code == ENOTSUP || code == EROFS || code == EBADF;
    return !code || unable || fail(err, "%s: is written, but its folder cannot be synced: %s", path, errno_text(code));
}

/* ---- temporary files ---- */

/* NAME.<random digits>.tmp in the target's folder; NAME is cut if the result would be too long for a file name. */
static bool name_temporary(struct atomic_file *f, struct error *err)
{
    const char *name = path_name(f->target);
    uint64_t random;
    struct strbuf t = {0};
    if (getrandom(&random, sizeof random, 0) != sizeof random)
        return fail(err, "%s: no random name for a temporary file: %s", f->path, errno_text(errno));
    strbuf_addf(&t, "%.*s%.*s.%016" PRIx64 "%s", folder_length(f->target), f->target, NAME_MAX - DIGITS - 10, name,
                random, temporary_suffix);
    free(f->temporary);
    f->temporary = t.s;
    return strbuf_check(&t, err);
}

static bool is_temporary(const char *name, const char *target)
{
    const size_t length = strlen(target);
    return starts_with(name, target) && name[length] == '.'
        && strspn(name + length + 1, "0123456789abcdef") == DIGITS
        && strcmp(name + length + 1 + DIGITS, temporary_suffix) == 0;
}

static bool remove_stale(const char *folder, const char *name, struct error *err)
{
    char *path = path_join(folder, name, err);
    const bool ok = path && (unlink(path) == 0 || errno == ENOENT
                             || fail(err, "%s: a stale temporary file cannot be removed: %s", path, errno_text(errno)));
    free(path);
    return ok;
}

bool atomic_remove_stale(const char *path, struct error *err)
{
    char *target = atomic_target(path, err), *folder = target ? new_text(target, err) : NULL;
    struct string_list names = {0};
    if (folder)
        folder[folder_length(target)] = 0;
    bool ok = folder && folder_list(&names, *folder ? folder : ".", err);
    for (int i = 0; ok && i < names.count; i++)
        ok = !is_temporary(names.list[i], path_name(target)) || remove_stale(folder, names.list[i], err);
    string_list_free(&names);
    free(folder);
    free(target);
    return ok;
}

/* ---- writing ---- */

/* replaced: st_mode of the file that the target replaces, whose permissions are kept; 0 if there is none. */
static bool open_temporary(struct atomic_file *f, mode_t replaced, int *fd, struct error *err)
{
    const mode_t mode = replaced ? replaced & 0777 : 0666;
    struct stat info;
    do {
        if (!name_temporary(f, err))
            return false;
        *fd = open(f->temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    } while (*fd < 0 && errno == EEXIST);
    if (*fd < 0)
        return fail(err, "%s: %s", f->path, errno_text(errno));
    return !replaced || (fstat(*fd, &info) == 0 && (info.st_mode & 0777) == mode) || fchmod(*fd, mode) == 0
        || fail(err, "%s: its permissions cannot be kept: %s", f->path, errno_text(errno));
}

static bool open_target(struct atomic_file *f, const char *path, int *fd, struct error *err)
{
    mode_t mode = 0;
    int descriptor = -1;
    f->path = new_text(path, err);
    f->target = f->path ? follow_links(f->path, &mode, &descriptor, err) : NULL;
    if (!f->target)
        return false;
    if (S_ISDIR(mode))
        return fail(err, "%s: is a folder", f->path);
    if (descriptor < 0 && (mode == 0 || S_ISREG(mode)))
        return open_temporary(f, mode, fd, err);
    *fd = descriptor >= 0 ? fcntl(descriptor, F_DUPFD_CLOEXEC, 3)
                          : open(f->target, O_WRONLY | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC);
    return *fd >= 0 || fail(err, "%s: %s", f->path, errno_text(errno));
}

bool atomic_open(struct atomic_file *f, const char *path, struct error *err)
{
    int fd = -1;
    *f = (struct atomic_file){0};
    const bool ok = open_target(f, path, &fd, err)
                 && ((f->out = fdopen(fd, "wb")) || fail(err, "%s: %s", f->path, errno_text(errno)));
    if (!ok && fd >= 0)
        close(fd);
    if (!ok)
        atomic_close(f);
    return ok;
}

bool atomic_write(struct atomic_file *f, const void *p, size_t size, struct error *err)
{
    return size == 0 || fwrite(p, 1, size, f->out) == size || fail(err, "%s: %s", f->path, errno_text(errno));
}

bool atomic_sync(struct atomic_file *f, struct error *err)
{
    errno = 0;
    return (!ferror(f->out) && fflush(f->out) == 0 && (!f->temporary || fsync(fileno(f->out)) == 0))
        || fail(err, "%s: %s", f->path, errno ? errno_text(errno) : "an earlier write error");
}

bool atomic_commit(struct atomic_file *f, struct error *err)
{
    if (!atomic_sync(f, err))
        return false;
    FILE *out = f->out;
    f->out = NULL;
    if (fclose(out) != 0 || (f->temporary && rename(f->temporary, f->target) != 0))
        return fail(err, "%s: %s", f->path, errno_text(errno));
    f->committed = true;
    return !f->temporary || sync_folder_of(f->target, err);
}

void atomic_close(struct atomic_file *f)
{
    if (f->out)
        fclose(f->out);
    if (f->temporary && !f->committed)
        unlink(f->temporary);
    free(f->path);
    free(f->target);
    free(f->temporary);
    *f = (struct atomic_file){0};
}
