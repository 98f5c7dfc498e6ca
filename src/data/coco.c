#include "data/coco.h"

#include "base/file.h"
#include "base/json.h"
#include "base/json_cursor.h"
#include "base/strbuf.h"
#include "base/text_file.h"
#include "data/folder.h"
#include "data/image.h"
#include "data/lists.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* at: file, line and number of the record, and its id if it has one. */
struct coco_record { const cJSON *json; const char *at; };

static const cJSON *field(struct coco_record r, const char *name)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(r.json, name);
    return cJSON_IsNull(value) ? NULL : value;
}

/* Says that a field is not as it must be. */
static bool refuse(struct coco_record r, const char *name, const char *wanted, struct error *err)
{
    const cJSON *value = field(r, name);
    char *text = value ? cJSON_PrintUnformatted(value) : NULL;
    fail(err, "%s: %s must be %s, but is %.40s", r.at, name, wanted, text ? text : "missing");
    cJSON_free(text);
    return false;
}

static bool read_id(struct coco_record r, const char *name, int64_t *out, struct error *err)
{
    const cJSON *value = field(r, name);
    return json_int64(value, out)
        || refuse(r, name, cJSON_IsNumber(value) && fabs(value->valuedouble) > 0x1p53
                           ? "a whole number of at most 2^53" : "a whole number", err);
}

static bool read_side(struct coco_record r, const char *name, int *out, struct error *err)
{
    char wanted[64];
    *out = 0;
    if (!field(r, name) || (json_int(field(r, name), out) && *out >= 0 && *out <= IMAGE_SIDE))
        return true;
    *out = 0;
    snprintf(wanted, sizeof wanted, "a whole number from 0 to %d", IMAGE_SIDE);
    return refuse(r, name, wanted, err);
}

static bool read_name(struct coco_record r, const char *name, const char **out, struct error *err)
{
    const cJSON *value = field(r, name);
    *out = cJSON_IsString(value) ? value->valuestring : "";
    return !value || cJSON_IsString(value) || refuse(r, name, "text", err);
}

static bool read_flag(struct coco_record r, const char *name, bool *out, struct error *err)
{
    const cJSON *value = field(r, name);
    *out = cJSON_IsTrue(value) || (cJSON_IsNumber(value) && value->valuedouble != 0);
    return !value || cJSON_IsBool(value) || cJSON_IsNumber(value) || refuse(r, name, "0 or 1", err);
}

/* A record without an id is lost; one with another fault is kept for those that refer to it. */
static bool add_image(struct dataset_builder *b, struct coco_record r, struct error *err)
{
    const char *file = "";
    int64_t id;
    int width = 0, height = 0;
    if (!read_id(r, "id", &id, err)) {
        b->images_lost = true;
        return false;
    }
    const bool ok = read_name(r, "file_name", &file, err) && read_side(r, "width", &width, err)
                 && read_side(r, "height", &height, err);
    return build_image(b, id, file, width, height, err) && ok;
}

static bool add_category(struct dataset_builder *b, struct coco_record r, struct error *err)
{
    const char *name;
    int64_t id;
    if (!read_id(r, "id", &id, err)) {
        b->categories_lost = true;
        return false;
    }
    const bool ok = read_name(r, "name", &name, err);
    return build_category(b, id, name, err) && ok;
}

static bool read_box(struct coco_record r, double box[4], struct error *err)
{
    const cJSON *list = field(r, "bbox");
    bool ok = cJSON_IsArray(list) && cJSON_GetArraySize(list) == 4;
    for (int i = 0; ok && i < 4; i++)
        ok = json_real(cJSON_GetArrayItem(list, i), &box[i]);
    if (!list && cJSON_GetArraySize(field(r, "segmentation")) > 0)
        return fail(err, "%s: has a polygon (segmentation) but no bbox, which is needed", r.at);
    return ok || refuse(r, "bbox", "four numbers: x, y, width, height", err);
}

