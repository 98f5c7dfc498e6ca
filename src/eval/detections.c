#include "eval/detections.h"

#include "base/file.h"
#include "base/json.h"
#include "base/json_cursor.h"
#include "base/memory.h"
#include "base/path.h"
#include "base/strbuf.h"
#include "base/string_list.h"
#include "base/text_file.h"
#include "data/dataset.h"
#include "data/number_rows.h"
#include "eval/join.h"
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool detections_add(struct detections *d, struct detection one, struct error *err)
{
    if (!grow_array(&d->list, d->count, &d->capacity, sizeof *d->list, err))
        return false;
    d->list[d->count++] = one;
    return true;
}

void detections_free(struct detections *d)
{
    free(d->list);
    *d = (struct detections){0};
}

static bool whole(double v) { return v == floor(v) && fabs(v) <= 0x1p53; }

/* numbers: one if count is 0, else a list of count.  text: may be null.  An absent optional field keeps its value. */
struct detection_field { const char *name; double *numbers; int count; struct strbuf *text; bool optional; };

static bool read_field(struct json_cursor *c, const struct detection_field *f)
{
    return !f->name ? cursor_skip(c)
         : f->text  ? cursor_text(c, f->text)
         : f->count ? cursor_numbers(c, f->numbers, f->count)
                    : cursor_number(c, f->numbers);
}

static bool all_required(const struct detection_field *fields, unsigned met)
{
    for (int f = 0; fields[f].name; f++)
        if (!(met >> f & 1) && !fields[f].optional)
            return false;
    return true;
}

/* Reads the object {"name": value, ...}; other fields are skipped. */
static bool read_fields(struct json_cursor *c, const struct detection_field *fields)
{
    unsigned met = 0;
    struct json_span key;
    cursor_enter(c, '{');
    while (cursor_next(c, &key)) {
        int f = 0;
        while (fields[f].name && !span_is(key, fields[f].name))
            f++;
        read_field(c, &fields[f]);
        met |= 1u << f;
    }
    if (!c->failed && !all_required(fields, met)) {
        c->p--;                                         /* errors name the closing bracket */
        c->failed = true;
    }
    return !c->failed;
}

/* One record of a result list, before it is joined. */
struct detection_record { double image, category, box[4], score, image_count; struct strbuf file, category_name; };

static bool read_record(struct json_cursor *c, struct detection_record *r)
{
    const struct detection_field fields[] = {
        { "image_id",      &r->image,       0, NULL, false }, { "category_id", &r->category, 0, NULL, false },
        { "bbox",          r->box,          4, NULL, false }, { "score",       &r->score,    0, NULL, false },
        { "file_name",     NULL,            0, &r->file, true },
        { "category_name", NULL,            0, &r->category_name, true },
        { "image_count",   &r->image_count, 0, NULL, true }, {0} };
    r->image_count = -1;
    r->file.size = r->category_name.size = 0;
    strbuf_add(&r->file, "", 0);
    strbuf_add(&r->category_name, "", 0);
    return read_fields(c, fields) && whole(r->image) && whole(r->category);
}

/* Records that cannot be used: how many, and the first few. */
struct broken_records { int count; struct strbuf first; };

PRINTF_LIKE(2, 3)
static void note_broken(struct broken_records *b, const char *format, ...)
{
    enum { NAMED = 3 };
    char place[300];
    va_list args;
    va_start(args, format);
    vsnprintf(place, sizeof place, format, args);
    va_end(args);
    if (b->count++ < NAMED)
        strbuf_addf(&b->first, "%s%s", b->first.s ? "; " : "", place);
}

/* fail() if there is one; releases the notes.  wanted: the form of a record, or "". */
static bool none_broken(struct broken_records *b, const char *path, const char *wanted, struct error *err)
{
    const bool ok = b->count == 0 || fail(err, "%s: %d of the detections cannot be used: %s%s", path, b->count,
                                          b->first.s ? b->first.s : "?", wanted);
    strbuf_free(&b->first);
    return ok;
}

/* Reads record n, or skips it and notes that it is broken.  False if it is not JSON, so that reading must end. */
static bool next_record(struct json_cursor *c, struct detection_record *r, int n, struct broken_records *broken,
                        bool *usable)
{
    const struct json_cursor start = *c;
    *usable = read_record(c, r);
    if (*usable)
        return true;
    note_broken(broken, "detection %d at byte %td", n, c->p - c->text);
    *c = start;
    return cursor_skip(c);
}

