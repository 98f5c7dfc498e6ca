/* tests/test_right_angles.c -- rotations by right angles, and vertical flips. */
#include "boxed_scene.h"

static const uint64_t seed = 30;

/* A point of the source after `angles` rotations by 90 degrees of its file, clockwise. */
static void rotate_file(int angles, struct image_size *size, double p[2])
{
    for (int i = 0; i < angles; i++) {
        const double x = p[0];
        p[0] = size->height - p[1];
        p[1] = x;
        *size = (struct image_size){ size->height, size->width };
    }
}

static void right_angles_rotate_the_file(void **state)
{
    static const enum resize modes[] = { RESIZE_KEEP, RESIZE_LETTERBOX };
    const struct image_size source = { 170, 90 }, asked = { 80, 64 };
    struct random r = random_of(seed, 0, 0);
    (void)state;
    for (int t = 0; t < 200; t++) {
        const enum resize mode = modes[t % 2];
        const int angles = 1 + t / 2 % 3;
        const double p[2] = { random_range(&r, 0, 170), random_range(&r, 0, 90) };
        double rotated[2] = { p[0], p[1] }, want[2], got[2];
        struct image_size file = source;
        struct draws draws = { .scale = 0.8, .stretch = { 1.1, 0.9 }, .rotation = 8, .translate = { 0.6, 0.45 },
                               .flip = t % 5 == 0 };
        rotate_file(angles, &file, rotated);
        const struct image_size output = resize_size(mode, file, asked, 0);
        const struct matrix of_file = geometry_matrix(&draws, mode, file, output);
        draws.right_angles = angles;
        const struct image_size frame = geometry_frame(&draws, mode, source);
        assert_true(frame.width == file.width && frame.height == file.height);
        const struct matrix m = geometry_matrix(&draws, mode, source, output);
        apply(&of_file, rotated, want);
        apply(&m, p, got);
        assert_true(fabs(got[0] - want[0]) < 1e-9 && fabs(got[1] - want[1]) < 1e-9);
    }
}

/* With resize stretch an axis of the input keeps its scale, and the centre its place. */
static void stretched_right_angles_keep_shapes(void **state)
{
    const struct image_size source = { 160, 90 }, output = { 64, 48 };
    const float box[4] = { 70, 40, 90, 50 }, want[4] = { 30, 24 - 20 * 48 / 90.0f / 2, 34, 24 + 20 * 48 / 90.0f / 2 };
    (void)state;
    for (int angles = 1; angles <= 3; angles++) {
        struct draws draws = draws_none;
        float got[4];
        draws.right_angles = angles;
        const struct matrix m = geometry_matrix(&draws, RESIZE_STRETCH, source, output);
        warp_boxes(&m, output, 1, (const float (*)[4])&box, &got);
        const float half = 10 * 48 / 90.0f / 2, flat[4] = { 28, 24 - half, 36, 24 + half };
        for (int i = 0; i < 4; i++)
            assert_true(fabsf(got[i] - (angles == 2 ? flat : want)[i]) < 1e-4f);
    }
}

static void both_flips_rotate_by_180_degrees(void **state)
{
    const struct image_size source = { 50, 30 };
    struct draws rotated = draws_none, flipped = draws_none;
    (void)state;
    rotated.right_angles = 2;
    flipped.flip = flipped.flip_vertical = true;
    const struct matrix a = geometry_matrix(&rotated, RESIZE_STRETCH, source, source);
    const struct matrix b = geometry_matrix(&flipped, RESIZE_STRETCH, source, source);
    for (int i = 0; i < 9; i++)
        assert_true(a.m[i / 3][i % 3] == b.m[i / 3][i % 3]);
}

/* Without the new steps a sample draws as many numbers as before; with them, at the rate of their probabilities. */
static void steps_draw_only_if_on(void **state)
{
    enum { TRIALS = 20000, DRAWS = 11 };
    struct pipeline_config g = plain.pipeline;
    struct random r = random_of(seed, 1, 0), before = r;
    int vertical = 0, angles[4] = {0};
    (void)state;
    geometry_draw(&g, false, &r);
    for (int i = 0; i < DRAWS; i++)
        random_bits(&before);
    assert_true(r.state == before.state);
    g.flip_vertical = 0.25;
    g.rotate90 = 0.6;
    for (int t = 0; t < TRIALS; t++) {
        const struct draws d = geometry_draw(&g, false, &r);
        vertical += d.flip_vertical;
        angles[d.right_angles]++;
        assert_false(d.flip);
    }
    assert_true(abs(vertical - TRIALS / 4) < TRIALS / 50);
    for (int i = 0; i < 4; i++)
        assert_true(abs(angles[i] - TRIALS * (i ? 2 : 4) / 10) < TRIALS / 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_angles_rotate_the_file),
        cmocka_unit_test(stretched_right_angles_keep_shapes),
        cmocka_unit_test(both_flips_rotate_by_180_degrees),
        cmocka_unit_test(steps_draw_only_if_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
