#include "base/file.h"

#include "base/atomic_file.h"
#include "base/machine.h"
#include "base/memory.h"
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool means_absent(int number) { return number == ENOENT || number == ENOTDIR; }

/* A file that is absent or may not be read is reject(), every other failure of a call on a path is fail(). */
static bool path_failed(struct error *err, const char *path, int number)
{
    return (means_absent(number) || number == EACCES ? reject : fail)(err, "%s: %s", path, errno_text(number));
}

static bool is_own_pipe(const char *path, mode_t mode)
{
    return S_ISFIFO(mode) && (strcmp(path, "/dev/stdin") == 0 || strncmp(path, "/dev/fd/", 8) == 0
                              || strncmp(path, "/proc/self/fd/", 14) == 0);
}

/* Examines a path before it is opened: opening a pipe would wait for a writer, and opening a device may do anything. */
static bool refuse_endless(const char *path, struct error *err)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return path_failed(err, path, errno);
    if (S_ISREG(info.st_mode) || is_own_pipe(path, info.st_mode))
        return true;
    return reject(err, "%s: is a %s", path, S_ISDIR(info.st_mode) ? "folder"
                                          : S_ISFIFO(info.st_mode) ? "named pipe, not a file"
                                          : S_ISSOCK(info.st_mode) ? "socket, not a file" : "device, not a file");
}

static bool read_all(struct bytes *out, FILE *f, const char *path, size_t max, struct error *err)
{
    size_t capacity = 1 << 16;
    struct stat info;
    if (fstat(fileno(f), &info) == 0 && S_ISREG(info.st_mode) && info.st_size >= 0) {
        if ((uintmax_t)info.st_size > max)
            return reject(err, "%s: has %jd bytes; at most %zu are read", path, (intmax_t)info.st_size, max);
        capacity = (size_t)info.st_size + 2;            /* one more byte shows that the file has ended */
    }
    for (;;) {
        unsigned char *p = realloc(out->p, capacity);
        if (!p)
            return fail(err, "%s: out of memory: %zu bytes", path, capacity);
        out->p = p;
        out->size += fread(p + out->size, 1, capacity - 1 - out->size, f);
        if (ferror(f))
            return fail(err, "%s: %s", path, errno_text(errno));
        if (out->size > max)
            return reject(err, "%s: has more than %zu bytes", path, max);
        if (out->size < capacity - 1) {
            p[out->size] = 0;
            return true;
        }
        if (!mul_size(capacity, 2, &capacity))
            return fail(err, "%s: too large", path);
    }
}

bool file_read_max(struct bytes *out, const char *path, size_t max, struct error *err)
{
    *out = (struct bytes){0};
    if (!refuse_endless(path, err))
        return false;
    FILE *f = fopen(path, "rb");
    if (!f)
        return path_failed(err, path, errno);
    const bool ok = read_all(out, f, path, max, err);
    fclose(f);
    if (!ok)
        bytes_free(out);
    return ok;
}

bool file_read(struct bytes *out, const char *path, struct error *err)
{
    enum { SMALL = 1 << 26 };                           /* bytes; read without asking for the machine's memory */
    size_t size;
    const bool small = file_size(path, &size) && size <= SMALL / 2;     /* it may grow */
    return file_read_max(out, path, small ? SMALL : machine_memory() / 4, err);
}

bool file_size(const char *path, size_t *size)
{
    struct stat info;
    const bool ok = stat(path, &info) == 0 && S_ISREG(info.st_mode) && info.st_size >= 0;
    *size = ok ? (size_t)info.st_size : 0;
    return ok;
}

void bytes_free(struct bytes *b)
{
    free(b->p);
    *b = (struct bytes){0};
}

bool file_write(const char *path, const void *p, size_t size, struct error *err)
{
    struct atomic_file f;
    const bool ok = atomic_open(&f, path, err) && atomic_write(&f, p, size, err) && atomic_commit(&f, err);
    atomic_close(&f);
    return ok;
}

enum path_kind path_size(const char *path, int64_t *bytes, struct error *err)
{
    struct stat info;
    *bytes = 0;
    if (stat(path, &info) == 0) {
        *bytes = info.st_size;
        return S_ISDIR(info.st_mode) ? PATH_FOLDER : PATH_FILE;
    }
    if (means_absent(errno))
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
    const int why = errno;
    return path_kind(path, NULL) == PATH_FOLDER || fail(err, "%s: %s", path, errno_text(why));
}

bool make_folders(const char *path, struct error *err)
{
    char *part = new_text(path, err);
    bool ok = part != NULL;
    for (char *slash = ok ? strchr(part + (*part != 0), '/') : NULL; ok && slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        ok = make_folder(part, err);
        *slash = '/';
    }
    ok = ok && make_folder(path, err);
    free(part);
    return ok;
}

