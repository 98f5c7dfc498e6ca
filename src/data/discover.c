#include "data/discover.h"

#include "base/memory.h"
#include "base/name_index.h"
#include "base/path.h"
#include "base/strbuf.h"
#include "base/text_file.h"
#include "data/dataset_builder.h"
#include "data/dataset_read.h"
#include "data/discover_scan.h"
#include "data/layout.h"
#include "data/lists.h"
#include "data/number_rows.h"
#include "data/readers.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the folder of annotations that belongs to a folder of images ---- */

/* The images of a folder, and the folder with most of their annotation files; NULL: there is none. */
struct pair { const struct image_file *images; int count; char *boxes; int matched; };
struct pairs { struct pair *list; int count, matched; };

static void free_pairs(struct pairs *p)
{
    for (int i = 0; i < p->count; i++)
        free(p->list[i].boxes);
    free(p->list);
    *p = (struct pairs){0};
}

/* The path, below the folder of the scan, of the annotation file of an image in a folder; free() it. */
static char *annotation_of(const struct image_file *image, const char *folder, const char *suffix, struct error *err)
{
    struct strbuf path = {0};
    strbuf_addf(&path, "%s%s%.*s%s", folder, *folder ? "/" : "", path_stem_length(image->path) - image->folder_length,
                image->path + image->folder_length, suffix);
    return strbuf_take(&path, err);
}

/* *matches: images whose stem has an annotation file in the folder. */
static bool count_matches(int *matches, const struct scan *s, const struct pair *pair, const char *folder,
                          const char *suffix, struct error *err)
{
    bool ok = true;
    *matches = 0;
    for (int i = 0; ok && i < pair->count; i++) {
        char *path = annotation_of(&pair->images[i], folder, suffix, err);
        ok = path != NULL;
        *matches += ok && scan_has_file(s, path);
        free(path);
    }
    return ok;
}

/* Takes a folder, whose path is formatted as by printf, if it has more annotation files of the images than the one so
 * far. */
static bool try_folder(struct pair *pair, const struct scan *s, const char *suffix, struct error *err,
                       const char *format, ...) PRINTF_LIKE(5, 6);
static bool try_folder(struct pair *pair, const struct scan *s, const char *suffix, struct error *err,
                       const char *format, ...)
{
    char folder[4096];
    va_list args;
    va_start(args, format);
    vsnprintf(folder, sizeof folder, format, args);
    va_end(args);
    if (!scan_has_folder(s, folder, strlen(folder)))
        return true;
    int matched;
    if (!count_matches(&matched, s, pair, folder, suffix, err))
        return false;
    if (matched <= pair->matched)
        return true;
    free(pair->boxes);
    pair->matched = matched;
    return (pair->boxes = new_text(folder, err));
}

/* The folder itself, a folder in it, the one above it, and the path with one component replaced. */
static bool pair_folder(struct pair *pair, const struct scan *s, const struct annotation_reader *reader,
                        struct error *err)
{
    const char *path = pair->images->path, *suffix = reader->suffix;
    const int length = pair->images->folder_length ? pair->images->folder_length - 1 : 0;
    bool ok = try_folder(pair, s, suffix, err, "%.*s", length, path);
    for (const char *const *name = reader->folders; ok && *name; name++) {
        ok = try_folder(pair, s, suffix, err, "%.*s%s%s", length, path, length ? "/" : "", *name);
        for (int at = 0, n; ok && at < length; at += n + 1) {
            n = (int)strcspn(path + at, "/");
            ok = try_folder(pair, s, suffix, err, "%.*s%s%.*s", at, path, *name, length - at - n, path + at + n);
        }
    }
    int above = length;
    while (above && path[above] != '/')
        above--;
    return ok && try_folder(pair, s, suffix, err, "%.*s", above, path);
}

static bool pair_folders(struct pairs *p, const struct scan *s, const struct annotation_reader *reader,
                         struct error *err)
{
    *p = (struct pairs){ .list = new_array((size_t)s->image_count, sizeof *p->list, err) };
    bool ok = p->list != NULL;
    for (int i = 0, end; ok && i < s->image_count; i = end) {
        const struct image_file *first = &s->images[i];
        for (end = i + 1; end < s->image_count && s->images[end].folder_length == first->folder_length
                          && memcmp(s->images[end].path, first->path, (size_t)first->folder_length) == 0; end++) ;
        struct pair *pair = &p->list[p->count++];
        *pair = (struct pair){ .images = first, .count = end - i };
        ok = pair_folder(pair, s, reader, err);
        p->matched += pair->matched;
    }
    return ok;
}

/* ---- the format ---- */

