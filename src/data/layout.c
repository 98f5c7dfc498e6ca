/* data/layout.c -- where images, annotations and classes lie in the folders that tools write. */
#include "data/layout.h"

#include "base/memory.h"
#include "base/path.h"
#include "base/strbuf.h"
#include "base/string_list.h"
#include "base/table.h"
#include "data/folder.h"
#include "data/lists.h"
#include "data/readers.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const image_folders[] = {
    "images", "JPEGImages", "Images", "imgs", "img", "obj_train_data", NULL };
const char *const yolo_folders[] = { "labels", "Labels", "annotations", "obj_train_data", NULL };
static const char *const class_files[] = {
    "data.yaml", "data.yml", "dataset.yaml", "classes.txt", "obj.names", "_darknet.labels", NULL };
static const char *const parts[] = { "train", "val", "test", NULL };     /* "valid", "train2017": by prefix */

/* ---- folders ---- */

static bool is_part(const char *name)
{
    for (const char *const *part = parts; *part; part++)
        if (starts_with(name, *part))
            return true;
    return false;
}

/* *found is the first of the folders that exists in folder, NULL if none does. */
static bool first_folder(char **found, const char *folder, const char *const *names, struct error *err)
{
    enum path_kind kind = PATH_ABSENT;
    for (*found = NULL; kind && !*found && *names; names++) {
        char *path = path_join(folder, *names, err);
        kind = path ? path_kind(path, err) : PATH_ERROR;
        if (kind == PATH_FOLDER)
            *found = path;
        else
            free(path);
    }
    return kind != PATH_ERROR;
}

/* True if list, folder_list or folder_tree, finds a file with one of the suffixes that is not a list of classes. */
static bool holds(bool *found, const char *folder, const char *const *suffixes,
                  bool (*list)(struct string_list *, const char *path, struct error *), struct error *err)
{
    struct string_list files = {0};
    const enum path_kind kind = path_kind(folder, err);
    *found = false;
    if (kind != PATH_FOLDER)
        return kind != PATH_ERROR;
    const bool ok = list(&files, folder, err);
    for (int i = 0; i < files.count; i++)
        for (const char *const *suffix = suffixes; *suffix; suffix++)
            *found |= ends_with(files.list[i], *suffix) && !is_class_list(path_name(files.list[i]));
    string_list_free(&files);
    return ok;
}

/* The start of the last component called name in path, or -1. */
static int find_component(const char *path, const char *name)
{
    int found = -1;
    for (const char *p = path; *p; p += strcspn(p, "/"), p += strspn(p, "/"))
        if (strcspn(p, "/") == strlen(name) && starts_with(p, name))
            found = (int)(p - path);
    return found;
}

/* A copy of the first size bytes of a path without slashes at its end; "." if nothing is left. */
static char *folder_copy(const char *path, size_t size, struct error *err)
{
    char *copy = new_text(size ? path : ".", err);
    if (copy && size)
        for (copy[size] = 0; size > 1 && copy[size - 1] == '/'; size--)
            copy[size - 1] = 0;
    return copy;
}

/* folder is root/images/train, for example: *found is root/labels/train, NULL if there is none; *root_size is the
 * length of root with its slash. */
static bool boxes_beside(char **found, const char *folder, const char *const *boxes, int *root_size, struct error *err)
{
    enum path_kind kind = PATH_ABSENT;
    *found = NULL;
    for (const char *const *images = image_folders; kind && !*found && *images; images++) {
        const int root = find_component(folder, *images);
        for (int i = 0; root >= 0 && kind && !*found && boxes[i]; i++) {
            struct strbuf path = {0};
            strbuf_addf(&path, "%.*s%s%s", root, folder, boxes[i], folder + root + strlen(*images));
            kind = strbuf_check(&path, err) ? path_kind(path.s, err) : PATH_ERROR;
            if (kind == PATH_FOLDER) {
                *found = path.s;
                *root_size = root;
            } else
                strbuf_free(&path);
        }
    }
    return kind != PATH_ERROR;
}

