/* tests/test_mosaic.c -- mosaics of generated images, with flips and right angles. */
#include "boxed_scene.h"

static const uint64_t seed = 31;

/* Pixels two inside of every box are bright, pixels two outside of all boxes are not, but for what is left of a box at
 * an edge of its part; quarters meet at (column, row). */
static void assert_boxes_hold_bright_pixels(const struct sample *s, int ground, int column, int row, int trial)
{
    const struct objects *t = &s->objects;
    for (int y = 0; y < s->input.height; y++)
        for (int x = 0; x < s->input.width; x++) {
            bool inside = false, near = abs(x - column) <= 2 || abs(y - row) <= 2 || x < 2 || y < 2
                                     || x >= s->input.width - 2 || y >= s->input.height - 2;
            for (int i = 0; i < t->count + t->ignored; i++) {
                const float *b = i < t->count ? t->box[i] : t->ignore[i - t->count];
                inside |= (float)x > b[0] + 2 && (float)x < b[2] - 2 && (float)y > b[1] + 2 && (float)y < b[3] - 2;
                near |= (float)x > b[0] - 2 && (float)x < b[2] + 2 && (float)y > b[1] - 2 && (float)y < b[3] + 2;
            }
            if ((inside && level(s, x, y) < ground + 60) || (!near && level(s, x, y) > ground + 40))
                fail_msg("trial %d: level %d at %d, %d is %s a box", trial, level(s, x, y), x, y,
                         inside ? "inside" : "outside of");
        }
}

/* Boxes lie on their objects for every resize, with all steps that keep rectangles. */
static void boxes_follow_the_pixels(void **state)
{
    static const double boxes[][4] = { { 10, 12, 40, 30 }, { 120, 20, 50, 60 }, { 80, 100, 60, 30 },
                                       { 220, 110, 50, 40 } };
    struct data_config config = plain;
    struct image p = scene(300, 170, 50, boxes, 4);
    struct boxes set;
    struct error err = {0};
    int kept = 0;
    (void)state;
    boxes_set(&set, boxes, 4);
    config.pipeline.scale[0] = 0.8;
    config.pipeline.scale[1] = 1.3;
    config.pipeline.flip = config.pipeline.flip_vertical = 0.5;
    config.pipeline.rotate90 = 0.75;
    for (int t = 0; t < 90; t++) {
        struct random r = random_of(seed, 2, (uint64_t)t);
        struct sample s = {0};
        struct quarter quarter = { .centre = { random_range(&r, 0.25, 0.75), random_range(&r, 0.25, 0.75) } };
        config.resize = (enum resize)(t % 3);
        for (int k = 0; k < (t % 2 ? QUARTERS : 1); k++) {
            quarter.index = k;
            assert_true(sample_quarter(&s, &config, &p, t % 2 ? &quarter : NULL, &r, &err)
                        && sample_objects(&s, &set.dataset, 0, label, &err));
            quarter.input = s.input;
        }
        assert_boxes_hold_bright_pixels(&s, 50, (int)(quarter.centre[0] * s.input.width),
                                        (int)(quarter.centre[1] * s.input.height), t);
        kept += t % 2 ? s.objects.count : 0;
        sample_free(&s);
    }
    assert_in_range(kept, 45, 45 * 8);
    image_free(&p);
}

/* Where the corners of an image of 100 x 40 come to lie in a window of 60 x 60, before that at 7 and -5. */
static void windows_lie_over_the_image(void **state)
{
    static const struct { double at[2], left, top; } cases[] = {
        { { 0, 0 }, 0, 0 }, { { 1, 1 }, -40, 20 }, { { 0.5, 0.5 }, -20, 10 }, { { 0.25, 1 }, -10, 20 } };
    const struct image_size source = { 100, 40 }, window = { 60, 60 };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int mirrored = 0; mirrored < 2; mirrored++) {
            struct matrix m = {{{ mirrored ? -1 : 1, 0, mirrored ? 107 : 7 }, { 0, 1, -5 }, { 0, 0, 1 }}};
            const double corner[2] = { mirrored ? 100 : 0, 0 };
            double got[2];
            geometry_window(&m, source, window, cases[i].at);
            apply(&m, corner, got);
            assert_true(got[0] == cases[i].left && got[1] == cases[i].top);
        }
    struct matrix nowhere = {{{ 1, 0, 0 }, { 0, 1, 0 }, { 0, 0, 0 }}}, same = nowhere;
    geometry_window(&nowhere, source, window, cases[1].at);
    assert_memory_equal(&nowhere, &same, sizeof same);
}

