#include "data/coco.h"

#include "base/json.h"
#include "base/table.h"
#include "data/json_walk.h"
#include "data/lists.h"
#include "data/picture.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct record { const cJSON *json; const char *at; };   /* at: file and line */

static const cJSON *field(struct record r, const char *name)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(r.json, name);
    return cJSON_IsNull(value) ? NULL : value;
}

static bool read_id(struct record r, const char *name, int64_t *out, struct error *err)
{
    return json_int64(field(r, name), out) || fail(err, "%s: %s must be a whole number", r.at, name);
}

static bool read_side(struct record r, const char *name, int *out, struct error *err)
{
    const cJSON *value = field(r, name);
    *out = 0;
    return !value || (json_int(value, out) && *out >= 0 && *out <= PICTURE_SIDE)
        || fail(err, "%s: %s must be a whole number from 0 to %d", r.at, name, PICTURE_SIDE);
}

static bool read_name(struct record r, const char *name, const char **out, struct error *err)
{
    const cJSON *value = field(r, name);
    *out = cJSON_IsString(value) ? value->valuestring : "";
    return !value || cJSON_IsString(value) || fail(err, "%s: %s must be text", r.at, name);
}

static bool read_flag(struct record r, const char *name, bool *out, struct error *err)
{
    const cJSON *value = field(r, name);
    *out = cJSON_IsTrue(value) || (cJSON_IsNumber(value) && value->valuedouble != 0);
    return !value || cJSON_IsBool(value) || cJSON_IsNumber(value) || fail(err, "%s: %s must be 0 or 1", r.at, name);
}

static bool add_image(struct dataset_builder *b, struct record r, struct error *err)
{
    const char *file;
    int64_t id;
    int width, height;
    return read_id(r, "id", &id, err) && read_name(r, "file_name", &file, err)
        && read_side(r, "width", &width, err) && read_side(r, "height", &height, err)
        && build_image(b, id, file, width, height, err);
}

static bool add_category(struct dataset_builder *b, struct record r, struct error *err)
{
    const char *name;
    int64_t id;
    return read_id(r, "id", &id, err) && read_name(r, "name", &name, err) && build_category(b, id, name, err);
}

static bool read_box(struct record r, double box[4], struct error *err)
{
    const cJSON *list = field(r, "bbox");
    bool ok = cJSON_IsArray(list) && cJSON_GetArraySize(list) == 4;
    for (int i = 0; ok && i < 4; i++)
        ok = json_real(cJSON_GetArrayItem(list, i), &box[i]);
    return ok || fail(err, "%s: bbox must be four numbers", r.at);
}

static bool add_annotation(struct dataset_builder *b, struct record r, struct error *err)
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
        return fail(err, "%s: area must be a number", r.at);
    return build_annotation(b, &a, image, category, r.at, err);
}

static const struct list {
    const char *name;
    bool (*add)(struct dataset_builder *, struct record, struct error *);
} lists[] = {
    { "images",      add_image },
    { "categories",  add_category },
    { "annotations", add_annotation },
    {0} };

static bool read_list(struct dataset_builder *b, const struct list *list, const struct json_walk *at,
                      struct error *err)
{
    struct json_walk walk;
    struct text place = {0};
    bool ok = json_walk_into(at, &walk, '[', err);
    while (ok && json_walk_next(&walk, NULL, 0, &ok, err)) {
        cJSON *json = json_walk_parse(&walk, err);
        place.size = 0;
        text_add(&place, "%s:%d: %s", walk.path, walk.line, list->name);
        ok = json && text_ok(&place, err)
          && (cJSON_IsObject(json) || fail(err, "%s: must be objects {...}", place.s))
          && list->add(b, (struct record){ json, place.s }, err);
        cJSON_Delete(json);
    }
    text_free(&place);
    return ok;
}

/* Values of other keys must be JSON too. */
static bool skip_value(const struct json_walk *walk, struct error *err)
{
    cJSON *json = json_walk_parse(walk, err);
    cJSON_Delete(json);
    return json != NULL;
}

bool coco_parse(struct dataset_builder *b, struct bytes text, const char *path, struct error *err)
{
    struct json_walk walk;
    char key[32];
    bool seen[sizeof lists / sizeof *lists] = {0};
    bool ok = json_walk_begin(&walk, text, path, '{', err);
    while (ok && json_walk_next(&walk, key, sizeof key, &ok, err)) {
        const struct list *list = find_row(key, lists, sizeof *lists);
        if (!list)
            ok = skip_value(&walk, err);
        else if (seen[list - lists])
            ok = fail(err, "%s:%d: a second list of %s", path, walk.line, key);
        else {
            ok = read_list(b, list, &walk, err);
            seen[list - lists] = true;
        }
    }
    return ok && (seen[0] || fail(err, "%s: has no list of images", path));
}

bool coco_read(struct dataset_builder *b, const struct dataset_source *source, struct error *err)
{
    struct bytes text;
    const bool ok = file_read(&text, source->ann_path, err) && coco_parse(b, text, source->ann_path, err)
                 && (!source->image_list || image_list_keep(b, source->image_list, err));
    bytes_free(&text);
    return ok;
}

/* The shortest of the decimals that read as v again. */
static void add_number(struct text *t, double v)
{
    char s[32];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(s, sizeof s, "%.*g", digits, v);
        if (strtod(s, NULL) == v)
            break;
    }
    text_add(t, "%s", s);
}

static void add_annotation_text(struct text *t, const struct dataset *set, const struct annotation *a)
{
    text_add(t, "{\"id\": %" PRId64 ", \"image_id\": %" PRId64 ", \"category_id\": %" PRId64 ", \"bbox\": [", a->id,
             set->images[a->image].id, set->categories[a->category].id);
    for (int i = 0; i < 4; i++) {
        text_add(t, "%s", i ? ", " : "");
        add_number(t, a->box[i]);
    }
    text_add(t, "], \"area\": ");
    add_number(t, a->area);
    text_add(t, ", \"iscrowd\": %d, \"ignore\": %d}", a->crowd, a->ignore);
}

bool dataset_write_coco(const struct dataset *set, const char *path, struct error *err)
{
    struct text t = {0};
    text_add(&t, "{\"images\": [");
    for (int i = 0; i < set->image_count; i++) {
        const struct image *image = &set->images[i];
        text_add(&t, "%s\n{\"id\": %" PRId64 ", \"file_name\": ", i ? "," : "", image->id);
        json_add_string(&t, image->file);
        text_add(&t, ", \"width\": %d, \"height\": %d}", image->width, image->height);
    }
    text_add(&t, "\n], \"annotations\": [");
    for (int i = 0; i < set->annotation_count; i++) {
        text_add(&t, "%s\n", i ? "," : "");
        add_annotation_text(&t, set, &set->annotations[i]);
    }
    text_add(&t, "\n], \"categories\": [");
    for (int i = 0; i < set->category_count; i++) {
        text_add(&t, "%s\n{\"id\": %" PRId64 ", \"name\": ", i ? "," : "", set->categories[i].id);
        json_add_string(&t, set->categories[i].name);
        text_add(&t, "}");
    }
    text_add(&t, "\n]}\n");
    const bool ok = text_ok(&t, err) && file_write(path, t.s, t.size, err);
    text_free(&t);
    return ok;
}