/* True if folder/name is a folder that is a part of a set; with reader, only one that holds annotations. */
static bool is_part_of_set(bool *part, const char *folder, const char *name, const struct annotation_reader *reader,
                           struct error *err)
{
    const char *const suffixes[] = { reader ? reader->suffix : "", NULL };
    char *path = path_join(folder, name, err), *boxes = NULL;
    const enum path_kind kind = path ? path_kind(path, err) : PATH_ERROR;
    bool ok = kind != PATH_ERROR;
    *part = kind == PATH_FOLDER;
    if (*part && reader)
        ok = first_folder(&boxes, path, reader->folders, err)
          && (boxes || holds(part, path, suffixes, folder_list, err));
    free(boxes);
    free(path);
    return ok;
}

/* "train, valid": the folders in folder that are parts of a set. */
static bool list_parts(struct strbuf *list, int *count, char first[256], const char *folder,
                       const struct annotation_reader *reader, struct error *err)
{
    struct string_list names = {0};
    bool ok = folder_list(&names, folder, err), part = false;
    *count = 0;
    for (int i = 0; ok && i < names.count; i++) {
        ok = !is_part(names.list[i]) || is_part_of_set(&part, folder, names.list[i], reader, err);
        if (!ok || !is_part(names.list[i]) || !part)
            continue;
        if ((*count)++ == 0)
            snprintf(first, 256, "%s", names.list[i]);
        strbuf_addf(list, "%s%s", *count > 1 ? ", " : "", names.list[i]);
    }
    string_list_free(&names);
    return ok;
}

static bool refuse_parts(const char *folder, const struct annotation_reader *reader, int max, struct error *err)
{
    struct strbuf list = {0};
    char first[256];
    int count;
    const bool ok = list_parts(&list, &count, first, folder, reader, err)
                 && (count <= max || misuse(err, "%s holds several sets, %s: give one of them, as in %s/%s", folder,
                                            list.s ? list.s : "", folder, first));
    strbuf_free(&list);
    return ok;
}

static char *images_in(const char *folder, struct error *err)
{
    char *images;
    if (!first_folder(&images, folder, image_folders, err))
        return NULL;
    return images ? images : folder_copy(folder, strlen(folder), err);
}

/* folder is the root of a set, or root/images/train, or holds images and annotations itself: sets boxes and, if they
 * are found, images. */
static bool locate_boxes(struct set_layout *l, const char *folder, int *root_size, struct error *err)
{
    const struct annotation_reader *reader = &annotation_readers[l->format];
    const char *const suffixes[] = { reader->suffix, NULL };
    bool here = false;
    *root_size = (int)strlen(folder);
    if (!first_folder(&l->annotations, folder, reader->folders, err))
        return false;
    if (l->annotations)
        return (l->images = images_in(folder, err));
    if (!boxes_beside(&l->annotations, folder, reader->folders, root_size, err))
        return false;
    if (l->annotations)
        return (l->images = folder_copy(folder, strlen(folder), err));
    if (!refuse_parts(folder, reader, 0, err) || !holds(&here, folder, suffixes, folder_list, err))
        return false;
    if (!here)
        return fail(err, "%s: holds neither a folder %s of annotations nor a %s file", folder, reader->folders[0],
                    reader->suffix);
    l->images = images_in(folder, err);
    l->annotations = folder_copy(folder, strlen(folder), err);
    return l->images && l->annotations;
}

static bool locate(struct set_layout *l, const char *folder, struct error *err)
{
    int root_size;
    bool images = false;
    if (!locate_boxes(l, folder, &root_size, err) || !(l->root = folder_copy(folder, (size_t)root_size, err))
        || !refuse_parts(l->images, NULL, 1, err))
        return false;
    return !annotation_readers[l->format].lists_images
        || (holds(&images, l->images, image_suffixes, folder_tree, err)
            && (images || fail(err, "%s: there is no JPEG or PNG image in it", l->images)));
}

/* ---- classes ---- */

static bool add_once(struct string_list *lists, const char *path, struct error *err)
{
    for (int i = 0; i < lists->count; i++)
        if (strcmp(lists->list[i], path) == 0)
            return true;
    return string_list_add(lists, path, err);
}