/* Numbers of the first row of a text file: YOLO has 5, VisDrone 8; 0 without a row. */
static bool count_columns(int *columns, const struct scan *s, const char *file, struct error *err)
{
    struct bytes text = {0};
    struct number_rows rows;
    double row[ROW_COLUMNS];
    struct error why = {0};
    char *path = path_join(s->folder, file, err);
    *columns = 0;
    const bool ok = path && (text_read_max(&text, path, IMAGE_TEXT_MAX, &why) || why.content
                             || fail(err, "%s", why.text));
    if (ok && text.p) {
        number_rows_begin(&rows, text, path);
        do
            *columns = number_rows_next(&rows, row, ROW_COLUMNS, NULL);
        while (*columns < 0);
    }
    bytes_free(&text);
    free(path);
    return ok;
}

/* Sets *is if a file shows its format; *known: it does. */
static bool judge_file(bool *is, bool *known, const struct scan *s, const char *file, enum dataset_format format,
                       struct error *err)
{
    enum { VISDRONE_COLUMNS = 8 };
    enum json_kind kind;
    int columns;
    if (format == DATASET_LABELME) {
        if (!json_kind_of(&kind, s, file, err))
            return false;
        *is = *known = kind == JSON_LABELME;
        return true;
    }
    if (!count_columns(&columns, s, file, err))
        return false;
    *known = columns > 0;
    *is = !*known || (format == DATASET_VISDRONE) == (columns >= VISDRONE_COLUMNS && columns % 2 == 0);
    return true;
}

/* *is is false if the first annotation file with content is of another format with the same suffix. */
static bool is_format(bool *is, const struct scan *s, const struct pairs *p, enum dataset_format format,
                      struct error *err)
{
    enum { FILES = 200 };
    const char *suffix = annotation_readers[format].suffix;
    bool ok = true, known = format == DATASET_XML;
    int tried = 0;
    *is = format != DATASET_LABELME;
    for (int i = 0; ok && i < p->count; i++)
        for (int k = 0; ok && !known && tried < FILES && p->list[i].matched && k < p->list[i].count; k++) {
            char *file = annotation_of(&p->list[i].images[k], p->list[i].boxes, suffix, err);
            ok = file != NULL;
            if (ok && scan_has_file(s, file)) {
                tried++;
                ok = judge_file(is, &known, s, file, format, err);
            }
            free(file);
        }
    return ok;
}

/* ---- parts ---- */

/* img_path and ann_path: both folders without the components that they share at their ends, but with the one that
 * names the part. */
static bool set_part(struct found_part *part, const struct scan *s, const struct pair *pair, size_t part_end,
                     struct error *err)
{
    const char *images = pair->images->path, *boxes = pair->boxes;
    size_t n = pair->images->folder_length ? (size_t)pair->images->folder_length - 1 : 0, m = strlen(boxes);
    while (n > part_end && m) {
        size_t a = n, b = m;
        while (a && images[a - 1] != '/')
            a--;
        while (b && boxes[b - 1] != '/')
            b--;
        if (n - a != m - b || memcmp(images + a, boxes + b, n - a) != 0 || (a ? a - 1 : 0) < part_end)
            break;
        n = a ? a - 1 : 0;
        m = b ? b - 1 : 0;
    }
    struct strbuf img_path = {0}, ann_path = {0};
    strbuf_addf(&img_path, "%s%s%.*s", s->folder, n ? "/" : "", (int)n, images);
    strbuf_addf(&ann_path, "%s%s%.*s", s->folder, m ? "/" : "", (int)m, boxes);
    *part = (struct found_part){ .img_path = img_path.s, .ann_path = ann_path.s };
    return strbuf_check(&img_path, err) && strbuf_check(&ann_path, err);
}

static bool same_folders(const struct found_part *a, const struct found_part *b)
{
    return strcmp(a->img_path, b->img_path) == 0 && strcmp(a->ann_path, b->ann_path) == 0;
}

/* Uses the folder with most annotations of several for one part. */
static bool set_parts(struct discovery *d, const struct scan *s, const struct pairs *p, struct error *err)
{
    struct found_part parts[PARTS] = {0};
    int matched[PARTS] = {0};
    bool ok = true;
    for (int i = 0; ok && i < p->count; i++) {
        const struct pair *pair = &p->list[i];
        const int length = pair->images->folder_length;
        size_t end;
        if (!pair->matched)
            continue;
        const enum part part = part_of_path(s, pair->images->path, length ? (size_t)length - 1 : 0, &end);
        struct found_part found;
        ok = set_part(&found, s, pair, end, err);
        if (ok && parts[part].img_path && !same_folders(&found, &parts[part]))
            ok = discovery_note(d, err, "%s is not used: a part of a set has one folder of images",
                                pair->matched > matched[part] ? parts[part].img_path : found.img_path);
        if (pair->matched > matched[part]) {
            struct found_part old = parts[part];
            parts[part] = found;
            found = old;
            matched[part] = pair->matched;
        }
        found_part_free(&found);
    }
    take_parts(d, parts);
    return ok;
}