static bool add_annotation(struct dataset_builder *b, struct coco_record r, struct error *err)
{
    struct annotation a = { .id = b->pending_count + 1 };
    int64_t image, category;
    if ((field(r, "id") && !read_id(r, "id", &a.id, err)) || !read_id(r, "image_id", &image, err)
        || !read_id(r, "category_id", &category, err) || !read_box(r, a.box, err)
        || !read_flag(r, "iscrowd", &a.crowd, err) || !read_flag(r, "ignore", &a.ignore, err))
        return false;
    a.ignore |= a.crowd;
    a.area = a.box[2] * a.box[3];
    if (field(r, "area") && !json_real(field(r, "area"), &a.area))
        return refuse(r, "area", "a number", err);
    return build_annotation(b, &a, image, category, r.at, err);
}

static const struct coco_list {
    const char *name, *record;
    bool (*add)(struct dataset_builder *, struct coco_record, struct error *);
} lists[] = {
    { "images",      "image",      add_image },
    { "categories",  "category",   add_category },
    { "annotations", "annotation", add_annotation } };

/* Adds the record at the cursor; an invalid one becomes a problem.  Fails if its brackets do not match. */
static bool read_record(struct dataset_builder *b, const struct coco_list *list, struct json_cursor *c, int number,
                        struct error *err)
{
    struct error why = {0};
    char at[512];
    int64_t id;
    int n = snprintf(at, sizeof at, "%s:%d: %s %d", c->path, cursor_line(c), list->record, number);
    cJSON *json = cursor_parse(c, &why);
    if (c->failed)
        return fail(err, "%s", why.text);
    if (json_int64(cJSON_GetObjectItemCaseSensitive(json, "id"), &id) && n < (int)sizeof at)
        snprintf(at + n, sizeof at - (size_t)n, " (id %" PRId64 ")", id);
    const bool ok = json && (cJSON_IsObject(json) || fail(&why, "%s: must be an object {...}", at))
                 && list->add(b, (struct coco_record){ json, at }, &why);
    if (!json)
        dataset_problem(&b->set, "%s in %s %d", why.text, list->record, number);
    else if (!ok)
        dataset_problem(&b->set, "%s", why.text);
    b->images_lost |= !json && list == lists;
    b->categories_lost |= !json && list == lists + 1;
    cJSON_Delete(json);
    return true;
}

static bool enter(struct json_cursor *c, char bracket, struct error *err)
{
    return cursor_enter(c, bracket)
        || fail(err, "%s:%d: must be %s", c->path, cursor_line(c), bracket == '{' ? "an object {...}" : "a list [...]");
}

/* A list that is cut off is refused before its records are read. */
static bool read_list(struct dataset_builder *b, const struct coco_list *list, struct json_cursor *c, struct error *err)
{
    struct json_cursor end = *c;
    bool ok = (cursor_pass(&end) || cursor_error(&end, err)) && enter(c, '[', err);
    for (int n = 1; ok && cursor_next(c, NULL); n++)
        ok = read_record(b, list, c, n, err);
    return ok && (!c->failed || cursor_error(c, err));
}

/* Values of other keys must be JSON too. */
static bool skip_value(struct json_cursor *c, struct error *err)
{
    cJSON *json = cursor_parse(c, err);
    cJSON_Delete(json);
    return json != NULL;
}

bool coco_parse(struct dataset_builder *b, struct bytes text, const char *path, struct error *err)
{
    enum { LISTS = sizeof lists / sizeof *lists };
    struct json_cursor c = cursor_of(text, path);
    struct json_span key;
    bool met[LISTS + 1] = {0};
    bool ok = (text.size > 0 || fail(err, "%s: is empty", path)) && enter(&c, '{', err);
    while (ok && cursor_next(&c, &key)) {
        int i = 0;
        while (i < LISTS && !span_is(key, lists[i].name))
            i++;
        if (i == LISTS)
            ok = skip_value(&c, err);
        else if (met[i])
            ok = fail(err, "%s:%d: a second list of %s", path, cursor_line(&c), lists[i].name);
        else
            ok = read_list(b, &lists[i], &c, err);
        met[i] = true;
    }
    return ok && (cursor_end(&c) || cursor_error(&c, err)) && (met[0] || fail(err, "%s: has no list of images", path));
}