/* Adds the lists of classes in folder and in the folders above it up to root. */
static bool find_lists(struct string_list *lists, const char *folder, const char *root, struct error *err)
{
    char *at = new_text(folder, err);
    bool ok = at != NULL;
    for (bool last = false; ok && !last; ) {
        for (const char *const *file = class_files; ok && *file; file++) {
            char *path = path_join(at, *file, err);
            const enum path_kind kind = path ? path_kind(path, err) : PATH_ERROR;
            ok = kind && (kind != PATH_FILE || add_once(lists, path, err));
            free(path);
        }
        char *slash = strrchr(at, '/');
        last = !slash || strlen(at) <= strlen(root);
        if (!last)
            *slash = 0;
    }
    free(at);
    return ok;
}

/* The lists of classes of a YOLO set; images: NULL or their folder. */
static bool find_yolo_lists(struct string_list *lists, const char *boxes, const char *images, const char *root,
                            struct error *err)
{
    char *above = is_part(path_name(root)) ? path_join(root, "..", err) : new_text(root, err);
    const bool ok = above && find_lists(lists, boxes, root, err) && (!images || find_lists(lists, images, root, err))
                 && find_lists(lists, root, root, err) && find_lists(lists, above, above, err);
    free(above);
    return ok;
}

static bool same_names(const struct string_list *a, const struct string_list *b)
{
    bool same = a->count == b->count;
    for (int i = 0; same && i < a->count; i++)
        same = strcmp(a->list[i], b->list[i]) == 0;
    return same;
}

bool yolo_class_lists(struct string_list *lists, const struct set_layout *l, struct error *err)
{
    return find_yolo_lists(lists, l->annotations, l->images, l->root, err);
}

/* All lists that are found must be equal: the numbers in the files of boxes mean only one of them. */
bool yolo_classes(struct string_list *classes, const struct set_layout *l, struct error *err)
{
    struct string_list lists = {0};
    bool ok = yolo_class_lists(&lists, l, err)
           && (lists.count || misuse(err, "%s: there is no list of classes (data.yaml, classes.txt, obj.names): "
                                     "give one with --classes", l->root))
           && class_list_read(classes, lists.list[0], err);
    for (int i = 1; ok && i < lists.count; i++) {
        struct string_list other;
        ok = class_list_read(&other, lists.list[i], err)
          && (same_names(classes, &other)
              || misuse(err, "%s and %s list different classes: give one of them with --classes", lists.list[0],
                        lists.list[i]));
        string_list_free(&other);
    }
    string_list_free(&lists);
    return ok;
}

/* True if a list has the classes of a set in another order: the numbers in the files of boxes then mean others. */
static bool other_order(const struct string_list *list, const struct dataset_source *source)
{
    if (list->count != source->class_count)
        return false;
    for (int i = 0; i < list->count; i++)
        if (class_find(source->class_names, source->class_count, list->list[i]) < 0)
            return false;
    return true;
}

/* A file whose content is not a list of classes is passed over. */
static bool compare_list(struct dataset *set, const struct dataset_source *source, const char *path,
                         struct error *err)
{
    struct string_list list;
    int i = 0;
    struct error why = {0};
    if (!class_list_read(&list, path, &why))
        return why.content || why.exit == 2 || fail(err, "%s", why.text);       /* 2: no valid YAML */
    while (i < list.count && i < source->class_count && class_name_compare(list.list[i], source->class_names[i]) == 0)
        i++;
    const char *there = i < list.count ? list.list[i] : "none";
    const char *here = i < source->class_count ? source->class_names[i] : "none";
    const bool same = i == list.count && i == source->class_count;
    const bool ok = same || !other_order(&list, source)
                 || misuse(err, "%s has the class_names in another order: class %d is '%s' there, '%s' in class_names; "
                           "correct the wrong one", path, i, there, here);
    if (ok && !same)
        dataset_note(set, NOTE_CLASS_LIST, "%s: class %d is '%s' there, '%s' in class_names", path, i, there, here);
    string_list_free(&list);
    return ok;
}

bool yolo_compare_classes(struct dataset *set, const struct dataset_source *source, struct error *err)
{
    struct string_list lists = {0};
    int root_size = (int)strlen(source->ann_path);
    for (const char *const *name = yolo_folders; *name; name++) {
        const int at = find_component(source->ann_path, *name);
        root_size = at >= 0 ? at : root_size;
    }
    char *boxes = folder_copy(source->ann_path, strlen(source->ann_path), err);
    char *root = folder_copy(source->ann_path, (size_t)root_size, err);
    bool ok = boxes && root && find_yolo_lists(&lists, boxes, NULL, root, err);
    for (int i = 0; ok && i < lists.count; i++)
        ok = compare_list(set, source, lists.list[i], err);
    string_list_free(&lists);
    free(boxes);
    free(root);
    return ok;
}

