/* tests/test_boxes.c -- boxes drawn into images: positions of labels and legend. */
#include "base/random.h"
#include "report/boxes.h"
#include "report/labels.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* ---- places ---- */

static double common(const double a[4], const double b[4])
{
    const double w = fmin(a[0] + a[2], b[0] + b[2]) - fmax(a[0], b[0]);
    const double h = fmin(a[1] + a[3], b[1] + b[3]) - fmax(a[1], b[1]);
    return w > 1e-9 && h > 1e-9 ? w * h : 0;
}

static void assert_inside(const struct labels *l, const double p[4])
{
    if (!(p[0] >= 0 && p[1] >= 0 && p[0] + p[2] <= l->width + 1e-9 && p[1] + p[3] <= l->height + 1e-9))
        fail_msg("%g %g %g %g is not in %d x %d", p[0], p[1], p[2], p[3], l->width, l->height);
}

static void place_alone(int width, int height, const double box[4], double place[4])
{
    struct labels l;
    assert_true(labels_init(&l, width, height, 1, NULL));
    labels_set_box(&l, 0, box);
    labels_place(&l, 0, place);
    assert_inside(&l, place);
    labels_free(&l);
}

/* Above if there is space, else next to the object; inside only if the object fills the image. */
static void labels_are_next_to_their_boxes(void **state)
{
    static const struct { double box[4], x, y; } cases[] = {
        { { 50, 50, 8, 8 }, 50, 38 }, { { 90, 50, 8, 8 }, 60, 38 }, { { 0, 70, 8, 30 }, 0, 58 },
        { { 0, 0, 100, 100 }, 0, 0 }, { { -20, -20, 300, 300 }, 0, 0 } };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double place[4] = { 0, 0, 40, 12 };
        place_alone(100, 100, cases[i].box, place);
        if (fabs(place[0] - cases[i].x) > 1e-9 || fabs(place[1] - cases[i].y) > 1e-9)
            fail_msg("%zu: %g %g, not %g %g", i, place[0], place[1], cases[i].x, cases[i].y);
    }
    for (int corner = 0; corner < 4; corner++) {
        const double box[4] = { corner % 2 ? 92 : 0, corner / 2 ? 92 : 0, 8, 8 };
        double place[4] = { 0, 0, 40, 12 };
        place_alone(100, 100, box, place);
        assert_true(common(place, box) == 0);
    }
}

/* All labels fit; none covers another one or the legend, and each is near its box. */
static void labels_do_not_overlap(void **state)
{
    enum { COUNT = 100 };
    (void)state;
    for (uint64_t seed = 0; seed < 10; seed++) {
        double places[COUNT + 1][4] = { [COUNT] = { 0, 0, 100, 80 } };
        struct random r = random_of(seed, 0, 0);
        struct labels l;
        assert_true(labels_init(&l, 640, 480, COUNT, NULL));
        for (int i = 0; i < COUNT; i++) {
            const double box[4] = { random_range(&r, -5, 630), random_range(&r, -5, 470), random_range(&r, 4, 40),
                                    random_range(&r, 4, 40) };
            labels_set_box(&l, i, box);
        }
        labels_border(&l, places[COUNT]);
        labels_take(&l, places[COUNT]);
        for (int i = 0; i < COUNT; i++) {
            places[i][2] = 50;
            places[i][3] = 12;
            labels_place(&l, i, places[i]);
            assert_inside(&l, places[i]);
            assert_true(fabs(places[i][1] - l.boxes[i][1]) < 150);
        }
        for (int a = 0; a <= COUNT; a++)
            for (int b = 0; b < a; b++)
                if (common(places[a], places[b]) > 0)
                    fail_msg("seed %d: labels %d and %d overlap", (int)seed, a, b);
        labels_free(&l);
    }
}

/* An image as small as the label, and an image with more labels than fit. */
static void labels_are_placed_in_crowded_images(void **state)
{
    struct labels l;
    (void)state;
    assert_true(labels_init(&l, 20, 10, 30, NULL));
    for (int i = 0; i < 30; i++) {
        const double box[4] = { i, 2, 3, 3 };
        double place[4] = { 0, 0, 20, 10 };
        labels_set_box(&l, i, box);
        labels_place(&l, i, place);
        assert_inside(&l, place);
    }
    labels_free(&l);
}

static void the_legend_avoids_objects(void **state)
{
    static const double boxes[4][4] = { { 0, 0, 30, 30 }, { 70, 0, 30, 30 }, { 0, 70, 30, 30 }, { 70, 70, 30, 30 } };
    double place[4] = { 0, 0, 30, 30 };
    struct labels l;
    (void)state;
    assert_true(labels_init(&l, 100, 100, 4, NULL));
    for (int i = 0; i < 4; i++)
        labels_set_box(&l, i, boxes[i]);
    assert_true(labels_border(&l, place) == 0);
    assert_inside(&l, place);
    for (int i = 0; i < 4; i++)
        assert_true(common(place, boxes[i]) == 0);
    labels_free(&l);
}

/* ---- drawings ---- */

enum { SIDE = 240, GREY = 50 };
static unsigned char bgr[SIDE * SIDE * 3];
static struct font *font;                       /* NULL: our own glyphs */

