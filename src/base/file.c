#include "base/file.h"

#include "base/machine.h"
#include "base/memory.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_own_pipe(const char *path, mode_t mode)
{
    return S_ISFIFO(mode) && (strcmp(path, "/dev/stdin") == 0 || strncmp(path, "/dev/fd/", 8) == 0
                              || strncmp(path, "/proc/self/fd/", 14) == 0);
}

/* Asked before a file is opened: opening a pipe would wait for a writer, and opening a device may do anything. */
static bool refuse_endless(const char *path, struct error *err)
{
    struct stat info;
    if (stat(path, &info) != 0 || S_ISREG(info.st_mode) || is_own_pipe(path, info.st_mode))
        return true;
    return fail(err, "%s: is a %s", path, S_ISDIR(info.st_mode) ? "folder"
                                        : S_ISFIFO(info.st_mode) ? "named pipe, not a file"
                                        : S_ISSOCK(info.st_mode) ? "socket, not a file" : "device, not a file");
}

static bool read_all(struct bytes *out, FILE *f, const char *path, size_t max, struct error *err)
{
    size_t capacity = 1 << 16;
    struct stat info;
    if (fstat(fileno(f), &info) == 0 && S_ISREG(info.st_mode) && info.st_size >= 0) {
        if ((uintmax_t)info.st_size > max)
            return fail(err, "%s: has %jd bytes; at most %zu are read", path, (intmax_t)info.st_size, max);
        capacity = (size_t)info.st_size + 2;            /* one more byte shows that the file has ended */
    }
    for (;;) {
        unsigned char *p = realloc(out->p, capacity);
        if (!p)
            return fail(err, "%s: out of memory: %zu bytes", path, capacity);
        out->p = p;
        out->size += fread(p + out->size, 1, capacity - 1 - out->size, f);
        if (ferror(f))
            return fail(err, "%s: %s", path, strerror(errno));
        if (out->size > max)
            return fail(err, "%s: has more than %zu bytes", path, max);
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
        return fail(err, "%s: %s", path, strerror(errno));
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

/* A rename is durable once its folder is on disk; file systems that cannot sync a folder do without. */
static void sync_folder_of(const char *path)
{
    char folder[4096];
    const char *slash = strrchr(path, '/');
    const size_t n = slash ? (size_t)(slash - path) : 0;
    if (n >= sizeof folder)
        return;
    memcpy(folder, path, n);
    folder[n] = 0;
    const int fd = open(slash ? (n ? folder : "/") : ".", O_RDONLY | O_DIRECTORY);
    if (fd < 0)
        return;
    fsync(fd);
    close(fd);
}

bool file_replaceable(const char *path)
{
    struct stat info;
    return lstat(path, &info) != 0 || S_ISREG(info.st_mode);
}

bool draft_open(struct draft *d, const char *path, struct error *err)
{
    struct text temporary = {0};
    if (file_replaceable(path))
        text_add(&temporary, "%s.tmp", path);
    *d = (struct draft){ .path = new_text(path, err), .temporary = temporary.s };
    const bool ok = d->path && text_ok(&temporary, err)
                 && ((d->out = fopen(d->temporary ? d->temporary : path, "wbe"))
                     || fail(err, "%s: %s", path, strerror(errno)));
    if (!ok)
        draft_close(d, false, NULL);
    return ok;
}

bool draft_close(struct draft *d, bool keep, struct error *err)
{
    bool ok = true;
    if (d->out) {
        const bool whole = !ferror(d->out) && fflush(d->out) == 0 && (!d->temporary || fsync(fileno(d->out)) == 0);
        const bool closed = fclose(d->out) == 0;
        ok = !keep || (whole && closed && (!d->temporary || rename(d->temporary, d->path) == 0))
          || fail(err, "%s: %s", d->path, strerror(errno));
        if (d->temporary && ok && keep)
            sync_folder_of(d->path);
        else if (d->temporary)
            unlink(d->temporary);
    }
    free(d->path);
    free(d->temporary);
    *d = (struct draft){0};
    return ok;
}

bool file_write(const char *path, const void *p, size_t size, struct error *err)
{
    struct draft d;
    if (!draft_open(&d, path, err))
        return false;
    if (size)
        fwrite(p, 1, size, d.out);                      /* the stream remembers a failure until it is closed */
    return draft_close(&d, true, err);
}

bool file_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && !S_ISDIR(info.st_mode);
}

bool folder_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static bool make_folder(const char *path, struct error *err)
{
    return mkdir(path, 0777) == 0 || folder_exists(path) || fail(err, "%s: %s", path, strerror(errno));
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

bool same_file(const char *a, const char *b)
{
    struct stat x, y;
    return strcmp(a, b) == 0
        || (stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino
            && S_ISREG(x.st_mode));
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
        return fail(err, "%s: %s", path, strerror(errno));
    bool ok = true;
    while (ok && (entry = readdir(folder)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            ok = names_add(names, entry->d_name, err);
    closedir(folder);
    if (!ok)
        names_free(names);
    else
        names_sort(names);
    return ok;
}

/* below: the folder within root, "" for root itself.  *folders: read so far; links to folders can multiply the paths to
 * them without end. */
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
        ok = path && (!folder_exists(path) ? names_add(files, name, err)
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