/* ---- reading ---- */

/* Removes the categories i with now[i] < 0 and their boxes; the others become now[i]. */
static void renumber_categories(struct dataset *set, const int *now)
{
    int categories = 0, boxes = 0;
    for (int i = 0; i < set->image_count; i++) {
        struct image_record *image = &set->images[i];
        const int first = boxes, end = image->first + image->count;
        for (int k = image->first; k < end; k++) {
            struct annotation a = set->annotations[k];
            if (now[a.category] < 0)
                dataset_note(set, NOTE_UNKNOWN_CLASS, "%s: %s", image->file, set->categories[a.category].name);
            else {
                a.category = now[a.category];
                set->annotations[boxes++] = a;
            }
        }
        image->first = first;
        image->count = boxes - first;
    }
    for (int i = 0; i < set->category_count; i++)
        if (now[i] >= 0)
            set->categories[categories++] = set->categories[i];
        else
            free(set->categories[i].name);
    set->category_count = categories;
    set->annotation_count = boxes;
}

/* Keeps the categories of these names, and those of VisDrone that are not classes. */
static bool select_categories(struct dataset *set, const struct string_list *classes, struct error *err)
{
    const char **names = new_array((size_t)set->category_count + 1, sizeof *names, err);
    int *now = new_array((size_t)set->category_count, sizeof *now, err), kept = 0;
    bool ok = names && now;
    for (int i = 0; ok && i < set->category_count; i++) {
        const struct category *category = &set->categories[i];
        names[i] = category->name;
        now[i] = category_is_no_class(category)
              || class_find((const char *const *)classes->list, classes->count, category->name) >= 0 ? kept++ : -1;
    }
    for (int i = 0; ok && i < classes->count; i++)
        ok = class_find(names, set->category_count, classes->list[i]) >= 0
          || misuse(err, "'%s' is not a category of this format; did you mean '%s'?", classes->list[i],
                    nearest_name(classes->list[i], names, sizeof *names));
    if (ok)
        renumber_categories(set, now);
    free(names);
    free(now);
    return ok;
}

static bool read_layout(struct dataset *out, const struct set_layout *l, const char *image_list, const char *class_list,
                        struct error *err)
{
    const struct annotation_reader *reader = &annotation_readers[l->format];
    struct string_list classes = {0};
    bool ok = class_list ? class_list_read(&classes, class_list, err)
            : !reader->classes || reader->classes(&classes, l, err);
    const struct dataset_source source = {
        .format = l->format, .img_path = l->images, .ann_path = l->annotations, .image_list = image_list,
        .class_names = (const char *const *)classes.list, .class_count = classes.count, .classes_chosen = true };
    ok = ok && dataset_read(out, &source, err)
      && (out->image_count || fail(err, "%s: there is no image of the set", l->images))
      && (reader->classes || !class_list || select_categories(out, &classes, err));
    string_list_free(&classes);
    return ok;
}

bool dataset_read_layout(struct dataset *out, const char *format, const char *folder, const char *image_list,
                         const char *class_list, struct error *err)
{
    const struct annotation_reader *const readers = &annotation_readers[DATASET_COCO + 1];
    const struct annotation_reader *reader = find_row(format, readers, sizeof *readers);
    *out = (struct dataset){0};
    if (!reader)
        return misuse(err, "%s: no such format; did you mean %s?", format,
                      nearest_name(format, readers, sizeof *readers));
    struct set_layout l = { .format = (enum dataset_format)(reader - annotation_readers) };
    char *clean = folder_copy(folder, strlen(folder), err);
    const bool ok = clean && locate(&l, clean, err) && read_layout(out, &l, image_list, class_list, err);
    if (!ok)
        dataset_free(out);
    free(clean);
    free(l.root);
    free(l.images);
    free(l.annotations);
    return ok;
}

bool dataset_read_folder(struct dataset *out, const char *format, const char *folder, struct error *err)
{
    return dataset_read_layout(out, format, folder, NULL, NULL, err);
}