/* ---- lists of images ---- */

/* *path is the list of a part, such as ImageSets/Main/train.txt of VOC, or NULL. */
static bool find_list(char **path, const struct scan *s, enum part part, struct error *err)
{
    static const char *const folders[] = { "", "ImageSets/Main/", "ImageSets/", NULL };
    static const char *const names[PARTS][3] = { [PART_TRAIN] = { "train" }, [PART_VAL] = { "val", "valid" },
                                                 [PART_TEST] = { "test" } };
    bool ok = true;
    *path = NULL;
    if (s->yaml[part] && ends_with(s->yaml[part], ".txt"))
        return (*path = path_join(s->folder, s->yaml[part], err));
    for (const char *const *folder = folders; ok && !*path && *folder; folder++)
        for (int i = 0; ok && !*path && names[part][i]; i++) {
            char file[64];
            snprintf(file, sizeof file, "%s%s.txt", *folder, names[part][i]);
            if (scan_has_file(s, file))
                ok = (*path = path_join(s->folder, file, err));
        }
    return ok;
}

/* A list that a part has no use for has no line with the name of an image. */
static bool names_images(bool *names, const struct scan *s, const char *list, struct error *err)
{
    enum { LINES = 50 };
    struct string_list lines = {0};
    const bool ok = text_lines(&lines, list, err);
    *names = false;
    for (int i = 0; ok && !*names && i < lines.count && i < LINES; i++) {
        const char *name = path_name(lines.list[i]);
        const int n = path_stem_length(name);
        for (int k = 0; !*names && k < s->image_count; k++) {
            const char *image = path_name(s->images[k].path);
            const int m = path_stem_length(image);
            *names = (m == n || m == (int)strlen(name)) && strncmp(image, name, (size_t)m) == 0;
        }
    }
    string_list_free(&lines);
    return ok;
}

/* Lists divide a set whose folders have no part. */
static bool take_lists(struct discovery *d, const struct scan *s, struct error *err)
{
    char *lists[PARTS] = {0};
    bool ok = true;
    for (int part = PART_TRAIN; ok && !d->val.ann_path && part < PARTS; part++) {
        bool names = false;
        ok = find_list(&lists[part], s, (enum part)part, err) && (!lists[part] || names_images(&names, s, lists[part],
                                                                                             err));
        if (!names) {
            free(lists[part]);
            lists[part] = NULL;
        }
    }
    char **val = lists[PART_VAL] ? &lists[PART_VAL] : &lists[PART_TEST];
    if (ok && lists[PART_TRAIN] && *val) {
        d->val = (struct found_part){ new_text(d->train.img_path, err), new_text(d->train.ann_path, err), *val };
        d->train.image_list = lists[PART_TRAIN];
        *val = lists[PART_TRAIN] = NULL;
        ok = d->val.img_path && d->val.ann_path;
    }
    for (int part = 0; part < PARTS; part++)
        free(lists[part]);
    return ok;
}

/* ---- classes ---- */

/* Adds the names to the classes, those left out that are alike to one before. */
static bool add_classes(struct discovery *d, const struct string_list *names, struct error *err)
{
    const int before = d->classes.count;
    struct string_list all = {0};
    struct name_index index = {0};
    bool ok = true;
    for (int i = 0; ok && i < before; i++)
        ok = string_list_add(&all, d->classes.list[i], err);
    for (int i = 0; ok && i < names->count; i++)
        ok = string_list_add(&all, names->list[i], err);
    ok = ok && name_index_from_names(&index, all.count, (const char *const *)all.list, class_name_compare, err);
    for (int i = before; ok && i < all.count; i++)
        ok = name_index_find_first(&index, all.list[i]) < i || string_list_add(&d->classes, all.list[i], err);
    name_index_free(&index);
    string_list_free(&all);
    return ok;
}

/* The categories with boxes or, of a format that fixes them, all that are classes. */
static bool list_categories(struct string_list *names, const struct discovery *d, const struct found_part *part,
                            struct error *err)
{
    struct dataset set = {0};
    const struct dataset_source source = { .format = d->format, .img_path = part->img_path,
                                           .ann_path = part->ann_path };
    bool *used = NULL;
    bool ok = dataset_read(&set, &source, err)
           && (used = new_array((size_t)set.category_count, sizeof *used, err));
    for (int i = 0; ok && i < set.annotation_count; i++)
        used[set.annotations[i].category] = true;
    for (int i = 0; ok && i < set.category_count; i++)
        if ((used[i] || d->format == DATASET_VISDRONE) && !category_is_no_class(&set.categories[i]))
            ok = string_list_add(names, set.categories[i].name, err);
    free(used);
    dataset_free(&set);
    return ok;
}