static bool add_record(struct detections *out, const struct detection_record *r, int n, const char *path,
                       struct join *join, struct error *err)
{
    if (r->image_count >= 0 && r->image_count != join->gt->image_count)
        return fail(err, "%s: was made from %.0f images, but the ground truth has %d: score against the images "
                    "that were tested, with --images LIST or with the CONFIG of the test", path, r->image_count,
                    join->gt->image_count);
    struct detection d = { .image = join_find(join, JOIN_IMAGE, n, (int64_t)r->image, r->file.s),
                           .category = join_find(join, JOIN_CATEGORY, n, (int64_t)r->category, r->category_name.s),
                           .score = r->score };
    memcpy(d.box, r->box, sizeof d.box);
    return d.image < 0 || d.category < 0 || detections_add(out, d, err);
}

/* Appends the records of a list.  Records without an image or a category are left out; the join counts them. */
static bool add_list(struct detections *out, struct json_cursor *c, struct join *join, struct detection_record *r,
                     struct broken_records *broken, struct error *err)
{
    bool usable;
    int n = 1;
    if (!cursor_enter(c, '['))
        return fail(err, "%s: not a list of detections", c->path);
    for (; cursor_next(c, NULL); n++) {
        const bool is_json = next_record(c, r, n, broken, &usable);
        if (!strbuf_check(&r->file, err) || !strbuf_check(&r->category_name, err))
            return false;
        if (!is_json)
            return fail(err, "%s: detection %d is not JSON: see byte %td", c->path, n, c->p - c->text);
        if (usable && !add_record(out, r, n, c->path, join, err))
            return false;
    }
    if (cursor_end(c))
        return true;
    return n == 1 ? fail(err, "%s: something follows the list of detections", c->path)
                  : fail(err, "%s: after detection %d: expected a comma or the end of the list", c->path,
                         join->records);
}

bool detections_parse(struct detections *out, struct bytes file, const char *path, const struct dataset *gt,
                      struct error *err)
{
    struct json_cursor c = cursor_of(file, path);
    struct detection_record r = {0};
    struct broken_records broken = {0};
    struct join join;
    bool ok = join_begin(&join, gt, err) && add_list(out, &c, &join, &r, &broken, err);
    ok = none_broken(&broken, path, ": each must be an object with the finite numbers image_id, category_id, score and "
                     "a bbox of four; file_name and category_name, if any, are text", ok ? err : NULL) && ok
      && join_end(&join, path, err);
    join_free(&join);
    strbuf_free(&r.file);
    strbuf_free(&r.category_name);
    return ok;
}

bool detections_parse_rows(struct detections *out, struct bytes text, const char *path, const struct dataset *gt,
                           int image, struct error *err)
{
    enum { X, Y, WIDTH, HEIGHT, SCORE, CATEGORY, NEEDED, COLUMNS = 8 };
    struct number_rows rows;
    struct broken_records broken = {0};
    struct error why = {0};
    double row[COLUMNS];
    int n;
    bool ok = true;
    number_rows_begin(&rows, text, path);
    while (ok && (n = number_rows_next(&rows, row, COLUMNS, &why)) != 0) {
        const bool good = n >= NEEDED && n <= COLUMNS && whole(row[CATEGORY]);
        const int category = good ? dataset_category(gt, (int64_t)row[CATEGORY]) : -1;
        const struct detection d = { image, category, { row[X], row[Y], row[WIDTH], row[HEIGHT] }, row[SCORE] };
        if (n < 0)
            note_broken(&broken, "%s", why.text);
        else if (!good)
            note_broken(&broken, "%s:%d: must be x,y,width,height,score,category and at most two numbers more", path,
                        rows.line);
        else if (category < 0)
            note_broken(&broken, "%s:%d: the ground truth has no category %.0f", path, rows.line, row[CATEGORY]);
        else
            ok = detections_add(out, d, err);
    }
    return none_broken(&broken, path, "", ok ? err : NULL) && ok;
}

/* ---- the toolkit's folder: for each image the file of its name without folder and extension, then .txt ---- */

/* The stems of all images, sorted.  Text files cannot tell two images of one stem apart. */
static bool list_stems(struct string_list *stems, const struct dataset *gt, struct error *err)
{
    struct strbuf stem = {0};
    bool ok = true;
    for (int i = 0; ok && i < gt->image_count; i++) {
        const char *name = path_name(gt->images[i].file);
        stem.size = 0;
        strbuf_addf(&stem, "%.*s", path_stem_length(name), name);
        ok = strbuf_check(&stem, err) && string_list_add(stems, stem.s, err);
    }
    strbuf_free(&stem);
    string_list_sort(stems);
    for (int i = 1; ok && i < stems->count; i++)
        ok = strcmp(stems->list[i], stems->list[i - 1]) != 0
          || fail(err, "two images are called %s: text files cannot tell their detections apart", stems->list[i]);
    return ok;
}

