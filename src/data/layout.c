/* data/layout.c -- where images, annotations and classes lie in the folders that tools write. */
#include "data/layout.h"

#include "base/memory.h"
#include "base/table.h"
#include "base/text.h"
#include "data/folder.h"
#include "data/lists.h"
#include "data/voc.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const image_folders[] = {
    "images", "JPEGImages", "Images", "imgs", "img", "obj_train_data", NULL };
static const char *const voc_folders[] = {
    "Annotations", "annotations", "annots", "Annots", "labels", "xmls", "xml", NULL };
static const char *const yolo_folders[] = { "labels", "Labels", "annotations", "obj_train_data", NULL };
static const char *const visdrone_folders[] = { "annotations", "Annotations", "annots", NULL };
static const char *const class_files[] = {
    "data.yaml", "data.yml", "dataset.yaml", "classes.txt", "obj.names", "_darknet.labels", NULL };
static const char *const parts[] = { "train", "val", "test", NULL };     /* "valid", "train2017": by their beginnings */

struct layout;
typedef bool read_classes(struct names *, const struct layout *, struct error *);
static read_classes voc_layout_classes, yolo_layout_classes;

static const struct format {
    const char *name;
    enum dataset_format format;
    const char *suffix;                         /* of a file of annotations */
    const char *const *folders;                 /* names of the folder of annotations */
    read_classes *classes;                      /* NULL: the format has its own */
    bool wants_images;
} formats[] = {
    { "visdrone", DATASET_VISDRONE, ".txt", visdrone_folders, NULL,                true },
    { "voc",      DATASET_XML,      ".xml", voc_folders,      voc_layout_classes,  false },
    { "yolo",     DATASET_YOLO,     ".txt", yolo_folders,     yolo_layout_classes, true },
    {0} };

struct layout { const struct format *format; char *root, *images, *boxes; };

/* ---- folders ---- */

static bool is_part(const char *name)
{
    for (const char *const *part = parts; *part; part++)
        if (starts_with(name, *part))
            return true;
    return false;
}

/* The first of the folders that exists in folder; NULL if none does. */
static char *first_folder(const char *folder, const char *const *names)
{
    for (; *names; names++) {
        char *path = path_join(folder, *names, NULL);
        if (path && folder_exists(path))
            return path;
        free(path);
    }
    return NULL;
}

/* Whether list, folder_list or folder_tree, finds a file with one of the suffixes that is no list of classes. */
static bool holds(const char *folder, const char *const *suffixes,
                  bool (*list)(struct names *, const char *path, struct error *))
{
    struct names files = {0};
    bool found = false;
    if (folder_exists(folder) && list(&files, folder, NULL))
        for (int i = 0; i < files.count; i++)
            for (const char *const *suffix = suffixes; *suffix; suffix++)
                found |= ends_in(files.list[i], *suffix) && !is_class_list(path_name(files.list[i]));
    names_free(&files);
    return found;
}

/* Where the last component called name begins in path, or -1. */
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

/* folder is root/images/train, for example: annotations are in root/labels/train.  NULL if there are none. */
static char *boxes_beside(const char *folder, const char *const *boxes, int *root_size)
{
    for (const char *const *images = image_folders; *images; images++) {
        *root_size = find_component(folder, *images);
        for (int i = 0; *root_size >= 0 && boxes[i]; i++) {
            struct text path = {0};
            text_add(&path, "%.*s%s%s", *root_size, folder, boxes[i], folder + *root_size + strlen(*images));
            if (path.s && folder_exists(path.s))
                return path.s;
            text_free(&path);
        }
    }
    return NULL;
}

