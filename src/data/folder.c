#include "data/folder.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/path.h"
#include "base/strbuf.h"
#include "base/string_list.h"
#include "base/text_file.h"
#include "data/image.h"
#include "data/lists.h"
#include <stdlib.h>
#include <string.h>

const char *const image_suffixes[] = {
    ".png", ".jpg", ".jpeg", ".PNG", ".JPG", ".JPEG", ".Jpg", ".Jpeg", ".Png", ".jpe", ".jfif", NULL };

/* Images of these kinds are found, so that a message can name them. */
static const char *const foreign_suffixes[] = {
    ".webp", ".bmp", ".gif", ".tif", ".tiff", ".heic", ".avif", ".WEBP", ".BMP", ".GIF", ".TIF", ".TIFF", ".HEIC",
    ".AVIF", NULL };

/* The start of the suffix of name if it is one of those, or NULL. */
static char *suffix_of(char *name, const char *const *suffixes)
{
    const size_t n = strlen(name);
    for (; *suffixes; suffixes++) {
        const size_t m = strlen(*suffixes);
        if (n > m && strcmp(name + n - m, *suffixes) == 0)
            return name + n - m;
    }
    return NULL;
}

static int by_text(const void *name, const void *element)
{
    return strcmp(name, *(const char *const *)element);
}

/* Adds the stems of a folder that are not among the sorted ones that are there. */
static bool add_folder(struct string_list *stems, const char *folder, const char *const *suffixes, struct error *err)
{
    const size_t known = (size_t)stems->count;
    struct string_list files;
    bool ok = folder_tree(&files, folder, err);
    for (int i = 0; ok && i < files.count; i++) {
        char *suffix = suffix_of(files.list[i], suffixes);
        if (!suffix || is_class_list(path_name(files.list[i])))
            continue;
        *suffix = 0;
        ok = (known && bsearch(files.list[i], stems->list, known, sizeof *stems->list, by_text))
          || string_list_add(stems, files.list[i], err);
    }
    string_list_free(&files);
    string_list_sort(stems);
    return ok;
}

static bool list_folders(struct string_list *stems, const struct stem_folder folders[2], struct error *err)
{
    bool ok = true;
    for (int i = 0; ok && i < 2 && folders[i].path; i++)
        ok = add_folder(stems, folders[i].path, folders[i].suffixes, err)
          && (folders[i].suffixes != image_suffixes || add_folder(stems, folders[i].path, foreign_suffixes, err));
    return ok;
}

/* PATH_FILE if a folder of the set has a file of that stem. */
static enum path_kind find_stem(const struct dataset_source *source, const struct stem_folder folders[2],
                                const char *stem, struct error *err)
{
    char *image = NULL;
    if (source->img_path && !find_image(&image, source, stem, err))
        return PATH_ERROR;
    enum path_kind kind = image ? PATH_FILE : PATH_ABSENT;
    free(image);
    for (int i = 0; kind == PATH_ABSENT && i < 2 && folders[i].path; i++)
        for (const char *const *suffix = folders[i].suffixes; kind && kind != PATH_FILE && *suffix; suffix++)
            kind = stem_kind(folders[i].path, stem, *suffix, err);
    return kind;
}

/* Sets *stem to the stem that a line names: with folders if the set has a file of that stem in them, else the last part
 * alone.  Cuts the suffix of name, which holds *stem. */
static bool to_stem(char **stem, char *name, const struct dataset_source *source, const struct stem_folder folders[2],
                    struct error *err)
{
    while ((*name == '.' || *name == '/') && strchr(name, '/'))
        name = strchr(name, '/') + 1;
    char *suffix = suffix_of(name, image_suffixes), *slash = strrchr(name, '/');
    suffix = suffix ? suffix : suffix_of(name, foreign_suffixes);
    if (suffix)
        *suffix = 0;
    const enum path_kind kind = slash ? find_stem(source, folders, name, err) : PATH_FILE;
    *stem = kind == PATH_FILE ? name : slash + 1;
    return kind != PATH_ERROR;
}

static bool add_line(struct string_list *stems, const struct dataset_source *source,
                     const struct stem_folder folders[2], const char *line, struct error *err)
{
    const int last = strpbrk(line, "\\%") ? SPELLINGS - 1 : 0;
    for (int i = 0; i <= last; i++) {
        char *name = file_spelling(line, i, err), *stem = NULL;
        bool ok = name && to_stem(&stem, name, source, folders, err);
        const enum path_kind kind = !ok ? PATH_ERROR : i == last ? PATH_FILE : find_stem(source, folders, stem, err);
        ok = kind && (kind != PATH_FILE || !*stem || string_list_add(stems, stem, err));
        free(name);
        if (kind == PATH_FILE || !ok)
            return ok;
    }
    return true;
}

static bool read_list(struct string_list *stems, const struct dataset_source *source,
                      const struct stem_folder folders[2], struct error *err)
{
    struct string_list lines;
    bool ok = text_lines(&lines, source->image_list, err);
    for (int i = 0; ok && i < lines.count; i++)
        ok = add_line(stems, source, folders, lines.list[i], err);
    string_list_free(&lines);
    string_list_sort(stems);
    return ok;
}

