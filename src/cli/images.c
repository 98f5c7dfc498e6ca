#include "cli/images.h"

#include "cli/session.h"
#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool is_picture(const char *name)
{
    static const char *const ends[] = { ".jpg", ".jpeg", ".png", ".jfif" };
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof ends / sizeof *ends; i++)
        if (strcasecmp(dot, ends[i]) == 0)
            return true;
    return false;
}

static bool add_folder(struct names *files, const char *folder, struct error *err)
{
    struct names inside = {0};
    const int before = files->count;
    bool ok = folder_list(&inside, folder, err);
    for (int i = 0; ok && i < inside.count; i++) {
        char *path = is_picture(inside.list[i]) ? path_join(folder, inside.list[i], err) : NULL;
        ok = !is_picture(inside.list[i]) || (path && names_add(files, path, err));
        free(path);
    }
    names_free(&inside);
    return ok && (files->count > before || fail(err, "%s: no .jpg, .jpeg, .png or .jfif in this folder", folder));
}

static int ends_search(const char *folder, int number)
{
    (void)folder;
    return number != ENOENT && number != ENOTDIR;
}

static bool add_pattern(struct names *files, const char *pattern, struct error *err)
{
    glob_t found = {0};
    const int end = glob(pattern, 0, ends_search, &found);
    bool ok = end == 0 || fail(err, "%s: %s", pattern, end == GLOB_NOMATCH ? "no such file" :
                               end == GLOB_NOSPACE ? "out of memory" : "a folder of this pattern cannot be read");
    for (size_t i = 0; ok && i < found.gl_pathc; i++)
        ok = names_add(files, found.gl_pathv[i], err);
    globfree(&found);
    return ok;
}

bool images_list(const struct args *args, struct names *files, struct error *err)
{
    bool ok = true;
    for (int i = 0; ok && i < args->rest_count; i++) {
        const char *path = args->rest[i];
        if (strcmp(path, "-") == 0)
            return misuse(err, "%s: '-' goes alone, not with files", args->command->name);
        const enum path_kind kind = path_kind(path, err);
        ok = kind && (kind == PATH_FOLDER ? add_folder : kind == PATH_FILE ? names_add : add_pattern)(files, path, err);
    }
    return ok;
}

bool images_differ(const struct args *args, const struct names *files, const char *out, struct error *err)
{
    struct names names = {0};
    bool ok = true;
    for (int i = 0; ok && i < files->count; i++) {
        char *to = path_join(out, path_name(files->list[i]), err), from_real[PATH_MAX], to_real[PATH_MAX];
        ok = to && names_add(&names, path_name(files->list[i]), err);
        if (ok && realpath(files->list[i], from_real) && realpath(to, to_real) && strcmp(from_real, to_real) == 0)
            ok = misuse(err, "%s: --out would overwrite %s", args->command->name, files->list[i]);
        free(to);
    }
    names_sort(&names);
    for (int i = 1; ok && i < names.count; i++)
        if (strcmp(names.list[i - 1], names.list[i]) == 0)
            ok = misuse(err, "%s: two images are called %s, and --out is one folder", args->command->name,
                        names.list[i]);
    names_free(&names);
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

void image_used(struct failures *f, const struct picture *picture, const char *file)
{
    if (picture->truncated && f->truncated++ < NAMED)
        text_add(&f->names, "%s%s", f->truncated > 1 ? ", " : "", file);
}

static bool tell_truncated(struct failures *f, struct error *err)
{
    struct text line = {0};
    if (f->truncated)
        text_add(&line, "truncated images, read as far as they go: %d of %d: %s%s", f->truncated, f->files,
                 f->names.s ? f->names.s : "", f->truncated > NAMED ? ", ..." : "");
    const bool ok = text_ok(&f->names, err) && text_ok(&line, err);
    if (ok && line.s)
        show_line("", line.s);
    text_free(&line);
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
    text_free(&f->names);
    return ok;
}

bool image_write(const struct picture *picture, const char *folder, const char *name, struct error *err)
{
    enum { QUALITY = 95 };
    const char *dot = strrchr(name, '.');
    char *path = path_join(folder, name, err);
    const bool ok = path && (dot && strcasecmp(dot, ".png") == 0 ? picture_write_png(picture, path, err)
                                                                 : picture_write_jpeg(picture, QUALITY, path, err));
    free(path);
    return ok;
}