/* "train, valid": the folders in folder that are parts of a set; with format, only those that hold annotations. */
static int list_parts(struct text *list, char first[256], const char *folder, const struct format *format)
{
    const char *const suffixes[] = { format ? format->suffix : "", NULL };
    struct names names = {0};
    int count = 0;
    if (!folder_list(&names, folder, NULL))
        return 0;
    for (int i = 0; i < names.count; i++) {
        char *path = is_part(names.list[i]) ? path_join(folder, names.list[i], NULL) : NULL;
        char *boxes = path && format ? first_folder(path, format->folders) : NULL;
        if (path && folder_exists(path) && (!format || boxes || holds(path, suffixes, folder_list))) {
            if (count++ == 0)
                snprintf(first, 256, "%s", names.list[i]);
            text_add(list, "%s%s", count > 1 ? ", " : "", names.list[i]);
        }
        free(boxes);
        free(path);
    }
    names_free(&names);
    return count;
}

static bool refuse_parts(const char *folder, const struct format *format, int max, struct error *err)
{
    struct text list = {0};
    char first[256];
    const bool ok = list_parts(&list, first, folder, format) <= max
                 || misuse(err, "%s holds several sets, %s: give one of them, as in %s/%s", folder,
                           list.s ? list.s : "", folder, first);
    text_free(&list);
    return ok;
}

static char *images_in(const char *folder, struct error *err)
{
    char *images = first_folder(folder, image_folders);
    return images ? images : folder_copy(folder, strlen(folder), err);
}

/* folder is the root of a set, or root/images/train, or holds images and annotations itself. */
static bool locate(struct layout *l, const char *folder, struct error *err)
{
    const struct format *format = l->format;
    const char *const suffixes[] = { format->suffix, NULL };
    int root_size = (int)strlen(folder);
    if ((l->boxes = first_folder(folder, format->folders)))
        l->images = images_in(folder, err);
    else if ((l->boxes = boxes_beside(folder, format->folders, &root_size)))
        l->images = folder_copy(folder, strlen(folder), err);
    else if (!refuse_parts(folder, format, 0, err))
        return false;
    else if (holds(folder, suffixes, folder_list)) {
        root_size = (int)strlen(folder);
        l->images = images_in(folder, err);
        l->boxes = folder_copy(folder, strlen(folder), err);
    } else
        return fail(err, "%s: holds neither a folder %s of annotations nor a %s file", folder, format->folders[0],
                    format->suffix);
    l->root = folder_copy(folder, (size_t)root_size, err);
    if (!l->root || !l->images || !l->boxes || !refuse_parts(l->images, NULL, 1, err))
        return false;
    return !format->wants_images || holds(l->images, image_suffixes, folder_tree)
        || fail(err, "%s: there is no JPEG or PNG image in it", l->images);
}

/* ---- classes ---- */

static bool voc_layout_classes(struct names *classes, const struct layout *l, struct error *err)
{
    return voc_classes(classes, l->boxes, err)
        && (classes->count || fail(err, "%s: there is no object in it", l->boxes));
}

static bool add_once(struct names *lists, const char *path, struct error *err)
{
    for (int i = 0; i < lists->count; i++)
        if (strcmp(lists->list[i], path) == 0)
            return true;
    return names_add(lists, path, err);
}

