#include "data/image_annotations.h"

#include "base/file.h"
#include "base/path.h"
#include "base/string_list.h"
#include "base/text_file.h"
#include "data/folder.h"
#include "data/readers.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct annotation_reader *reader_of(const struct dataset_source *source)
{
    return &annotation_readers[source->format];
}

static bool add_box(struct dataset_builder *b, const struct dataset_source *source, int64_t image,
                    const struct named_box *box, const char *path, struct error *err)
{
    const double w = box->x2 - box->x1, h = box->y2 - box->y1;
    const int class = name_index_find_first(&b->classes, box->name);
    const struct annotation a = { .id = b->pending_count + 1, .line = box->line, .shape = box->shape, .area = w * h,
                                  .box = { box->x1, box->y1, w, h } };
    char at[512];
    if (box->line)
        snprintf(at, sizeof at, "%s:%d", path, box->line);
    else
        snprintf(at, sizeof at, "%s: shape %d", path, box->shape);
    if (class < 0)
        dataset_note(&b->set, NOTE_UNKNOWN_CLASS, "%s: '%s', the nearest class is '%s'", at, box->name,
                     dataset_note_full(&b->set, NOTE_UNKNOWN_CLASS) ? "" :      /* not kept, and slow to find */
                     class_nearest(source->class_names, source->class_count, box->name));
    else if (w < 0 || h < 0)
        dataset_note(&b->set, NOTE_DEGENERATE, "%s", at);
    else
        return build_annotation(b, &a, image, class + 1, at, err);
    return true;
}

/* PATH_FILE if file, unlike own, is the image of another annotation file. */
static enum path_kind find_other(const struct dataset_source *source, const char *file, const char *own,
                                 struct error *err)
{
    char stem[256];
    const char *name = path_name(file);
    snprintf(stem, sizeof stem, "%.*s", path_stem_length(name), name);
    return strcmp(file, own) != 0 ? stem_kind(source->ann_path, stem, reader_of(source)->suffix, err) : PATH_ABSENT;
}

/* The name of the image, whether there is such a file or not. */
static char *image_of(struct dataset_builder *b, const struct dataset_source *source, const char *stem,
                      const char *filename, const char *path, struct error *err)
{
    char *own, *named = NULL;
    enum path_kind there = PATH_ERROR, other = PATH_ABSENT;
    if (find_image(&own, source, stem, err))
        named = *filename ? name_in_folder(source->img_path, filename, err) : stem_path("", stem, ".jpg", err);
    if (named)
        there = stem_kind(source->img_path, named, "", err);
    if (own && there == PATH_FILE)
        other = find_other(source, named, own, err);
    if (other == PATH_FILE)
        dataset_note(&b->set, NOTE_STALE_NAME, "%s: %s", path, filename);
    const bool known = there && other, use_own = own && (other == PATH_FILE || there != PATH_FILE);
    free(known && use_own ? named : own);
    if (!known)
        free(named);
    return !known ? NULL : use_own ? own : named;
}

/* Reads the annotation file of a stem.  A file that cannot be used becomes a problem and has no boxes. */
static bool read_file(struct image_annotations *out, bool *usable, char **path, struct dataset *set,
                      const struct dataset_source *source, const char *stem, struct error *err)
{
    const struct annotation_reader *reader = reader_of(source);
    struct bytes text = {0};
    struct error why = {0};
    *out = (struct image_annotations){0};
    *path = stem_path(source->ann_path, stem, reader->suffix, err);
    if (!*path)
        return false;
    const bool read = text_read_max(&text, *path, IMAGE_TEXT_MAX, &why);
    *usable = read && reader->parse(out, text, *path, set);
    if (!read)
        dataset_problem(set, "%s", why.text);
    bytes_free(&text);
    return true;
}

static bool read_image(struct dataset_builder *b, const struct dataset_source *source, int64_t id, const char *stem,
                       struct error *err)
{
    struct image_annotations found;
    char *path, *file = NULL;
    bool usable, ok = read_file(&found, &usable, &path, &b->set, source, stem, err);
    if (ok && usable) {
        file = image_of(b, source, stem, found.file, path, err);
        ok = file && build_image(b, id, file, found.width, found.height, err);
        struct image_size size = {0};
        ok = ok && measure_image(&size, b, source, file, err);
        if (ok && size.width)
            dataset_measure(&b->set, b->set.image_count - 1, size.width, size.height, true);
    }
    for (int i = 0; ok && i < found.count; i++)
        ok = add_box(b, source, id, &found.boxes[i], path, err);
    free(file);
    image_annotations_free(&found);
    free(path);
    return ok;
}

bool image_annotations_read(struct dataset_builder *b, const struct dataset_source *source, struct error *err)
{
    const char *const suffixes[] = { reader_of(source)->suffix, NULL };
    const struct stem_folder folders[2] = { { source->ann_path, suffixes } };
    b->clip = true;
    return build_classes(b, source->class_names, source->class_count, err)
        && each_stem(b, source, folders, read_image, err)
        && (source->image_list || note_left_out(b, source, err));
}

void image_annotations_free(struct image_annotations *a)
{
    free(a->boxes);
    *a = (struct image_annotations){0};
}

/* ---- the classes of a folder ---- */

/* The names so far: the first `distinct` are sorted and differ. */
struct class_set { struct dataset_builder builder; struct string_list names; int distinct; };

static void sort_classes(struct class_set *set)
{
    struct string_list *names = &set->names;
    int kept = 0;
    string_list_sort(names);
    for (int i = 0; i < names->count; i++)
        if (kept && strcmp(names->list[i], names->list[kept - 1]) == 0)
            free(names->list[i]);
        else
            names->list[kept++] = names->list[i];
    names->count = set->distinct = kept;
}

/* Sorts only after as many new names as were known, so that many classes take no quadratic time. */
static bool add_class(struct class_set *set, const char *name, struct error *err)
{
    enum { FEW = 100 };
    const struct string_list known = { .list = set->names.list, .count = set->distinct };
    if (string_list_contains(&known, name))
        return true;
    if (!string_list_add(&set->names, name, err))
        return false;
    if (set->names.count > 2 * set->distinct + FEW)
        sort_classes(set);
    return true;
}

/* b is the first member of a class_set. */
static bool collect_classes(struct dataset_builder *b, const struct dataset_source *source, int64_t id,
                            const char *stem, struct error *err)
{
    struct image_annotations found;
    char *path;
    bool usable, ok = read_file(&found, &usable, &path, &b->set, source, stem, err);
    (void)id;
    for (int i = 0; ok && i < found.count; i++)
        ok = add_class((struct class_set *)b, found.boxes[i].name, err);
    image_annotations_free(&found);
    free(path);
    return ok;
}

bool image_annotations_classes(struct string_list *classes, const struct set_layout *layout, struct error *err)
{
    const char *const folder = layout->annotations;
    const struct dataset_source source = { .format = layout->format, .img_path = folder, .ann_path = folder };
    const char *const suffixes[] = { reader_of(&source)->suffix, NULL };
    const struct stem_folder folders[2] = { { folder, suffixes } };
    struct class_set set = {0};
    const bool ok = each_stem(&set.builder, &source, folders, collect_classes, err)
                 && dataset_sound(&set.builder.set, folder, err);       /* a file that was not read may have more */
    build_free(&set.builder);
    sort_classes(&set);
    if (!ok)
        string_list_free(&set.names);
    *classes = set.names;
    return ok && (classes->count || fail(err, "%s: there is no object in it", folder));
}