/* Quarters of one grey each meet at the centre and leave no pixel out; larger images leave nothing black. */
static void quarters_fill_the_input(void **state)
{
    struct data_config config = plain;
    struct error err = {0};
    (void)state;
    config.resize = RESIZE_STRETCH;
    for (int t = 0; t < 50; t++) {
        struct random r = random_of(seed, 3, (uint64_t)t);
        struct quarter quarter = { .centre = { random_range(&r, 0.25, 0.75), random_range(&r, 0.25, 0.75) } };
        const int x = (int)(160 * quarter.centre[0]), y = (int)(96 * quarter.centre[1]);
        struct sample s = {0};
        for (int k = 0; k < QUARTERS; k++) {
            struct image p = scene(100 + 30 * k, 140, 50 * (k + 1), NULL, 0);
            quarter.index = k;
            assert_true(sample_quarter(&s, &config, &p, &quarter, &r, &err));
            quarter.input = s.input;
            image_free(&p);
        }
        assert_true(s.input.width == 160 && s.input.height == 96);
        for (int i = 0; i < 160 * 96; i++) {
            const int column = i % 160, row = i / 160, want = 50 * (1 + (column >= x) + 2 * (row >= y));
            const bool last = column == 159 || row == 95 || column == x - 1 || row == y - 1;    /* blend with black */
            if (level(&s, column, row) != want && !last)
                fail_msg("trial %d: %d at %d, %d", t, level(&s, column, row), column, row);
        }
        sample_free(&s);
    }
}

/* The first image gives a mosaic the size and the colours that it has alone, and every image keeps its scale. */
static void images_of_a_mosaic_keep_their_scale(void **state)
{
    const struct image_size sizes[QUARTERS] = { { 200, 100 }, { 60, 120 }, { 300, 90 }, { 50, 50 } };
    struct data_config config = plain;
    struct quarter quarter = { .centre = { 0.5, 0.5 } };
    struct sample s = {0}, alone = {0};
    struct random r = random_of(seed, 4, 0), again = r;
    struct error err = {0};
    (void)state;
    config.resize = RESIZE_KEEP;
    config.pipeline.brightness = 0.5;
    for (int k = 0; k < QUARTERS; k++) {
        struct image p = scene(sizes[k].width, sizes[k].height, 90, NULL, 0);
        quarter.index = k;
        assert_true(sample_quarter(&s, &config, &p, &quarter, &r, &err)
                    && sample_make(&alone, &config, &p, &again, &err));
        if (k == 0) {
            quarter.input = s.input;
            assert_true(s.input.width == alone.input.width && s.input.height == alone.input.height);
            assert_memory_equal(&s.jitter, &alone.jitter, sizeof s.jitter);
        }
        assert_true(fabs(s.matrix.m[0][0] - alone.matrix.m[0][0]) < 1e-12);
        assert_true(s.input.width == 160 && s.input.height == 80 && s.part.index == k && s.part.count == QUARTERS);
        image_free(&p);
    }
    sample_free(&s);
    sample_free(&alone);
}

/* A quarter of 40 x 30 at (60, 20), from a source of the same scale. */
static const struct cut { double box[4]; int objects, ignored; float want[4]; } cuts[] = {
    { { 5, 5, 10, 10 }, 1, 0, { 65, 25, 75, 35 } },
    { { 36, 5, 10, 10 }, 1, 0, { 96, 25, 100, 35 } },           /* 40 % are in the quarter */
    { { 37, 5, 10, 10 }, 0, 1, { 97, 25, 100, 35 } },           /* 30 % */
    { { -8, -4, 10, 10 }, 0, 1, { 60, 20, 62, 26 } },
    { { 39.5, 5, 10, 10 }, 0, 0, {0} },                         /* half a pixel */
    { { 50, 5, 10, 10 }, 0, 0, {0} },
    { { 5, 29.5, 10, 1.1 }, 0, 0, {0} },                        /* 45 %, but half a pixel */
};

static void boxes_are_cut_at_quarters(void **state)
{
    const struct matrix same = {{{ 1, 0, 0 }, { 0, 1, 0 }, { 0, 0, 1 }}};
    (void)state;
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++)
        for (int ignore = 0; ignore < 2; ignore++) {
            const struct cut *c = &cuts[i];
            struct sample s = { .part = { 60, 20, { 40, 30 }, .count = QUARTERS }, .matrix = same };
            struct boxes set;
            boxes_set(&set, &c->box, 1);
            set.annotations[0].ignore = ignore;
            assert_true(sample_objects(&s, &set.dataset, 0, label, NULL));
            assert_int_equal(s.objects.count, ignore ? 0 : c->objects);
            assert_int_equal(s.objects.ignored, ignore ? c->objects + c->ignored : c->ignored);
            for (int k = 0; k < 4 && s.objects.count + s.objects.ignored; k++)
                assert_true((s.objects.count ? s.objects.box : s.objects.ignore)[0][k] == c->want[k]);
            sample_free(&s);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(boxes_follow_the_pixels),
        cmocka_unit_test(windows_lie_over_the_image),
        cmocka_unit_test(quarters_fill_the_input),
        cmocka_unit_test(images_of_a_mosaic_keep_their_scale),
        cmocka_unit_test(boxes_are_cut_at_quarters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