bool each_stem(struct dataset_builder *b, const struct dataset_source *source, const struct stem_folder folders[2],
               bool (*read)(struct dataset_builder *, const struct dataset_source *, int64_t id, const char *stem,
                            struct error *),
               struct error *err)
{
    struct string_list stems = {0};
    bool ok = source->image_list ? read_list(&stems, source, folders, err) : list_folders(&stems, folders, err);
    for (int i = 0; ok && i < stems.count; i++)
        if (i > 0 && strcmp(stems.list[i], stems.list[i - 1]) == 0)
            dataset_problem(&b->set, "%s: two images are called %s",
                            source->image_list ? source->image_list : folders[0].path, stems.list[i]);
        else
            ok = read(b, source, i + 1, stems.list[i], err);
    string_list_free(&stems);
    return ok;
}

char *stem_path(const char *folder, const char *stem, const char *suffix, struct error *err)
{
    struct strbuf name = {0};
    strbuf_addf(&name, "%s%s", stem, suffix);
    char *path = strbuf_check(&name, err) ? path_join(folder, name.s, err) : NULL;
    strbuf_free(&name);
    return path;
}

enum path_kind stem_kind(const char *folder, const char *stem, const char *suffix, struct error *err)
{
    char *path = stem_path(folder, stem, suffix, err);
    const enum path_kind kind = path ? path_kind(path, err) : PATH_ERROR;
    free(path);
    return kind;
}

bool find_image(char **file, const struct dataset_source *source, const char *stem, struct error *err)
{
    static const char *const *const suffix_lists[] = { image_suffixes, foreign_suffixes };
    *file = NULL;
    for (int i = 0; i < 2; i++)
        for (const char *const *suffix = suffix_lists[i]; *suffix; suffix++) {
            const enum path_kind kind = stem_kind(source->img_path, stem, *suffix, err);
            if (kind == PATH_FILE)
                *file = stem_path("", stem, *suffix, err);
            if (kind == PATH_FILE || kind == PATH_ERROR)
                return *file;
        }
    return true;
}

bool measure_image(struct image_size *size, struct dataset_builder *b, const struct dataset_source *source,
                   const char *file, struct error *err)
{
    struct error why = {0};
    char *path = path_join(source->img_path, file, &why);
    const bool ok = path && image_size(path, &size->width, &size->height, &why);
    free(path);
    if (ok)
        return true;
    *size = (struct image_size){0};
    if (!why.content)
        return fail(err, "%s", why.text);
    dataset_note(&b->set, NOTE_NO_IMAGE, "%s", why.text);
    return true;
}

/* Sets *there if the text file exists; if it cannot be read, this is a problem of the set. */
static bool read_text(struct image_text *t, bool *there, struct dataset_builder *b, struct error *err)
{
    struct error why;
    const enum path_kind kind = path_kind(t->path, err);
    *there = kind == PATH_FILE;
    if (*there && !text_read_max(&t->text, t->path, IMAGE_TEXT_MAX, &why))
        dataset_problem(&b->set, "%s", why.text);
    return kind != PATH_ERROR;
}

static bool has_box(struct bytes text, box_row_check *is_box)
{
    struct number_rows rows;
    double row[ROW_COLUMNS];
    number_rows_begin(&rows, text, "");
    return number_rows_next_box(&rows, row, is_box, NULL);
}

bool image_text_open(struct image_text *t, struct dataset_builder *b, const struct dataset_source *source,
                     const char *stem, box_row_check *is_box, struct error *err)
{
    *t = (struct image_text){ .path = stem_path(source->ann_path, stem, ".txt", err) };
    bool has_text;
    if (!t->path || (source->img_path && !find_image(&t->file, source, stem, err)) || !read_text(t, &has_text, b, err))
        return false;
    const bool found = t->file != NULL;
    if (!found && !(t->file = stem_path("", stem, ".jpg", err)))
        return false;
    t->stray = source->img_path && !found && !source->image_list && !has_box(t->text, is_box);
    if (t->stray)
        dataset_note(&b->set, NOTE_STRAY, "%s", t->path);
    else if (source->img_path && !measure_image(&t->size, b, source, t->file, err))
        return false;
    if (!t->stray && !has_text)
        dataset_note(&b->set, NOTE_NO_ANNOTATIONS, "%s", t->file);
    return true;
}

void image_text_free(struct image_text *t)
{
    bytes_free(&t->text);
    free(t->path);
    free(t->file);
}

bool note_left_out(struct dataset_builder *b, const struct dataset_source *source, struct error *err)
{
    struct string_list used = {0}, files;
    bool ok = folder_list(&files, source->img_path, err);
    for (int i = 0; ok && i < b->set.image_count; i++)
        ok = string_list_add(&used, b->set.images[i].file, err);
    string_list_sort(&used);
    for (int i = 0; ok && i < files.count; i++)
        if ((suffix_of(files.list[i], image_suffixes) || suffix_of(files.list[i], foreign_suffixes))
            && !(used.count && bsearch(files.list[i], used.list, (size_t)used.count, sizeof *used.list, by_text)))
            dataset_note(&b->set, NOTE_LEFT_OUT, "%s", files.list[i]);
    string_list_free(&used);
    string_list_free(&files);
    return ok;
}

char *name_in_folder(const char *folder, const char *name, struct error *err)
{
    for (int i = 0; i < SPELLINGS && strpbrk(name, "\\%"); i++) {
        char *spelled = file_spelling(name, i, err);
        const enum path_kind kind = spelled ? stem_kind(folder, spelled, "", err) : PATH_ERROR;
        if (kind == PATH_FILE)
            return spelled;
        free(spelled);
        if (!kind)
            return NULL;
    }
    return new_text(name, err);
}