static bool add_part(struct discovery *d, const struct found_part *part, struct error *err)
{
    const struct annotation_reader *reader = &annotation_readers[d->format];
    const struct set_layout layout = { d->format, part->img_path, part->img_path, part->ann_path };
    struct string_list names = {0};
    const bool ok = (reader->classes ? reader->classes(&names, &layout, err) : list_categories(&names, d, part, err))
                 && add_classes(d, &names, err);
    string_list_free(&names);
    if (reader->classes)
        string_list_sort(&d->classes);
    return ok;
}

/* Names for the numbers of YOLO's text files, up to the highest that a box has. */
static bool number_classes(struct discovery *d, struct error *err)
{
    enum { MAX = 1000 };
    static char text[MAX][20];
    static const char *names[MAX];
    const struct found_part *const parts[] = { &d->train, &d->val };
    int count = 0;
    for (int i = 0; i < MAX; i++) {
        snprintf(text[i], sizeof text[i], "class_%d", i);
        names[i] = text[i];
    }
    bool ok = true;
    for (int i = 0; ok && i < 2 && parts[i]->ann_path; i++) {
        struct dataset set = {0};
        const struct dataset_source source = { .format = d->format, .img_path = parts[i]->img_path,
                                               .ann_path = parts[i]->ann_path, .class_names = names,
                                               .class_count = MAX, .classes_chosen = true };
        ok = dataset_read(&set, &source, err);
        for (int k = 0; k < set.annotation_count; k++)
            count = set.annotations[k].category >= count ? set.annotations[k].category + 1 : count;
        dataset_free(&set);
    }
    for (int i = 0; ok && i < count; i++)
        ok = string_list_add(&d->classes, names[i], err);
    d->numbered_classes = true;
    return ok && (count || fail(err, "%s: no text file has a box", d->train.ann_path));
}

static bool find_yolo_classes(struct discovery *d, const struct scan *s, struct error *err)
{
    struct string_list lists = {0};
    char *root = new_text(s->folder, err);
    const struct set_layout layout = { d->format, root, d->train.img_path, d->train.ann_path };
    const bool ok = root && yolo_class_lists(&lists, &layout, err)
                 && (lists.count ? yolo_classes(&d->classes, &layout, err) : number_classes(d, err));
    string_list_free(&lists);
    free(root);
    return ok;
}

static bool find_classes(struct discovery *d, const struct scan *s, struct error *err)
{
    if (d->format == DATASET_YOLO)
        return find_yolo_classes(d, s, err);
    return add_part(d, &d->train, err) && (!d->val.ann_path || add_part(d, &d->val, err))
        && (d->classes.count || fail(err, "%s: there is no object in it", d->train.ann_path));
}

/* ---- all ---- */

static bool nothing_found(const struct scan *s, struct error *err)
{
    return fail(err, "%s: %d images, but no annotations of their names: a COCO file whose images are there, or a .xml "
                "(VOC), .txt (YOLO, VisDrone) or .json (LabelMe) file per image, in the folder of the images or in one "
                "such as labels or Annotations beside it", s->folder, s->image_count);
}

static bool find_format(struct discovery *d, const struct scan *s, struct error *err)
{
    struct pairs best = {0};
    bool coco, ok = discover_coco(d, s, &coco, err);
    for (int format = DATASET_COCO + 1; ok && annotation_readers[format].name; format++) {
        struct pairs p;
        bool is = false;
        ok = pair_folders(&p, s, &annotation_readers[format], err)
          && (!p.matched || is_format(&is, s, &p, (enum dataset_format)format, err));
        if (ok && is && p.matched && (coco || best.matched))
            ok = discovery_note(d, err, "%s: the annotations of format %s are not used", s->folder,
                                p.matched > best.matched && !coco ? annotation_readers[d->format].name
                                                                  : annotation_readers[format].name);
        if (ok && is && !coco && p.matched > best.matched) {
            struct pairs old = best;
            best = p;
            p = old;
            d->format = (enum dataset_format)format;
        }
        free_pairs(&p);
    }
    ok = ok && (coco || best.matched || nothing_found(s, err)) && (coco || set_parts(d, s, &best, err));
    free_pairs(&best);
    return ok;
}

bool discover(struct discovery *d, const char *folder, struct error *err)
{
    struct scan s;
    *d = (struct discovery){0};
    const bool ok = scan_open(&s, folder, err) && find_format(d, &s, err) && take_lists(d, &s, err)
                 && find_classes(d, &s, err);
    scan_free(&s);
    return ok;
}

void discovery_free(struct discovery *d)
{
    found_part_free(&d->train);
    found_part_free(&d->val);
    string_list_free(&d->classes);
    string_list_free(&d->notes);
}
