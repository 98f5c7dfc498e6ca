#include "data/lists.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/name_index.h"
#include "base/path.h"
#include "base/strbuf.h"
#include "base/string_list.h"
#include "base/table.h"
#include "base/text_file.h"
#include "config/tree.h"
#include "data/folder.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- classes ---- */

/* The index of a class name: its place i in a list, or its key 0, 1, ... in a section; -1 if it is not a class name. */
static int place_of(const struct entry *list, const struct entry *name, int i)
{
    char key[16];
    const int place = list->kind == LIST ? i : (int)strtol(name->name, NULL, 10);
    snprintf(key, sizeof key, "%d", place);
    const bool good = (list->kind == LIST || strcmp(key, name->name) == 0) && place >= 0 && place < list->count;
    return good && name->text && !entry_is_null(name) ? place : -1;
}

/* Children 0, 1, ... of a list or of a section, whose keys differ. */
static bool read_names(struct string_list *classes, const struct entry *list, const char *path, struct error *err)
{
    const char **names = new_array((size_t)list->count, sizeof *names, err);
    bool ok = names != NULL;
    int i = 0;
    for (const struct entry *name = list->child; ok && name; name = name->next, i++) {
        const int place = place_of(list, name, i);
        ok = place >= 0 || reject(err, "%s:%d: names must be a list of strings, or have the keys 0 to %d", path,
                                  list->place.line, list->count - 1);
        if (ok)
            names[place] = name->text;
    }
    for (i = 0; ok && i < list->count; i++)
        ok = string_list_add(classes, names[i], err);
    free(names);
    return ok;
}

static bool read_yaml(struct string_list *classes, const char *path, struct error *err)
{
    struct bytes text;
    struct entry root = {0};
    const bool parsed = text_read_max(&text, path, TREE_FILE_MAX, err)
                     && tree_parse(&root, text.p, text.size, path, err);
    const struct entry *list = parsed ? tree_find(&root, "names") : NULL;
    const bool ok = parsed && (list || reject(err, "%s: has no key names", path))
                 && read_names(classes, list, path, err);
    tree_free(&root);
    bytes_free(&text);
    return ok;
}

static bool is_yaml(const char *path) { return ends_with(path, ".yaml") || ends_with(path, ".yml"); }

static bool check_classes(const struct string_list *classes, const char *path, struct error *err)
{
    if (classes->count == 0)
        return reject(err, "%s: names no class", path);
    struct name_index index;
    bool ok = name_index_from_names(&index, classes->count, (const char *const *)classes->list, strcmp, err);
    for (int i = 0; ok && i < classes->count; i++)
        ok = name_index_find_first(&index, classes->list[i]) == i
          || reject(err, "%s: names the class '%s' twice", path, classes->list[i]);
    name_index_free(&index);
    return ok;
}

bool class_list_read(struct string_list *classes, const char *path, struct error *err)
{
    *classes = (struct string_list){0};
    const bool ok = (is_yaml(path) ? read_yaml(classes, path, err) : text_lines(classes, path, err))
                 && check_classes(classes, path, err);
    if (!ok)
        string_list_free(classes);
    return ok;
}

bool is_class_list(const char *name)
{
    static const struct { const char *name; } lists[] = { { "classes.txt" }, { "predefined_classes.txt" }, {0} };
    return find_row(name, lists, sizeof *lists) != NULL;
}

/* ---- images ---- */

/* Length without the suffix of an image. */
static size_t stem_length(const char *path)
{
    for (const char *const *suffix = image_suffixes; *suffix; suffix++)
        if (ends_with(path, *suffix))
            return strlen(path) - strlen(*suffix);
    return strlen(path);
}

static int compare_stems(const char *a, const char *b)
{
    const size_t n = stem_length(a), m = stem_length(b);
    const int order = memcmp(a, b, n < m ? n : m);
    return order ? order : (n > m) - (n < m);
}

static const char *key_path_of(const void *set, int i) { return ((const struct dataset *)set)->images[i].file; }
static const char *name_of(const void *set, int i) { return path_name(key_path_of(set, i)); }

struct lost { int count; struct strbuf first; };          /* lines that mean no one image */

static void lose(struct lost *lost, const char *line, const char *why)
{
    enum { SHOWN = 5 };
    if (lost->count < SHOWN)
        strbuf_addf(&lost->first, "%s%.60s%s", lost->count ? ", " : "", line, why);
    else if (lost->count == SHOWN)
        strbuf_addf(&lost->first, ", ...");
    lost->count++;
}

/* The image that a line means in one of its spellings; else NAME_ABSENT or NAME_AMBIGUOUS. */
static int image_of_line(const struct name_index *paths, const struct name_index *names, const char *line)
{
    int image = NAME_ABSENT;
    for (int i = 0; i < SPELLINGS && image == NAME_ABSENT; i++) {
        char *spelled = file_spelling(line, i, NULL);
        if (!spelled)
            break;
        const char *path = starts_with(spelled, "./") ? spelled + 2 : spelled;
        image = name_index_find_unique(paths, path);
        if (image == NAME_ABSENT)
            image = name_index_find_unique(names, path_name(path));
        free(spelled);
    }
    return image;
}

static void mark(bool *keep, struct lost *lost, const struct name_index *paths, const struct name_index *names,
                 const char *line)
{
    const int image = image_of_line(paths, names, line);
    if (image < 0)
        lose(lost, line, image == NAME_AMBIGUOUS ? " (several images)" : "");
    else if (keep[image])
        lose(lost, line, " (a second time)");
    else
        keep[image] = true;
}

bool image_list_keep(struct dataset_builder *b, const char *list, struct error *err)
{
    const struct dataset *set = &b->set;
    struct string_list lines = {0};
    struct name_index paths = {0}, names = {0};
    struct lost lost = {0};
    bool *keep = new_array((size_t)set->image_count, sizeof *keep, err);
    bool ok = keep && text_lines(&lines, list, err)
           && name_index_build(&paths, set->image_count, key_path_of, set, compare_stems, err)
           && name_index_build(&names, set->image_count, name_of, set, compare_stems, err);
    for (int i = 0; ok && i < lines.count; i++)
        mark(keep, &lost, &paths, &names, lines.list[i]);
    ok = ok && strbuf_check(&lost.first, err)
      && (lost.count == 0 || fail(err, "%s: %d of %d lines do not name one image of the annotations: %s", list,
                                  lost.count, lines.count, lost.first.s))
      && build_keep_images(b, keep, err);
    strbuf_free(&lost.first);
    name_index_free(&names);
    name_index_free(&paths);
    string_list_free(&lines);
    free(keep);
    return ok;
}
