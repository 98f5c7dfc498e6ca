#include "cli/images.h"

#include "base/memory.h"
#include "base/path.h"
#include "base/strbuf.h"
#include "base/string_list.h"
#include "cli/session.h"
#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

static bool is_image(const char *name)
{
    static const char *const ends[] = { ".jpg", ".jpeg", ".png", ".jfif" };
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof ends / sizeof *ends; i++)
        if (strcasecmp(dot, ends[i]) == 0)
            return true;
    return false;
}

static bool add_folder(struct string_list *files, const char *folder, struct error *err)
{
    struct string_list inside = {0};
    const int before = files->count;
    bool ok = folder_list(&inside, folder, err);
    for (int i = 0; ok && i < inside.count; i++) {
        char *path = is_image(inside.list[i]) ? path_join(folder, inside.list[i], err) : NULL;
        ok = !is_image(inside.list[i]) || (path && string_list_add(files, path, err));
        free(path);
    }
    string_list_free(&inside);
    return ok && (files->count > before || fail(err, "%s: no .jpg, .jpeg, .png or .jfif in this folder", folder));
}

static int ends_search(const char *folder, int number)
{
    (void)folder;
    return number != ENOENT && number != ENOTDIR;
}

/* The reason after glob has failed. */
static const char *glob_text(int end)
{
    if (end == GLOB_NOSPACE || (end == GLOB_ABORTED && errno == ENOMEM))
        return "out of memory";
    return end == GLOB_NOMATCH ? "no such file" : "a folder of this pattern cannot be read";
}

static bool add_pattern(struct string_list *files, const char *pattern, struct error *err)
{
    glob_t found = {0};
    errno = 0;                                          /* opendir sets it if it finds no memory */
    const int end = glob(pattern, 0, ends_search, &found);
    bool ok = end == 0 || fail(err, "%s: %s", pattern, glob_text(end));
    for (size_t i = 0; ok && i < found.gl_pathc; i++)
        ok = string_list_add(files, found.gl_pathv[i], err);
    globfree(&found);
    return ok;
}

bool images_list(const struct args *args, struct string_list *files, struct error *err)
{
    bool ok = true;
    for (int i = 0; ok && i < args->rest_count; i++) {
        const char *path = args->rest[i];
        if (strcmp(path, "-") == 0)
            return misuse(err, "%s: '-' goes alone, not with files", args->command->name);
        const enum path_kind kind = path_kind(path, err);
        ok = kind == PATH_FOLDER ? add_folder(files, path, err)
           : kind == PATH_FILE   ? string_list_add(files, path, err)
                                 : kind && add_pattern(files, path, err);
    }
    return ok;
}

static int by_id(const void *a, const void *b)
{
    const struct file_id *x = a, *y = b;
    return x->device != y->device ? (x->device < y->device ? -1 : 1) : (x->inode > y->inode) - (x->inode < y->inode);
}

static struct file_id id_of(const struct stat *info) { return (struct file_id){ info->st_dev, info->st_ino }; }

bool inputs_open(struct inputs *inputs, const struct args *args, const struct string_list *files, struct error *err)
{
    struct stat info;
    *inputs = (struct inputs){ .command = args->command->name,
                               .list = new_array((size_t)files->count, sizeof *inputs->list, err) };
    for (int i = 0; inputs->list && i < files->count; i++)
        if (stat(files->list[i], &info) == 0 && S_ISREG(info.st_mode))
            inputs->list[inputs->count++] = id_of(&info);
    if (inputs->count)
        qsort(inputs->list, (size_t)inputs->count, sizeof *inputs->list, by_id);
    return inputs->list != NULL;
}

void inputs_free(struct inputs *inputs)
{
    free(inputs->list);
    *inputs = (struct inputs){0};
}

bool inputs_spared(const struct inputs *inputs, const char *path, struct error *err)
{
    struct stat info;
    if (inputs->count == 0 || stat(path, &info) != 0)
        return true;
    const struct file_id id = id_of(&info);
    return !bsearch(&id, inputs->list, (size_t)inputs->count, sizeof id, by_id)
        || misuse(err, "%s: would overwrite %s, which is one of the images", inputs->command, path);
}

bool images_differ(const struct inputs *inputs, const struct string_list *files, const char *out, struct error *err)
{
    struct string_list names = {0};
    bool ok = true;
    for (int i = 0; ok && i < files->count; i++) {
        char *to = path_join(out, path_name(files->list[i]), err);
        ok = to && string_list_add(&names, path_name(files->list[i]), err) && inputs_spared(inputs, to, err);
        free(to);
    }
    string_list_sort(&names);
    for (int i = 1; ok && i < names.count; i++)
        if (strcmp(names.list[i - 1], names.list[i]) == 0)
            ok = misuse(err, "%s: two images are called %s, and --out is one folder", inputs->command, names.list[i]);
    string_list_free(&names);
    return ok;
}

enum { NAMED = 4 };                             /* failed images: with notes and progress at most 12 lines */

bool image_failed(struct failures *f, const struct error *why, struct error *err)
{
    if (!why->content && why->exit != 2)                /* 2: too large or too small for the network */
        return fail(err, "%s", why->text);
    if (f->failed == 0)
        f->first = *why;
    if (f->failed++ < NAMED && f->files > 1)
        show_line("", why->text);
    return true;
}

void image_used(struct failures *f, const struct image *image, const char *file)
{
    if (image->truncated && f->truncated++ < NAMED)
        strbuf_addf(&f->names, "%s%s", f->truncated > 1 ? ", " : "", file);
}

static bool tell_truncated(struct failures *f, struct error *err)
{
    struct strbuf line = {0};
    if (f->truncated)
        strbuf_addf(&line, "truncated images, read as far as they go: %d of %d: %s%s", f->truncated, f->files,
                    f->names.s ? f->names.s : "", f->truncated > NAMED ? ", ..." : "");
    const bool ok = strbuf_check(&f->names, err) && strbuf_check(&line, err);
    if (ok && line.s)
        show_line("", line.s);
    strbuf_free(&line);
    return ok;
}

static bool images_good(const struct failures *f, struct error *err)
{
    if (f->files == 1 && f->failed == 1)
        return fail(err, "%s", f->first.text);
    if (f->failed > NAMED)
        return fail(err, "%d of %d images cannot be used; the first %d are named above", f->failed, f->files, NAMED);
    return f->failed == 0 || fail(err, "%d of %d images cannot be used; they are named above", f->failed, f->files);
}

bool images_end(struct failures *f, bool ok, struct error *err)
{
    ok = ok && tell_truncated(f, err) && images_good(f, err);
    strbuf_free(&f->names);
    return ok;
}

static bool encode(const struct image *image, const char *path, struct error *err)
{
    enum { QUALITY = 95 };
    const char *dot = strrchr(path_name(path), '.');
    return dot && strcasecmp(dot, ".png") == 0 ? image_write_png(image, path, err)
                                               : image_write_jpeg(image, QUALITY, path, err);
}

bool image_write(const struct image *image, const struct inputs *inputs, const char *folder, const char *name,
                 struct error *err)
{
    char *path = path_join(folder, name, err);
    const bool ok = path && inputs_spared(inputs, path, err) && encode(image, path, err);
    free(path);
    return ok;
}