/* The smallest rectangle around the pixels of a category's colour, right and bottom included; how many there are. */
static int find_colour(int width, int height, int category, int out[4])
{
    const uint32_t colour = box_colour(category);
    int count = 0;
    out[0] = out[1] = SIDE;
    out[2] = out[3] = -1;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            const unsigned char *p = bgr + 3 * (y * width + x);
            if (p[0] != (colour >> 8 & 255) || p[1] != (colour >> 16 & 255) || p[2] != colour >> 24)
                continue;
            out[0] = x < out[0] ? x : out[0];
            out[1] = y < out[1] ? y : out[1];
            out[2] = x > out[2] ? x : out[2];
            out[3] = y > out[3] ? y : out[3];
            count++;
        }
    return count;
}

static void draw(int width, int height, const struct drawn_box *boxes, int count)
{
    struct error err = {0};
    memset(bgr, GREY, sizeof bgr);
    if (!draw_boxes(bgr, width, height, boxes, count, font, &err))
        fail_msg("%s", err.text);
}

/* A label without a name draws the frame alone.  The difference is the label: its colour is outside the box. */
static void a_small_box_has_a_label(void **state)
{
    struct drawn_box box = { { 100, 100, 8, 8 }, 0, NULL, 0.87 };
    int frame[4], all[4];
    (void)state;
    draw(SIDE, SIDE, &box, 1);
    find_colour(SIDE, SIDE, 0, frame);
    assert_true(frame[0] >= 99 && frame[1] >= 99 && frame[2] <= 109 && frame[3] <= 109);
    box.name = "car";
    draw(SIDE, SIDE, &box, 1);
    assert_true(find_colour(SIDE, SIDE, 0, all) > 200);
    assert_true(all[1] < 92 && all[2] > 120);
}

/* The labels have the same number of pixels wherever the box is: none is cut off. */
static void labels_at_the_border_are_complete(void **state)
{
    int first = 0, extent[4];
    (void)state;
    for (int i = 0; i < 9; i++) {
        const struct drawn_box box = { { i % 3 * 112.0, i / 3 * 112.0, 16, 16 }, 0, "person", 0.5 };
        draw(SIDE, SIDE, &box, 1);
        const int count = find_colour(SIDE, SIDE, 0, extent);
        first = i ? first : count;
        if (abs(count - first) > first / 8)
            fail_msg("%d: %d pixels, not %d", i, count, first);
    }
}

static void tiny_images_have_labels(void **state)
{
    static const struct drawn_box box = { { 8, 20, 8, 8 }, 0, "awning-tricycle", 0.5 };
    int extent[4];
    (void)state;
    draw(32, 32, &box, 1);
    assert_true(find_colour(32, 32, 0, extent) > 60);
    for (int width = 1; width <= 16; width++)
        draw(width, 17 - width, &box, 1);
}

/* The legend with the colour of each class is far from boxes and labels. */
static void the_legend_has_every_class(void **state)
{
    struct drawn_box boxes[5];
    int extent[4];
    (void)state;
    for (int i = 0; i < 5; i++)
        boxes[i] = (struct drawn_box){ { 200, 200, 20, 20 }, i, "class", 0.4 + 0.1 * i };
    draw(SIDE, SIDE, boxes, 5);
    for (int i = 0; i < 5; i++) {
        assert_true(find_colour(SIDE, SIDE, i, extent) > 25);
        assert_true(extent[0] < 40);                            /* far from the boxes */
    }
}

static void any_box_can_be_drawn(void **state)
{
    static const struct drawn_box boxes[] = {
        { { 40, 30, 4, 4 }, 0, "small", 0.5 }, { { -20, -20, 60, 45 }, 1, "corner", 0.9 },
        { { 70, 60, 200, 200 }, 200, "beyond \xff\xfe", 0.3 }, { { 5, 5, 0, 0 }, 3, NULL, 2 },
        { { 400, 400, 10, 10 }, 4, "outside", 0.4 }, { { 1e9, -1e9, 1e9, 1e9 }, 5, "", 1 },
        { { 10, 10, 10, 10 }, 6, "a name that is much too long for any image that has this size, and longer", 1 } };
    (void)state;
    draw(SIDE, SIDE / 2, boxes, 7);
    draw(SIDE, SIDE, NULL, 0);
    for (int i = 0; i < SIDE * SIDE * 3; i++)
        assert_int_equal(bgr[i], GREY);
}

static void colours_differ(void **state)
{
    (void)state;
    for (int a = 0; a < 80; a++)
        for (int b = 0; b < a; b++)
            assert_true(box_colour(a) != box_colour(b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_are_next_to_their_boxes), cmocka_unit_test(labels_do_not_overlap),
        cmocka_unit_test(labels_are_placed_in_crowded_images),
        cmocka_unit_test(the_legend_avoids_objects), cmocka_unit_test(a_small_box_has_a_label),
        cmocka_unit_test(labels_at_the_border_are_complete), cmocka_unit_test(tiny_images_have_labels),
        cmocka_unit_test(the_legend_has_every_class), cmocka_unit_test(any_box_can_be_drawn),
        cmocka_unit_test(colours_differ) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