/* Names of files as they are spelled in the folder of images. */
static bool find_files(struct dataset *set, const char *folder, const char *path, struct error *err)
{
    bool ok = true;
    for (int i = 0; ok && i < set->image_count; i++) {
        if (!*set->images[i].file)
            dataset_problem(set, "%s: image %" PRId64 " has no file_name", path, set->images[i].id);
        char *found = name_in_folder(folder, set->images[i].file, err);
        ok = found;
        if (ok) {
            free(set->images[i].file);
            set->images[i].file = found;
        }
    }
    return ok;
}

bool coco_read(struct dataset_builder *b, const struct dataset_source *source, struct error *err)
{
    struct bytes text;
    const bool ok = text_read(&text, source->ann_path, err) && coco_parse(b, text, source->ann_path, err)
                 && (!source->image_list || image_list_keep(b, source->image_list, err))
                 && (!source->img_path || find_files(&b->set, source->img_path, source->ann_path, err));
    bytes_free(&text);
    return ok;
}

/* The shortest of the decimals that read as v again. */
static void add_number(struct strbuf *t, double v)
{
    char s[32];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(s, sizeof s, "%.*g", digits, v);
        if (strtod(s, NULL) == v)
            break;
    }
    strbuf_addf(t, "%s", s);
}

static void add_annotation_text(struct strbuf *t, const struct dataset *set, const struct annotation *a)
{
    strbuf_addf(t, "{\"id\": %" PRId64 ", \"image_id\": %" PRId64 ", \"category_id\": %" PRId64 ", \"bbox\": [", a->id,
                set->images[a->image].id, set->categories[a->category].id);
    for (int i = 0; i < 4; i++) {
        strbuf_addf(t, "%s", i ? ", " : "");
        add_number(t, a->box[i]);
    }
    strbuf_addf(t, "], \"area\": ");
    add_number(t, a->area);
    strbuf_addf(t, ", \"iscrowd\": %d, \"ignore\": %d}", a->crowd, a->ignore);
}

bool dataset_write_coco(const struct dataset *set, const char *path, struct error *err)
{
    struct strbuf t = {0};
    if (!dataset_scaled(set, err))
        return false;
    strbuf_addf(&t, "{\"images\": [");
    for (int i = 0; i < set->image_count; i++) {
        const struct image_record *image = &set->images[i];
        strbuf_addf(&t, "%s\n{\"id\": %" PRId64 ", \"file_name\": ", i ? "," : "", image->id);
        json_add_string(&t, image->file);
        strbuf_addf(&t, ", \"width\": %d, \"height\": %d}", image->width, image->height);
    }
    strbuf_addf(&t, "\n], \"annotations\": [");
    for (int i = 0; i < set->annotation_count; i++) {
        strbuf_addf(&t, "%s\n", i ? "," : "");
        add_annotation_text(&t, set, &set->annotations[i]);
    }
    strbuf_addf(&t, "\n], \"categories\": [");
    for (int i = 0; i < set->category_count; i++) {
        strbuf_addf(&t, "%s\n{\"id\": %" PRId64 ", \"name\": ", i ? "," : "", set->categories[i].id);
        json_add_string(&t, set->categories[i].name);
        strbuf_addf(&t, "}");
    }
    strbuf_addf(&t, "\n]}\n");
    const bool ok = strbuf_check(&t, err) && file_write(path, t.s, t.size, err);
    strbuf_free(&t);
    return ok;
}
