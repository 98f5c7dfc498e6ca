/* tests/test_synth.c -- generated scenes: equal scenes for equal seeds, with valid boxes. */
#include "base/file.h"
#include "folder.h"
#include "json_file.h"
#include "synth/renderer.h"
#include "synth/synth.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

static const struct synth_config usual = { .images = 3, .val_images = 2, .width = 192, .height = 160, .objects_min = 5,
                                           .objects_max = 12, .scale = 7, .seed = 1 };

static void draw(struct synth_scene *scene, const struct synth_config *c, int index)
{
    struct error err = {0};
    if (!synth_draw(scene, c, index, &err))
        fail_msg("%s", err.text);
}

static bool same_scene(const struct synth_scene *a, const struct synth_scene *b)
{
    bool same = a->count == b->count && a->image.width == b->image.width && a->image.height == b->image.height
             && memcmp(a->image.p, b->image.p, 3 * (size_t)a->image.width * (size_t)a->image.height) == 0;
    for (int i = 0; same && i < a->count; i++) {
        const struct synth_object *p = &a->objects[i], *q = &b->objects[i];
        same = p->category == q->category && p->ignore == q->ignore && memcmp(p->box, q->box, sizeof p->box) == 0;
    }
    return same;
}

static void scenes_depend_only_on_seed_and_index(void **state)
{
    struct synth_config other = usual;
    struct synth_scene a, b;
    (void)state;
    draw(&a, &usual, 1);
    draw(&b, &usual, 1);
    assert_true(same_scene(&a, &b));
    synth_free(&b);
    draw(&b, &usual, 2);
    assert_false(same_scene(&a, &b));
    synth_free(&b);
    other.seed++;
    draw(&b, &other, 1);
    assert_false(same_scene(&a, &b));
    synth_free(&b);
    synth_free(&a);
}

/* Boxes lie inside the image and have an area, all categories come up, counts are near what was wanted. */
static void boxes_are_sound(void **state)
{
    static const struct synth_config cases[] = {
        { .width = 384, .height = 384, .objects_min = 10, .objects_max = 30, .scale = 13, .seed = 3 },
        { .width = 320, .height = 97, .objects_min = 40, .objects_max = 200, .scale = 2, .seed = 4 },
        { .width = 64, .height = 300, .objects_min = 1, .objects_max = 1, .scale = 40, .seed = 5 } };
    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        int seen[SYNTH_CATEGORIES + 1] = {0}, total = 0;
        for (int i = 0; i < 12; i++) {
            struct synth_scene s;
            draw(&s, &cases[k], i);
            assert_true(s.count <= cases[k].objects_max);
            for (int j = 0; j < s.count; j++) {
                const struct synth_object *o = &s.objects[j];
                assert_in_range(o->category, 1, SYNTH_CATEGORIES);
                seen[o->category]++;
                assert_true(o->box[0] >= 0 && o->box[1] >= 0 && o->box[2] >= 2 && o->box[3] >= 2);
                assert_true(o->box[0] + o->box[2] <= cases[k].width + 1e-9);
                assert_true(o->box[1] + o->box[3] <= cases[k].height + 1e-9);
            }
            total += s.count;
            synth_free(&s);
        }
        if (k == 0) {
            for (int c = 1; c <= SYNTH_CATEGORIES; c++)
                assert_true(seen[c] >= 5);
            assert_in_range(total, 12 * 10, 12 * 30);
        }
    }
}

static int files_differ(const char *a, const char *b)
{
    struct error err = {0};
    struct bytes p = {0}, q = {0};
    const bool ok = file_read(&p, a, &err) && file_read(&q, b, &err);
    const int differ = !ok || p.size != q.size || memcmp(p.p, q.p, p.size) != 0;
    bytes_free(&p);
    bytes_free(&q);
    return differ;
}

