/* tests/test_copy_paste.c -- copies of small objects, in generated images. */
#include "boxed_scene.h"
#include "data/copy_paste.h"

static const uint64_t seed = 32;

/* A large and a small object, two that touch, one at the border, one too small, and an ignore box. */
static const double to_copy[][4] = { { 20, 20, 50, 50 }, { 90, 30, 12, 20 }, { 30, 90, 10, 10 }, { 42, 90, 10, 10 },
                                     { 150, 2, 8, 8 }, { 100, 100, 3, 3 }, { 120, 80, 30, 30 } };
enum { SMALL = 1, IGNORED = 6, OBJECTS = 6 };

static void copies_of(struct sample *s, const struct image *p, double copies, struct random *r)
{
    struct data_config config = plain;
    struct boxes set;
    config.resize = RESIZE_STRETCH;
    config.input_size[0] = p->width;
    config.input_size[1] = p->height;
    boxes_set(&set, to_copy, sizeof to_copy / sizeof *to_copy);
    set.annotations[IGNORED].ignore = true;
    assert_true(sample_make(s, &config, p, r, NULL) && sample_objects(s, &set.dataset, 0, label, NULL)
                && copy_paste(s, copies, r, NULL));
}

static bool overlap(const float a[4], const float b[4])
{
    return a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];
}

static void small_objects_are_copied(void **state)
{
    struct image p = scene(200, 150, 50, to_copy, SMALL + 1);
    struct sample s = {0};
    int made = 0;
    (void)state;
    for (int t = 0; t < 200; t++) {
        struct random r = random_of(seed, 5, (uint64_t)t);
        copies_of(&s, &p, 2.5, &r);
        const struct objects *o = &s.objects;
        assert_in_range(o->count, OBJECTS, OBJECTS + 3);
        assert_int_equal(o->ignored, 1);
        for (int i = OBJECTS; i < o->count; i++, made++) {
            assert_true(o->label[i] == 1 && o->box[i][2] - o->box[i][0] == 12 && o->box[i][3] - o->box[i][1] == 20);
            assert_true(o->box[i][0] >= COPY_MARGIN && o->box[i][1] >= COPY_MARGIN
                        && o->box[i][2] <= 200 - COPY_MARGIN && o->box[i][3] <= 150 - COPY_MARGIN);
            for (int k = 0; k < i; k++)
                assert_false(overlap(o->box[i], o->box[k]));
            assert_false(overlap(o->box[i], o->ignore[0]));
        }
        for (int i = 0; i < OBJECTS; i++)
            for (int k = 0; k < 4; k++)
                assert_true(o->box[i][k] == (float)(to_copy[i][k % 2] + (k < 2 ? 0 : to_copy[i][k])));
        for (int y = 0; y < 150; y++)
            for (int x = 0; x < 200; x++) {
                int want = 50;
                for (int i = 0; i < o->count; i++)
                    if ((i <= SMALL || i >= OBJECTS) && (float)x >= o->box[i][0] && (float)x < o->box[i][2]
                        && (float)y >= o->box[i][1] && (float)y < o->box[i][3])
                        want = 150;
                assert_int_equal(level(&s, x, y), want);
            }
    }
    assert_in_range(made, 420, 580);                            /* 2.5 copies, of which few find no place */
    sample_free(&s);
    image_free(&p);
}

/* The left half of the image is grey, the right half white; the object lies on grey and is copied to grey. */
static void copies_stay_on_similar_ground(void **state)
{
    struct image p = scene(200, 150, 50, to_copy, SMALL + 1);
    struct sample s = {0};
    int made = 0;
    (void)state;
    for (int i = 0; i < 200 * 150; i++)
        if (i % 200 >= 110)
            put(&p, i % 200, i / 200, 250);
    for (int t = 0; t < 100; t++) {
        struct random r = random_of(seed, 6, (uint64_t)t);
        copies_of(&s, &p, 1, &r);
        made += s.objects.count - OBJECTS;
        for (int i = OBJECTS; i < s.objects.count; i++)
            assert_true(s.objects.box[i][2] < 114);
    }
    assert_in_range(made, 60, 100);
    sample_free(&s);
    image_free(&p);
}

/* The object lies in an image that covers part of the input; the rest is black, as its ground is. */
static void copies_stay_within_the_image(void **state)
{
    static const double box[1][4] = { { 40, 40, 10, 10 } };
    struct data_config config = plain;
    struct image p = scene(100, 100, 0, box, 1);
    struct boxes set;
    struct sample s = {0};
    (void)state;
    config.resize = RESIZE_LETTERBOX;                           /* 96 x 96 in the middle of 160 x 96 */
    boxes_set(&set, box, 1);
    for (int t = 0; t < 100; t++) {
        struct random r = random_of(seed, 7, (uint64_t)t);
        assert_true(sample_make(&s, &config, &p, &r, NULL) && sample_objects(&s, &set.dataset, 0, label, NULL)
                    && copy_paste(&s, 5, &r, NULL));
        for (int i = 0; i < s.objects.count; i++)
            assert_true(s.objects.box[i][0] >= 32 + COPY_MARGIN && s.objects.box[i][2] <= 128 - COPY_MARGIN);
        assert_true(s.objects.count > 1);
    }
    sample_free(&s);
    image_free(&p);
}

/* No edge marks a copy: over the margin its weight grows in equal steps. */
static void copies_blend_into_their_ground(void **state)
{
    static const double box[1][4] = { { 20, 20, 10, 10 } };
    struct data_config config = plain;
    struct image p = scene(100, 100, 40, NULL, 0);
    struct boxes set;
    struct sample s = {0};
    struct random r = random_of(seed, 8, 0);
    (void)state;
    for (int i = 0; i < 26 * 26; i++)
        put(&p, 12 + i % 26, 12 + i / 26, 60);                 /* brighter ground around the object */
    config.resize = RESIZE_STRETCH;
    config.input_size[0] = config.input_size[1] = 100;
    boxes_set(&set, box, 1);
    assert_true(sample_make(&s, &config, &p, &r, NULL) && sample_objects(&s, &set.dataset, 0, label, NULL));
    do {
        s.objects.count = 1;
        assert_true(copy_paste(&s, 1, &r, NULL));
    } while (s.objects.count < 2 || s.objects.box[1][0] < 45 || s.objects.box[1][1] < 45);
    const int x = (int)s.objects.box[1][0], y = (int)s.objects.box[1][1] + 5;
    const int want[] = { 40, 45, 50, 55, 60 };
    for (int i = 0; i < 5; i++)
        assert_int_equal(level(&s, x - 4 + i, y), want[i]);
    sample_free(&s);
    image_free(&p);
}

static void without_copies_nothing_is_drawn(void **state)
{
    struct image p = scene(200, 150, 50, to_copy, SMALL + 1);
    struct sample s = {0};
    struct random r = random_of(seed, 9, 0), before = r;
    (void)state;
    copies_of(&s, &p, 0, &r);
    struct sample alone = {0};
    assert_true(sample_make(&alone, &plain, &p, &before, NULL));
    sample_free(&alone);
    assert_true(r.state == before.state);
    assert_int_equal(s.objects.count, OBJECTS);
    sample_free(&s);
    image_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_objects_are_copied),
        cmocka_unit_test(copies_stay_on_similar_ground),
        cmocka_unit_test(copies_stay_within_the_image),
        cmocka_unit_test(copies_blend_into_their_ground),
        cmocka_unit_test(without_copies_nothing_is_drawn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
