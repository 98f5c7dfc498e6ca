/* data/discover_coco.c -- the JSON files of COCO in a folder, and the folder of their images. */
#include "base/json_cursor.h"
#include "base/memory.h"
#include "base/path.h"
#include "base/text_file.h"
#include "data/dataset_builder.h"
#include "data/dataset_read.h"
#include "data/discover_scan.h"
#include <stdlib.h>
#include <string.h>

/* By the keys of the object at the top. */
static enum json_kind kind_of_text(struct bytes text, const char *path)
{
    struct json_cursor c = cursor_of(text, path);
    struct json_span key;
    bool images = false, boxes = false, shapes = false;
    if (cursor_peek(&c) != '{' || !cursor_enter(&c, '{'))
        return JSON_OTHER;
    while (!(images && boxes) && !shapes && cursor_next(&c, &key)) {
        const bool list = cursor_peek(&c) == '[';
        images = images || (list && span_is(key, "images"));
        boxes = boxes || (list && span_is(key, "annotations"));
        shapes = list && span_is(key, "shapes");
        if (!cursor_pass(&c))
            break;
    }
    return shapes ? JSON_LABELME : images && boxes ? JSON_COCO : JSON_OTHER;
}

bool json_kind_of(enum json_kind *kind, const struct scan *s, const char *file, struct error *err)
{
    struct bytes text = {0};
    struct error why = {0};
    char *path = path_join(s->folder, file, err);
    *kind = JSON_OTHER;
    const bool ok = path && (text_read(&text, path, &why) || why.content || fail(err, "%s", why.text));
    if (ok && text.p)
        *kind = kind_of_text(text, path);
    bytes_free(&text);
    free(path);
    return ok;
}

/* ---- the folder of the images ---- */

/* How many of a few images of the set lie below the first `length` bytes of a path. */
static int count_hits(const struct scan *s, const struct dataset *set, const char *path, size_t length)
{
    enum { SAMPLES = 16 };
    const int step = (set->image_count + SAMPLES - 1) / SAMPLES;
    int hits = 0;
    for (int i = 0; i < set->image_count; i += step)
        for (int spelling = 0, found = 0; !found && spelling < SPELLINGS; spelling++) {
            struct strbuf file = {0};
            char *name = file_spelling(set->images[i].file, spelling, NULL);
            strbuf_addf(&file, "%.*s%s%s", (int)length, path, length ? "/" : "", name ? name : "");
            found = name && file.s && scan_has_file(s, file.s);
            hits += found;
            strbuf_free(&file);
            free(name);
        }
    return hits;
}

struct candidate { const char *path; size_t length; int hits; bool same_part; };

static bool is_better(const struct candidate *a, const struct candidate *b)
{
    if (a->hits != b->hits)
        return a->hits > b->hits;
    return a->same_part != b->same_part ? a->same_part : a->length < b->length;
}

/* Tries each folder of images and those above it. */
static struct candidate find_images(const struct scan *s, const struct dataset *set, enum part part)
{
    struct candidate best = {0};
    for (int i = 0; i < s->image_count; i++) {
        const struct image_file *f = &s->images[i];
        const size_t whole = (size_t)f->folder_length;
        if (i && f[-1].folder_length == f->folder_length && memcmp(f[-1].path, f->path, whole) == 0)
            continue;
        for (size_t end = whole, slash; end != SIZE_MAX; end = slash) {
            size_t unused;
            struct candidate c = { f->path, end ? end - (f->path[end - 1] == '/') : 0, 0, false };
            for (slash = c.length; slash && f->path[slash - 1] != '/'; slash--) ;
            slash = c.length ? slash : SIZE_MAX;
            c.hits = count_hits(s, set, c.path, c.length);
            c.same_part = part_of_path(s, c.path, c.length, &unused) == part;
            if (c.hits && is_better(&c, &best))
                best = c;
        }
    }
    return best;
}

/* ---- files ---- */

/* More of the images, then more boxes: instances_train.json is preferred to captions_train.json. */
struct coco_file { const char *file; struct candidate images; int boxes; };

static bool read_file(struct coco_file *f, const struct scan *s, const char *file, enum part part, struct error *err)
{
    struct dataset set = {0};
    struct error why = {0};
    char *path = path_join(s->folder, file, err);
    const struct dataset_source source = { .format = DATASET_COCO, .ann_path = path, .img_path = s->folder };
    *f = (struct coco_file){ .file = file };
    const bool ok = path && (dataset_read(&set, &source, &why) || why.exit != 1 || set.problems.count
                             || fail(err, "%s", why.text));
    if (ok && set.image_count) {
        f->images = find_images(s, &set, part);
        f->boxes = set.annotation_count;
    }
    dataset_free(&set);
    free(path);
    return ok;
}

static bool set_part(struct found_part *p, const struct scan *s, const struct coco_file *f, struct error *err)
{
    struct strbuf folder = {0};
    strbuf_addf(&folder, "%s%s%.*s", s->folder, f->images.length ? "/" : "", (int)f->images.length, f->images.path);
    p->ann_path = path_join(s->folder, f->file, err);
    p->img_path = folder.s;
    return strbuf_check(&folder, err) && p->ann_path;
}

/* Adds a JSON file to the best ones of the parts. */
static bool consider(struct discovery *d, const struct scan *s, const char *file, struct coco_file best[PARTS],
                     struct error *err)
{
    const char *name = path_name(file);
    enum json_kind kind;
    size_t end;
    enum part part = part_of_path(s, name, strlen(name), &end);
    struct coco_file f;
    if (!part)
        part = part_of_path(s, file, strlen(file), &end);
    if (!json_kind_of(&kind, s, file, err) || kind != JSON_COCO)
        return kind != JSON_COCO;
    if (!read_file(&f, s, file, part, err))
        return false;
    const struct coco_file *old = &best[part];
    const bool better = f.boxes && f.images.hits
                     && (f.images.hits != old->images.hits ? f.images.hits > old->images.hits : f.boxes > old->boxes);
    const char *left = better ? old->file : file;
    if (better)
        best[part] = f;
    return !left || discovery_note(d, err, "%s/%s is not used", s->folder, left);
}

bool discover_coco(struct discovery *d, const struct scan *s, bool *found, struct error *err)
{
    struct coco_file best[PARTS] = {0};
    struct found_part parts[PARTS] = {0};
    bool ok = true;
    *found = false;
    for (int i = 0; ok && i < s->files.count; i++)
        if (ends_with(s->files.list[i], ".json"))
            ok = consider(d, s, s->files.list[i], best, err);
    for (int part = 0; ok && part < PARTS; part++)
        if (best[part].file) {
            *found = true;
            ok = set_part(&parts[part], s, &best[part], err);
        }
    if (*found)
        d->format = DATASET_COCO;
    take_parts(d, parts);
    return ok;
}