/* Text files that belong to no image: detections that would silently not count. */
static bool refuse_strangers(const char *folder, const struct string_list *stems, struct error *err)
{
    struct string_list files;
    const char *first = NULL;
    int strangers = 0, texts = 0;
    if (!folder_list(&files, folder, err))
        return false;
    for (int i = 0; i < files.count; i++) {
        char *name = files.list[i];
        if (!ends_with(name, ".txt"))
            continue;
        texts++;
        name[path_stem_length(name)] = 0;
        if (!string_list_contains(stems, name) && strangers++ == 0)
            first = name;
    }
    const bool ok = strangers == 0
                 || fail(err, "%s: %d of %d text files belong to no image of the ground truth; the first is %s.txt",
                         folder, strangers, texts, first);
    string_list_free(&files);
    return ok;
}

static char *lines_path(const char *folder, const struct image_record *image, struct error *err)
{
    struct strbuf name = {0};
    const char *base = path_name(image->file);
    strbuf_addf(&name, "%.*s.txt", path_stem_length(base), base);
    char *path = strbuf_check(&name, err) ? path_join(folder, name.s, err) : NULL;
    strbuf_free(&name);
    return path;
}

static bool read_lines(struct detections *out, const char *folder, const struct dataset *gt, int image,
                       struct error *err)
{
    struct bytes file = {0};
    char *path = lines_path(folder, &gt->images[image], err);
    const bool ok = path && text_read_max(&file, path, IMAGE_TEXT_MAX, err)
                 && detections_parse_rows(out, file, path, gt, image, err);
    bytes_free(&file);
    free(path);
    return ok;
}

static bool read_folder(struct detections *out, const char *folder, const struct dataset *gt, struct error *err)
{
    struct string_list stems = {0};
    bool ok = list_stems(&stems, gt, err) && refuse_strangers(folder, &stems, err);
    for (int i = 0; ok && i < gt->image_count; i++)
        ok = read_lines(out, folder, gt, i, err);
    string_list_free(&stems);
    return ok;
}

static bool write_folder(const struct detections *d, const char *folder, const struct dataset *gt,
                         struct error *err)
{
    struct string_list stems = {0};
    struct strbuf *lines = new_array((size_t)gt->image_count, sizeof *lines, err);
    bool ok = lines && list_stems(&stems, gt, err) && make_folders(folder, err);
    for (int i = 0; ok && i < d->count; i++) {
        const struct detection *one = &d->list[i];
        strbuf_addf(&lines[one->image], "%.17g,%.17g,%.17g,%.17g,%.17g,%" PRId64 ",-1,-1\n", one->box[0], one->box[1],
                    one->box[2], one->box[3], one->score, gt->categories[one->category].id);
    }
    for (int i = 0; lines && i < gt->image_count; i++) {
        char *path = ok ? lines_path(folder, &gt->images[i], err) : NULL;
        ok = path && strbuf_check(&lines[i], err) && file_write(path, lines[i].s, lines[i].size, err);
        free(path);
        strbuf_free(&lines[i]);
    }
    free(lines);
    string_list_free(&stems);
    return ok;
}

/* ---- files ---- */

static bool read_list(struct detections *out, const char *path, const struct dataset *gt, struct error *err)
{
    struct bytes file = {0};
    const bool ok = text_read(&file, path, err)
                 && detections_parse(out, file, path, gt, err);
    bytes_free(&file);
    return ok;
}

bool detections_read(struct detections *out, const char *path, const struct dataset *gt, struct error *err)
{
    *out = (struct detections){0};
    const enum path_kind kind = path_kind(path, err);
    const bool ok = kind && (kind == PATH_FOLDER ? read_folder : read_list)(out, path, gt, err);
    if (!ok)
        detections_free(out);
    return ok;
}

static bool write_list(const struct detections *d, const char *path, const struct dataset *gt, struct error *err)
{
    struct strbuf t = {0};
    for (int i = 0; i < d->count; i++) {
        const struct detection *one = &d->list[i];
        const struct image_record *image = &gt->images[one->image];
        const struct category *category = &gt->categories[one->category];
        strbuf_addf(&t, "%s{\"image_id\":%" PRId64 ",\"file_name\":", i ? ",\n" : "[", image->id);
        json_add_string(&t, image->file);
        strbuf_addf(&t, ",\"category_id\":%" PRId64 ",\"category_name\":", category->id);
        json_add_string(&t, category->name);
        strbuf_addf(&t, ",\"bbox\":[%.17g,%.17g,%.17g,%.17g],\"score\":%.17g,\"image_count\":%d}", one->box[0],
                    one->box[1], one->box[2], one->box[3], one->score, gt->image_count);
    }
    strbuf_addf(&t, d->count ? "]\n" : "[]\n");
    const bool ok = strbuf_check(&t, err) && file_write(path, t.s, t.size, err);
    strbuf_free(&t);
    return ok;
}

bool detections_write(const struct detections *d, const char *path, const struct dataset *gt, struct error *err)
{
    const enum path_kind kind = path_kind(path, err);
    return kind && (kind == PATH_FOLDER || ends_with(path, "/") ? write_folder : write_list)(d, path, gt, err);
}