/* The same bytes for one thread and two; the annotations are COCO and name every file. */
static void set_is_written(void **state)
{
    static const char *const files[] = { "train.json", "val.json", "images/train/000000.jpg", "images/train/000002.jpg",
                                         "images/val/000003.jpg", "images/val/000004.jpg" };
    struct error err = {0};
    (void)state;
    if (!synth_write(&usual, in_folder("0"), &(struct team){ 1 }, &err)
        || !synth_write(&usual, in_folder("1"), &(struct team){ 2 }, &err))
        fail_msg("%s", err.text);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[2][40];
        snprintf(path[0], sizeof path[0], "0/%s", files[i]);
        snprintf(path[1], sizeof path[1], "1/%s", files[i]);
        assert_false(files_differ(in_folder(path[0]), in_folder(path[1])));
    }
    cJSON *json = json_read(in_folder("0/val.json"), &err);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(json, "images")), 2);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(json, "categories")), SYNTH_CATEGORIES);
    assert_true(cJSON_GetArraySize(cJSON_GetObjectItem(json, "annotations")) > 4);
    cJSON_Delete(json);
    assert_false(synth_write(&usual, "/dev/null/x", &(struct team){ 1 }, &err));
}

static bool open_stage(struct renderer *s)
{
    struct error err = {0};
    if (!renderer_open(s, 100, 80, 10, 50, 0.5, random_of(1, 2, 3), &err))
        return false;
    s->sun = (struct vec3){ 0, 0, 1 };
    for (int k = 0; k < 3; k++)
        s->skylight[k] = 1;
    return true;
}

static double painted_area(struct renderer *s)
{
    double sum = 0;
    for (int i = 0; i < s->width * s->height; i++)
        sum += s->light[3 * i];
    return sum;
}

/* A polygon covers its area within a quarter of its outline; from the back it covers nothing. */
static void polygon_has_its_area(void **state)
{
    const struct vec3 square[] = { { -2, -2, 0 }, { 2.03, -2, 0 }, { 2.03, 2, 0 }, { -2, 2, 0 } };
    const struct vec3 back[] = { square[3], square[2], square[1], square[0] };
    struct renderer s = {0};
    double q[4][2], area = 0;
    (void)state;
    assert_true(open_stage(&s));
    for (int i = 0; i < 4; i++)
        renderer_project(&s, square[i], q[i]);
    for (int i = 0, j = 3; i < 4; j = i++)
        area += (q[i][0] * q[j][1] - q[j][0] * q[i][1]) / 2;
    renderer_polygon(&s, back, 4, paint_of(0xffffff, 0));
    assert_true(painted_area(&s) == 0);
    renderer_polygon(&s, square, 4, paint_of(0xffffff, 0));
    assert_true(fabs(painted_area(&s) - area) < 15 && area > 1000);
    renderer_free(&s);
}

/* The object nearer to the camera is visible in any painting order; occluded pixels count as painted. */
static void near_objects_occlude_far_ones(void **state)
{
    enum { MIDDLE = 40 * 100 + 50 };
    (void)state;
    for (int order = 0; order < 2; order++) {
        struct renderer s = {0};
        assert_true(open_stage(&s));
        for (int i = 0; i < 2; i++) {
            const bool high = i == order;
            const double z = high ? 3 : 0;
            renderer_begin(&s, high ? 2 : 1);
            renderer_polygon(&s, (struct vec3[]){ { -3, -3, z }, { 3, -3, z }, { 3, 3, z }, { -3, 3, z } }, 4,
                             paint_of(0x808080, 0));
            assert_true(s.painted > 2000);
        }
        assert_int_equal(s.owner[MIDDLE], 2);
        renderer_free(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scenes_depend_only_on_seed_and_index), cmocka_unit_test(boxes_are_sound),
        cmocka_unit_test(set_is_written), cmocka_unit_test(polygon_has_its_area),
        cmocka_unit_test(near_objects_occlude_far_ones) };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