/* Adds the lists of classes in folder and in the folders above it up to root. */
static bool find_lists(struct names *lists, const char *folder, const char *root, struct error *err)
{
    char *at = new_text(folder, err);
    bool ok = at != NULL;
    for (bool last = false; ok && !last; ) {
        for (const char *const *file = class_files; ok && *file; file++) {
            char *path = path_join(at, *file, err);
            ok = path && (!file_exists(path) || add_once(lists, path, err));
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
static bool find_yolo_lists(struct names *lists, const char *boxes, const char *images, const char *root,
                            struct error *err)
{
    char *above = is_part(path_name(root)) ? path_join(root, "..", err) : new_text(root, err);
    const bool ok = above && find_lists(lists, boxes, root, err) && (!images || find_lists(lists, images, root, err))
                 && find_lists(lists, root, root, err) && find_lists(lists, above, above, err);
    free(above);
    return ok;
}

static bool same_names(const struct names *a, const struct names *b)
{
    bool same = a->count == b->count;
    for (int i = 0; same && i < a->count; i++)
        same = strcmp(a->list[i], b->list[i]) == 0;
    return same;
}

/* All lists that are found must be equal: the numbers in the files of boxes mean only one of them. */
static bool yolo_layout_classes(struct names *classes, const struct layout *l, struct error *err)
{
    struct names lists = {0};
    bool ok = find_yolo_lists(&lists, l->boxes, l->images, l->root, err)
           && (lists.count || misuse(err, "%s: there is no list of classes (data.yaml, classes.txt, obj.names): "
                                     "give one with --classes", l->root))
           && class_list_read(classes, lists.list[0], err);
    for (int i = 1; ok && i < lists.count; i++) {
        struct names other;
        ok = class_list_read(&other, lists.list[i], err)
          && (same_names(classes, &other)
              || misuse(err, "%s and %s list different classes: give one of them with --classes", lists.list[0],
                        lists.list[i]));
        names_free(&other);
    }
    names_free(&lists);
    return ok;
}

/* Whether a list has the classes of a set in another order: the numbers in the files of boxes then mean others. */
static bool other_order(const struct names *list, const struct dataset_source *source)
{
    if (list->count != source->class_count)
        return false;
    for (int i = 0; i < list->count; i++)
        if (class_find(source->class_names, source->class_count, list->list[i]) < 0)
            return false;
    return true;
}

/* A file that cannot be read as a list of classes is none. */
static bool compare_list(struct dataset *set, const struct dataset_source *source, const char *path,
                         struct error *err)
{
    struct names list;
    int i = 0;
    if (!class_list_read(&list, path, NULL))
        return true;
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
    names_free(&list);
    return ok;
}

bool yolo_compare_classes(struct dataset *set, const struct dataset_source *source, struct error *err)
{
    struct names lists = {0};
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
    names_free(&lists);
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
        struct image *image = &set->images[i];
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

/* Keeps the categories of these names, and those of VisDrone that are no class. */
static bool select_categories(struct dataset *set, const struct names *classes, struct error *err)
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
          || misuse(err, "'%s' is no category of this format; did you mean '%s'?", classes->list[i],
                    nearest_name(classes->list[i], names, sizeof *names));
    if (ok)
        renumber_categories(set, now);
    free(names);
    free(now);
    return ok;
}

static bool read_layout(struct dataset *out, const struct layout *l, const char *image_list, const char *class_list,
                        struct error *err)
{
    struct names classes = {0};
    bool ok = class_list ? class_list_read(&classes, class_list, err)
            : !l->format->classes || l->format->classes(&classes, l, err);
    const struct dataset_source source = {
        .format = l->format->format, .img_path = l->images, .ann_path = l->boxes, .image_list = image_list,
        .class_names = (const char *const *)classes.list, .class_count = classes.count, .classes_chosen = true };
    ok = ok && dataset_read(out, &source, err)
      && (out->image_count || fail(err, "%s: there is no image of the set", l->images))
      && (l->format->classes || !class_list || select_categories(out, &classes, err));
    names_free(&classes);
    return ok;
}

bool dataset_read_layout(struct dataset *out, const char *format, const char *folder, const char *image_list,
                         const char *class_list, struct error *err)
{
    struct layout l = { .format = find_row(format, formats, sizeof *formats) };
    *out = (struct dataset){0};
    if (!l.format)
        return misuse(err, "%s: no such format; did you mean %s?", format,
                      nearest_name(format, formats, sizeof *formats));
    char *clean = folder_copy(folder, strlen(folder), err);
    const bool ok = clean && locate(&l, clean, err) && read_layout(out, &l, image_list, class_list, err);
    if (!ok)
        dataset_free(out);
    free(clean);
    free(l.root);
    free(l.images);
    free(l.boxes);
    return ok;
}

bool dataset_read_folder(struct dataset *out, const char *format, const char *folder, struct error *err)
{
    return dataset_read_layout(out, format, folder, NULL, NULL, err);
}