void text_bytes(struct text *t, const void *p, size_t size)
{
    size_t need;
    if (t->failed)
        return;
    if (!add_size(t->size, size, &need) || !add_size(need, 1, &need)) {
        t->failed = true;
        return;
    }
    if (need > t->capacity) {
        const size_t capacity = need > SIZE_MAX / 2 ? need : 2 * need;
        char *s = realloc(t->s, capacity);
        if (!s) {
            t->failed = true;
            return;
        }
        t->s = s;
        t->capacity = capacity;
    }
    if (size)
        memcpy(t->s + t->size, p, size);
    t->size += size;
    t->s[t->size] = 0;
}

void text_add(struct text *t, const char *format, ...)
{
    char small[256];
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    const int n = vsnprintf(small, sizeof small, format, args);
    va_end(args);
    if (n < 0)
        t->failed = true;
    else if ((size_t)n < sizeof small)
        text_bytes(t, small, (size_t)n);
    else {
        char *large = malloc((size_t)n + 1);
        if (large) {
            vsnprintf(large, (size_t)n + 1, format, again);
            text_bytes(t, large, (size_t)n);
        } else
            t->failed = true;
        free(large);
    }
    va_end(again);
}

bool text_ok(const struct text *t, struct error *err)
{
    return !t->failed || fail(err, "out of memory: a text of more than %zu bytes", t->size);
}

void text_free(struct text *t)
{
    free(t->s);
    *t = (struct text){0};
}

char *path_join(const char *folder, const char *name, struct error *err)
{
    struct text t = {0};
    const size_t n = strlen(folder);
    if (n == 0 || name[0] == '/')
        text_add(&t, "%s", name);
    else
        text_add(&t, "%s%s%s", folder, folder[n - 1] == '/' ? "" : "/", name);
    if (!text_ok(&t, err))
        text_free(&t);
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

char *path_with_ending(const char *path, const char *ending, struct error *err)
{
    struct text t = {0};
    text_add(&t, "%.*s%s", path_stem(path), path, ending);
    if (!text_ok(&t, err))
        text_free(&t);
    return t.s;
}

bool names_add(struct names *names, const char *name, struct error *err)
{
    if (!grow_array(&names->list, names->count, &names->capacity, sizeof *names->list, err))
        return false;
    char *copy = new_text(name, err);
    if (!copy)
        return false;
    names->list[names->count++] = copy;
    return true;
}

void names_free(struct names *names)
{
    for (int i = 0; i < names->count; i++)
        free(names->list[i]);
    free(names->list);
    *names = (struct names){0};
}

static int by_bytes(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

void names_sort(struct names *names)
{
    if (names->count)
        qsort(names->list, (size_t)names->count, sizeof *names->list, by_bytes);
}

bool names_have(const struct names *sorted, const char *name)
{
    return sorted->count && bsearch(&name, sorted->list, (size_t)sorted->count, sizeof *sorted->list, by_bytes);
}

bool folder_list(struct names *names, const char *path, struct error *err)
{
    const struct dirent *entry;
    *names = (struct names){0};
    DIR *folder = opendir(path);
    if (!folder)
        return fail(err, "%s: %s", path, errno_text(errno));
    bool ok = true;
    while (ok && (errno = 0, entry = readdir(folder)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            ok = names_add(names, entry->d_name, err);
    if (ok && errno)
        ok = fail(err, "%s: %s", path, errno_text(errno));
    closedir(folder);
    if (!ok)
        names_free(names);
    else
        names_sort(names);
    return ok;
}

/* below: the folder within root, "" for root itself.  *folders: the number read so far, which is bounded because links
 * can multiply the paths to one folder without end. */
static bool add_tree(struct names *files, const char *root, const char *below, int depth, int *folders,
                     struct error *err)
{
    enum { DEPTH = 16, FOLDERS = 100000 };
    struct names names = {0};
    char *folder = *below ? path_join(root, below, err) : new_text(root, err);
    bool ok = folder && (depth <= DEPTH || fail(err, "%s: folders are nested deeper than %d", folder, DEPTH))
           && (++*folders <= FOLDERS || fail(err, "%s: has more than %d folders", root, FOLDERS))
           && folder_list(&names, folder, err);
    for (int i = 0; ok && i < names.count; i++) {
        char *name = path_join(below, names.list[i], err), *path = name ? path_join(root, name, err) : NULL;
        const enum path_kind kind = path ? path_kind(path, err) : PATH_ERROR;
        ok = kind && (kind != PATH_FOLDER ? names_add(files, name, err)
                      : names.list[i][0] == '.' || add_tree(files, root, name, depth + 1, folders, err));
        free(path);
        free(name);
    }
    names_free(&names);
    free(folder);
    return ok;
}

bool folder_tree(struct names *files, const char *path, struct error *err)
{
    int folders = 0;
    *files = (struct names){0};
    const bool ok = add_tree(files, path, "", 0, &folders, err);
    if (!ok)
        names_free(files);
    else
        names_sort(files);
    return ok;
}
