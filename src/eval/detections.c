#include "eval/detections.h"

#include "base/memory.h"
#include "base/text_file.h"
#include "data/dataset.h"
#include "data/rows.h"
#include "eval/scan.h"
#include <math.h>
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

struct field { const char *name; double *to; int count; };      /* count 0: a number, else a list of so many */

/* The object `{ "name": value, ... }`: fields it must have go where they belong, others are skipped. */
static bool scan_fields(struct scan *s, const struct field *fields)
{
    unsigned seen = 0;
    int f;
    struct scan key;
    if (!scan_char(s, '{'))
        return false;
    do {
        if (!scan_string(s, &key) || !scan_char(s, ':'))
            return false;
        const size_t n = (size_t)(key.end - key.p);
        for (f = 0; fields[f].name; f++)
            if (strlen(fields[f].name) == n && memcmp(fields[f].name, key.p, n) == 0)
                break;
        const struct field *found = &fields[f];
        if (!(!found->name ? scan_skip(s) : found->count ? scan_numbers(s, found->to, found->count)
                                                         : scan_number(s, found->to)))
            return false;
        seen |= 1u << f;
    } while (scan_char(s, ','));
    for (f = 0; fields[f].name; f++)
        if (!(seen >> f & 1))
            return false;
    return scan_char(s, '}');
}

bool detections_parse(struct detections *out, struct bytes file, const char *path, const struct dataset *truth,
                      struct error *err)
{
    const char *text = (const char *)file.p;
    struct scan s = { text, text + file.size };
    struct detection d = {0};
    double image, category;
    const struct field fields[] = {
        { "image_id", &image, 0 }, { "category_id", &category, 0 }, { "bbox", d.box, 4 }, { "score", &d.score, 0 },
        {0} };
    if (!scan_char(&s, '['))
        return fail(err, "%s: not a list of detections", path);
    if (scan_char(&s, ']'))
        return scan_end(&s) || fail(err, "%s: something follows the list of detections", path);
    for (int n = 1; n == 1 || scan_char(&s, ','); n++) {
        if (!scan_fields(&s, fields) || !whole(image) || !whole(category))
            return fail(err, "%s: detection %d must be an object with the finite numbers image_id, category_id, score "
                        "and a bbox of four; see byte %td", path, n, s.p - text);
        d.image = dataset_image(truth, (int64_t)image);
        d.category = dataset_category(truth, (int64_t)category);
        if (d.image < 0)
            return fail(err, "%s: detection %d: the ground truth has no image %.0f", path, n, image);
        if (!detections_add(out, d, err))
            return false;
    }
    return (scan_char(&s, ']') && scan_end(&s))
        || fail(err, "%s: after detection %d: expected a comma or the end of the list", path, out->count);
}

bool detections_parse_rows(struct detections *out, struct bytes text, const char *path, const struct dataset *truth,
                           int image, struct error *err)
{
    enum { X, Y, WIDTH, HEIGHT, SCORE, CATEGORY, NEEDED, COLUMNS = 8 };
    struct rows rows;
    double row[COLUMNS];
    int n;
    rows_begin(&rows, text, path);
    while ((n = rows_next(&rows, row, COLUMNS, err)) > 0) {
        if (n < NEEDED || n > COLUMNS || !whole(row[CATEGORY]))
            return fail(err, "%s:%d: must be x,y,width,height,score,category and at most two numbers more", path,
                        rows.line);
        const int category = dataset_category(truth, (int64_t)row[CATEGORY]);
        const struct detection d = { image, category, { row[X], row[Y], row[WIDTH], row[HEIGHT] }, row[SCORE] };
        if (!detections_add(out, d, err))
            return false;
    }
    return n == 0;
}

/* The text file of an image: its name without folder and extension, then .txt. */
static bool read_lines(struct detections *out, const char *folder, const struct dataset *truth, int image,
                       struct error *err)
{
    struct text path = {0};
    struct bytes file = {0};
    const char *name = path_name(truth->images[image].file);
    text_add(&path, "%s/%.*s.txt", folder, path_stem(name), name);
    const bool ok = text_ok(&path, err) && text_read(&file, path.s, err)
                 && detections_parse_rows(out, file, path.s, truth, image, err);
    bytes_free(&file);
    text_free(&path);
    return ok;
}

static bool read_list(struct detections *out, const char *path, const struct dataset *truth, struct error *err)
{
    struct bytes file = {0};
    const bool ok = text_read(&file, path, err)
                 && detections_parse(out, file, path, truth, err);
    bytes_free(&file);
    return ok;
}

bool detections_read(struct detections *out, const char *path, const struct dataset *truth, struct error *err)
{
    bool ok = true;
    *out = (struct detections){0};
    if (!folder_exists(path))
        ok = read_list(out, path, truth, err);
    else
        for (int i = 0; ok && i < truth->image_count; i++)
            ok = read_lines(out, path, truth, i, err);
    if (!ok)
        detections_free(out);
    return ok;
}

bool detections_write(const struct detections *d, const char *path, const struct dataset *truth, struct error *err)
{
    struct text t = {0};
    for (int i = 0; i < d->count; i++) {
        const struct detection *one = &d->list[i];
        text_add(&t, "%s{\"image_id\":%lld,\"category_id\":%lld,\"bbox\":[%.17g,%.17g,%.17g,%.17g],\"score\":%.17g}",
                 i ? ",\n" : "[", (long long)truth->images[one->image].id,
                 (long long)truth->categories[one->category].id,
                 one->box[0], one->box[1], one->box[2], one->box[3], one->score);
    }
    text_add(&t, d->count ? "]\n" : "[]\n");
    const bool ok = text_ok(&t, err) && file_write(path, t.s, t.size, err);
    text_free(&t);
    return ok;
}
