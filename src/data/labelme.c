#include "data/labelme.h"

#include "base/json.h"
#include "base/json_cursor.h"
#include "base/memory.h"
#include "base/table.h"
#include "base/text_file.h"
#include "data/image.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct shape_type { const char *name; int min_points; } shape_types[] = {
    { "rectangle", 2 }, { "polygon", 3 }, {0} };

static bool read_label(const cJSON *shape, struct named_box *box, struct error *err)
{
    const cJSON *label = cJSON_GetObjectItemCaseSensitive(shape, "label");
    if (!cJSON_IsString(label))
        return fail(err, "label must be text");
    const char *name = text_trim(label->valuestring);
    if (!*name)
        return fail(err, "label is empty");
    return snprintf(box->name, sizeof box->name, "%s", name) < (int)sizeof box->name || fail(err, "label is too long");
}

/* Sets the box to the bounding box of the points. */
static bool read_points(const cJSON *shape, const struct shape_type *type, struct named_box *box, struct error *err)
{
    const cJSON *points = cJSON_GetObjectItemCaseSensitive(shape, "points"), *point;
    int count = 0;
    box->x1 = box->y1 = INFINITY;
    box->x2 = box->y2 = -INFINITY;
    cJSON_ArrayForEach(point, points) {
        double x, y;
        if (cJSON_GetArraySize(point) != 2 || !json_real(cJSON_GetArrayItem(point, 0), &x)
            || !json_real(cJSON_GetArrayItem(point, 1), &y))
            return fail(err, "point %d must be two finite numbers [x, y]", count + 1);
        box->x1 = fmin(box->x1, x);
        box->y1 = fmin(box->y1, y);
        box->x2 = fmax(box->x2, x);
        box->y2 = fmax(box->y2, y);
        count++;
    }
    return (cJSON_IsArray(points) && count >= type->min_points)
        || fail(err, "a %s needs a list of at least %d points", type->name, type->min_points);
}

/* Adds the box of a shape.  A shape that is not a box becomes a note or a problem; fails only
 * if memory is short. */
static bool add_shape(struct image_annotations *out, const cJSON *shape, int number, const char *path,
                      struct dataset *set, struct error *err)
{
    const cJSON *type_item = cJSON_GetObjectItemCaseSensitive(shape, "shape_type");
    const char *type_name = cJSON_IsString(type_item) ? type_item->valuestring : "polygon";
    const struct shape_type *type = find_row(type_name, shape_types, sizeof *shape_types);
    struct named_box box = { .shape = number };
    struct error why;
    if (!cJSON_IsObject(shape))
        dataset_problem(set, "%s: shape %d: must be an object {...}", path, number);
    else if (!type)
        dataset_note(set, NOTE_OTHER_SHAPE, "%s: shape %d, %.40s", path, number, type_name);
    else if (!read_label(shape, &box, &why) || !read_points(shape, type, &box, &why))
        dataset_problem(set, "%s: shape %d: %s", path, number, why.text);
    else if (!grow_array(&out->boxes, out->count, &out->capacity, sizeof box, err))
        return false;
    else
        out->boxes[out->count++] = box;
    return true;
}

static bool read_shapes(struct image_annotations *out, struct json_cursor *c, struct dataset *set, struct error *err)
{
    bool ok = true;
    if (!cursor_enter(c, '['))
        return fail(err, "%s:%d: shapes must be a list [...]", c->path, cursor_line(c));
    for (int number = 1; ok && cursor_next(c, NULL); number++) {
        struct error why = {0};
        cJSON *shape = cursor_parse(c, &why);
        if (shape)
            ok = add_shape(out, shape, number, c->path, set, err);
        else if (!c->failed)
            dataset_problem(set, "%s in shape %d", why.text, number);
        cJSON_Delete(shape);
    }
    return ok;
}

static void read_side(struct json_cursor *c, const char *name, int *side, struct dataset *set, struct error *err)
{
    cJSON *json = cursor_parse(c, err);
    int v = 0;
    if (json && !cJSON_IsNull(json) && !(json_int(json, &v) && v >= 0 && v <= IMAGE_SIDE))
        dataset_problem(set, "%s: %s must be a whole number from 0 to %d", c->path, name, IMAGE_SIDE);
    else
        *side = v;
    cJSON_Delete(json);
}

static void read_file_name(struct json_cursor *c, struct image_annotations *out, struct dataset *set, struct error *err)
{
    cJSON *json = cursor_parse(c, err);
    const char *name = cJSON_IsString(json) ? json->valuestring : "";
    for (const char *part; (part = strpbrk(name, "/\\")); )
        name = part + 1;
    if (json && !cJSON_IsNull(json) && !cJSON_IsString(json))
        dataset_problem(set, "%s: imagePath must be text", c->path);
    else if (snprintf(out->file, sizeof out->file, "%s", name) >= (int)sizeof out->file)
        dataset_problem(set, "%s: imagePath is too long", c->path);
    cJSON_Delete(json);
}

static bool read_file(struct image_annotations *out, struct json_cursor *c, struct dataset *set, struct error *err)
{
    struct json_span key;
    struct error why = {0};
    bool ok = true, shapes = false;
    if (!cursor_enter(c, '{'))
        return fail(err, "%s:%d: must be an object {...}", c->path, cursor_line(c));
    while (ok && cursor_next(c, &key))
        if (span_is(key, "shapes")) {
            ok = read_shapes(out, c, set, err);
            shapes = true;
        } else if (span_is(key, "imagePath"))
            read_file_name(c, out, set, &why);
        else if (span_is(key, "imageWidth"))
            read_side(c, "imageWidth", &out->width, set, &why);
        else if (span_is(key, "imageHeight"))
            read_side(c, "imageHeight", &out->height, set, &why);
        else
            cursor_skip(c);
    if (!ok)
        return false;
    if (*why.text && !c->failed)
        return fail(err, "%s", why.text);
    return (cursor_end(c) || cursor_error(c, err))
        && (shapes || fail(err, "%s: has no list of shapes: it is not a file of LabelMe", c->path));
}

bool labelme_parse(struct image_annotations *out, struct bytes text, const char *path, struct dataset *set)
{
    struct json_cursor c = cursor_of(text, path);
    struct error why = {0};
    *out = (struct image_annotations){0};
    if (text.size ? read_file(out, &c, set, &why) : fail(&why, "%s: is empty", path))
        return true;
    dataset_problem(set, "%s", why.text);
    image_annotations_free(out);
    return false;
}
