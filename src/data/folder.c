#include "data/folder.h"

#include "data/lists.h"
#include "data/picture.h"
#include <stdlib.h>
#include <string.h>

const char *const image_suffixes[] = { ".png", ".jpg", ".jpeg", ".PNG", ".JPG", ".JPEG", NULL };

/* Where in name the suffix begins that is one of those, or NULL. */
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

static bool list_folder(struct names *stems, const char *folder, const char *const *suffixes, struct error *err)
{
    struct names files;
    bool ok = folder_tree(&files, folder, err);
    for (int i = 0; ok && i < files.count; i++) {
        char *suffix = suffix_of(files.list[i], suffixes);
        if (!suffix || is_class_list(path_name(files.list[i])))
            continue;
        *suffix = 0;
        ok = names_add(stems, files.list[i], err);
    }
    names_free(&files);
    return ok;
}

static bool add_line(struct names *stems, char *line, struct error *err)
{
    line += strspn(line, " \t\r");
    for (size_t n = strlen(line); n > 0 && strchr(" \t\r", line[n - 1]); n--)
        line[n - 1] = 0;
    char *slash = strrchr(line, '/'), *suffix = suffix_of(line, image_suffixes);
    if (suffix)
        *suffix = 0;
    line = slash ? slash + 1 : line;
    return *line == 0 || names_add(stems, line, err);
}

static bool read_list(struct names *stems, const char *path, struct error *err)
{
    struct bytes text;
    bool ok = file_read(&text, path, err)
           && (!memchr(text.p, 0, text.size) || fail(err, "%s: is not a text file", path));
    for (char *line = (char *)text.p; ok && line; ) {
        char *stop = strchr(line, '\n');
        if (stop)
            *stop = 0;
        ok = add_line(stems, line, err);
        line = stop ? stop + 1 : NULL;
    }
    bytes_free(&text);
    return ok;
}

bool each_stem(struct dataset_builder *b, const struct dataset_source *source, const char *folder,
               const char *const *suffixes,
               bool (*read)(struct dataset_builder *, const struct dataset_source *, int64_t id, const char *stem,
                            struct error *),
               struct error *err)
{
    struct names stems = {0};
    bool ok = source->image_list ? read_list(&stems, source->image_list, err)
                                 : list_folder(&stems, folder, suffixes, err);
    names_sort(&stems);
    for (int i = 0; ok && i < stems.count; i++)
        ok = (i == 0 || strcmp(stems.list[i], stems.list[i - 1]) != 0
              || fail(err, "%s: two images are called %s", source->image_list ? source->image_list : folder,
                      stems.list[i]))
          && read(b, source, i + 1, stems.list[i], err);
    names_free(&stems);
    return ok;
}

char *stem_path(const char *folder, const char *stem, const char *suffix, struct error *err)
{
    struct text name = {0};
    text_add(&name, "%s%s", stem, suffix);
    char *path = text_ok(&name, err) ? path_join(folder, name.s, err) : NULL;
    text_free(&name);
    return path;
}

char *find_image(struct dataset_builder *b, const struct dataset_source *source, const char *stem,
                 int *width, int *height)
{
    *width = *height = 0;
    for (const char *const *suffix = image_suffixes; *suffix; suffix++) {
        char *path = stem_path(source->img_path, stem, *suffix, NULL);
        if (path && file_exists(path)) {
            if (!picture_size(path, width, height, NULL))
                dataset_note(&b->set, NOTE_NO_IMAGE, "%s", path);
            free(path);
            return stem_path("", stem, *suffix, NULL);
        }
        free(path);
    }
    dataset_note(&b->set, NOTE_NO_IMAGE, "%s", stem);
    return NULL;
}
