#include "data/discover_scan.h"

#include "base/memory.h"
#include "base/path.h"
#include "base/table.h"
#include "base/text_file.h"
#include "config/tree.h"
#include "data/folder.h"
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- files ---- */

static bool is_image(const char *path)
{
    for (const char *const *suffix = image_suffixes; *suffix; suffix++)
        if (ends_with(path, *suffix))
            return true;
    return false;
}

static int by_folder(const void *p, const void *q)
{
    const struct image_file *a = p, *b = q;
    const int n = a->folder_length < b->folder_length ? a->folder_length : b->folder_length;
    const int order = memcmp(a->path, b->path, (size_t)n);
    if (order || a->folder_length != b->folder_length)
        return order ? order : a->folder_length - b->folder_length;
    return strcmp(a->path, b->path);
}

static bool list_images(struct scan *s, struct error *err)
{
    s->images = new_array((size_t)s->files.count, sizeof *s->images, err);
    if (!s->images)
        return false;
    for (int i = 0; i < s->files.count; i++) {
        const char *path = s->files.list[i];
        if (is_image(path))
            s->images[s->image_count++] = (struct image_file){ path, (int)(path_name(path) - path) };
    }
    qsort(s->images, (size_t)s->image_count, sizeof *s->images, by_folder);
    return true;
}

bool scan_has_file(const struct scan *s, const char *path) { return string_list_contains(&s->files, path); }

bool scan_has_folder(const struct scan *s, const char *path, size_t length)
{
    int low = 0, high = s->files.count;
    while (length && low < high) {                      /* the first file that is not below path/ in byte order */
        const int middle = low + (high - low) / 2;
        const char *file = s->files.list[middle];
        const int order = strncmp(file, path, length);
        if (order < 0 || (order == 0 && file[length] < '/'))
            low = middle + 1;
        else
            high = middle;
    }
    return !length || (low < s->files.count && strncmp(s->files.list[low], path, length) == 0
                       && s->files.list[low][length] == '/');
}

/* ---- data.yaml ---- */

/* The longest end of the path that exists, such as images/train of /content/set/images/train. */
static bool find_end(char **found, const struct scan *s, const char *path, struct error *err)
{
    *found = NULL;
    for (const char *p = path; !*found && p; p = strchr(p, '/')) {
        p += strspn(p, "/");
        while (starts_with(p, "./") || starts_with(p, "../"))
            p = strchr(p, '/') + 1;
        size_t length = strlen(p);
        while (length && p[length - 1] == '/')
            length--;
        if (!length)
            break;
        if (!scan_has_file(s, p) && !scan_has_folder(s, p, length))
            continue;
        *found = new_text(p, err);
        if (!*found)
            return false;
        (*found)[length] = 0;
    }
    return true;
}

static bool read_yaml(struct scan *s, const char *name, struct error *err)
{
    static const char *const keys[PARTS] = { NULL, "train", "val", "test" };
    struct bytes text = {0};
    struct entry root = {0};
    struct error why = {0};
    char *path = path_join(s->folder, name, err);
    bool ok = path && text_read_max(&text, path, TREE_FILE_MAX, err);
    if (ok && tree_parse(&root, text.p, text.size, path, &why))         /* the reader of classes reports bad YAML */
        for (int part = PART_TRAIN; ok && part < PARTS; part++) {
            const struct entry *value = tree_find(&root, keys[part]);
            if (value && value->kind == LIST && value->count == 1)
                value = value->child;
            if (value && value->text && !s->yaml[part])
                ok = find_end(&s->yaml[part], s, value->text, err);
        }
    tree_free(&root);
    bytes_free(&text);
    free(path);
    return ok;
}

bool scan_open(struct scan *s, const char *folder, struct error *err)
{
    static const char *const names[] = { "data.yaml", "data.yml", "dataset.yaml", "dataset.yml", NULL };
    *s = (struct scan){ .folder = folder };
    const enum path_kind kind = path_kind(folder, err);
    if (kind == PATH_ERROR)
        return false;
    if (kind != PATH_FOLDER)
        return fail(err, "%s: %s", folder, kind == PATH_FILE ? "is a file; give the folder of the data set"
                                                             : "No such file or directory");
    bool ok = folder_tree(&s->files, folder, err) && list_images(s, err);
    for (const char *const *name = names; ok && *name; name++)
        ok = !scan_has_file(s, *name) || read_yaml(s, *name, err);
    return ok && (s->image_count || fail(err, "%s: there is no JPEG or PNG image in it", folder));
}

void scan_free(struct scan *s)
{
    for (int part = 0; part < PARTS; part++)
        free(s->yaml[part]);
    string_list_free(&s->files);
    free(s->images);
    *s = (struct scan){0};
}

/* ---- parts ---- */

static const struct part_name { const char *name; enum part part; } part_names[] = {
    { "train", PART_TRAIN }, { "training", PART_TRAIN }, { "val", PART_VAL }, { "valid", PART_VAL },
    { "validation", PART_VAL }, { "test", PART_TEST }, { "testing", PART_TEST }, {0} };

/* The part that a word of a name means: "train", "train2017", "val" of VisDrone2019-DET-val. */
static enum part part_of_name(const char *name, size_t length)
{
    for (size_t i = 0, n; i < length; i += n + 1) {
        for (n = 0; i + n < length && isalpha((unsigned char)name[i + n]); n++) ;
        for (const struct part_name *row = part_names; n && row->name; row++)
            if (strlen(row->name) == n && strncasecmp(row->name, name + i, n) == 0)
                return row->part;
    }
    return PART_NONE;
}

static bool lies_below(const char *path, size_t length, const char *folder)
{
    const size_t n = strlen(folder);
    return n <= length && strncmp(path, folder, n) == 0 && (n == length || path[n] == '/');
}

enum part part_of_path(const struct scan *s, const char *path, size_t length, size_t *end)
{
    for (int part = PART_TRAIN; part < PARTS; part++)
        if (s->yaml[part] && lies_below(path, length, s->yaml[part])) {
            *end = strlen(s->yaml[part]);
            return (enum part)part;
        }
    for (size_t at = 0, n; at < length; at += n + 1) {
        n = strcspn(path + at, "/");
        n = n < length - at ? n : length - at;
        const enum part part = part_of_name(path + at, n);
        *end = at + n;
        if (part)
            return part;
    }
    *end = 0;
    return PART_NONE;
}

void found_part_free(struct found_part *p)
{
    free(p->img_path);
    free(p->ann_path);
    free(p->image_list);
    *p = (struct found_part){0};
}

void take_parts(struct discovery *d, struct found_part found[PARTS])
{
    const enum part val = found[PART_VAL].ann_path ? PART_VAL : PART_TEST;
    const enum part train = found[PART_TRAIN].ann_path ? PART_TRAIN : found[PART_NONE].ann_path ? PART_NONE : val;
    d->train = found[train];
    found[train] = (struct found_part){0};
    if (train == PART_TRAIN) {
        d->val = found[val];
        found[val] = (struct found_part){0};
    }
    for (int part = 0; part < PARTS; part++)
        found_part_free(&found[part]);
}

bool discovery_note(struct discovery *d, struct error *err, const char *format, ...)
{
    char line[sizeof err->text];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    return string_list_add(&d->notes, line, err);
}
