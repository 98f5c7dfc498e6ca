/* tests/test_suspects.c -- label errors that are known: doubtful boxes, disputed labels, and the hash of images. */
#include "data/box_faults.h"
#include "data/difference_hash.h"
#include "eval/suspects.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static const int label[] = { 0, 1 };

/* ---- disputed labels ---- */

enum { GOOD = 8 };                              /* labels that a detection confirms, in image 0 */

/* In image 0 good labels of class 0; in image 1 one label of each kind of error:
 *     annotation GOOD      moved by its width; the detection is where it was
 *     GOOD + 1             of class 1, seen as 0
 *     GOOD + 2, GOOD + 3   equal; one detection
 * and a detection without a label at (300, 300). */
static void make_scene(struct dataset *set, struct image_record *images, struct annotation *boxes,
                       struct detections *found)
{
    static const double wrong[][4] = { { 40, 0, 40, 40 }, { 100, 0, 40, 40 }, { 200, 0, 40, 40 }, { 201, 1, 40, 40 } };
    static const double seen[][4] = { { 5, 2, 40, 40 }, { 101, 1, 40, 40 }, { 200, 0, 40, 40 }, { 300, 300, 50, 50 } };
    struct error err = {0};
    images[0] = (struct image_record){ .id = 1, .width = 640, .height = 480, .count = GOOD };
    images[1] = (struct image_record){ .id = 2, .width = 640, .height = 480, .first = GOOD, .count = 4 };
    *found = (struct detections){0};
    for (int i = 0; i < GOOD + 4; i++) {
        const double good[4] = { 60.0 * i, 200, 40, 40 };
        boxes[i] = (struct annotation){ .id = i, .image = i >= GOOD, .category = i == GOOD + 1, .area = 1600 };
        memcpy(boxes[i].box, i < GOOD ? good : wrong[i - GOOD], sizeof good);
        if (i < GOOD) {
            struct detection d = { .image = 0, .score = 0.6 };
            memcpy(d.box, good, sizeof good);
            assert_true(detections_add(found, d, &err));
        }
    }
    for (int i = 0; i < 4; i++) {
        struct detection d = { .image = 1, .score = 0.7 };
        memcpy(d.box, seen[i], sizeof d.box);
        assert_true(detections_add(found, d, &err));
    }
    *set = (struct dataset){ .images = images, .image_count = 2, .annotations = boxes, .annotation_count = GOOD + 4 };
}

static void test_each_kind_of_error_is_found(void **state)
{
    static const struct { enum suspect_kind kind; int annotation; } expected[] = {
        { SUSPECT_DOUBLED, GOOD + 3 }, { SUSPECT_CLASS, GOOD + 1 }, { SUSPECT_BOX, GOOD }, { SUSPECT_MISSING, -1 } };
    struct dataset set;
    struct image_record images[2];
    struct annotation boxes[GOOD + 4];
    struct detections found;
    struct suspects suspects;
    struct error err = {0};
    (void)state;
    make_scene(&set, images, boxes, &found);
    assert_true(find_suspects(&suspects, &set, label, 2, &found, &err));
    assert_int_equal(suspects.count, GOOD + 5);
    for (int i = 0; i < 4; i++) {
        int at = 0;
        while (at < 4 && (suspects.list[at].kind != expected[i].kind
                          || suspects.list[at].annotation != expected[i].annotation))
            at++;
        assert_true(at < 4);
        assert_true(suspects.list[at].suspicion > 0.7);
    }
    for (int i = 4; i < suspects.count; i++)
        assert_true(suspects.list[i].suspicion < 0.05);
    suspects_free(&suspects);
    detections_free(&found);
}

/* Boxes to ignore hide detections, and are no labels. */
static void test_ignored_boxes(void **state)
{
    struct image_record image = { .id = 1, .width = 640, .height = 480, .count = 1 };
    struct annotation box = { .ignore = true, .box = { 0, 0, 200, 200 }, .area = 40000 };
    const struct dataset set = { .images = &image, .image_count = 1, .annotations = &box, .annotation_count = 1 };
    struct detection inside = { .box = { 10, 10, 50, 50 }, .score = 0.9 };
    const struct detections found = { &inside, 1, 1 };
    struct suspects suspects;
    struct error err = {0};
    (void)state;
    assert_true(find_suspects(&suspects, &set, label, 2, &found, &err));
    assert_int_equal(suspects.count, 0);
    suspects_free(&suspects);
    box.ignore = false;
    box.box[0] = 400;
    assert_true(find_suspects(&suspects, &set, label, 2, &found, &err));
    assert_int_equal(suspects.count, 2);
    suspects_free(&suspects);
}

static void test_no_images(void **state)
{
    const struct dataset none = {0};
    const struct detections found = {0};
    struct suspects suspects;
    struct error err = {0};
    (void)state;
    assert_true(find_suspects(&suspects, &none, label, 2, &found, &err));
    assert_int_equal(suspects.count, 0);
    suspects_free(&suspects);
}

/* ---- doubtful boxes ---- */

static void test_box_faults(void **state)
{
    static const struct { double box[4]; int category; enum box_fault_kind kind; int other; } cases[] = {
        { { 10, 10, 30, 30 }, 0, FAULT_KINDS, -1 },     { { 10, 10, 30, 30 }, 0, FAULT_EQUAL, 0 },
        { { 11, 10, 30, 30 }, 1, FAULT_TWO_CLASSES, 0 }, { { 90, 10, 30, 30 }, 0, FAULT_OUTSIDE, -1 },
        { { 0, 0, 100, 80 }, 0, FAULT_WHOLE, -1 },      { { 5, 60, 90, 2 }, 0, FAULT_THIN, -1 },
        { { 50, 40, 20, 20 }, 1, FAULT_KINDS, -1 } };
    enum { COUNT = sizeof cases / sizeof *cases };
    struct image_record image = { .id = 1, .width = 100, .height = 80, .count = COUNT };
    struct annotation boxes[COUNT];
    const struct dataset set = { .images = &image, .image_count = 1, .annotations = boxes, .annotation_count = COUNT };
    struct box_faults faults;
    struct error err = {0};
    int next = 0;
    (void)state;
    for (int i = 0; i < COUNT; i++) {
        boxes[i] = (struct annotation){ .category = cases[i].category, .area = cases[i].box[2] * cases[i].box[3] };
        memcpy(boxes[i].box, cases[i].box, sizeof boxes[i].box);
    }
    assert_true(find_box_faults(&faults, &set, label, &err));
    for (int i = 0; i < COUNT; i++)
        if (cases[i].kind != FAULT_KINDS) {
            assert_true(next < faults.count);
            assert_int_equal(faults.list[next].annotation, i);
            assert_int_equal(faults.list[next].kind, cases[i].kind);
            assert_int_equal(faults.list[next++].other, cases[i].other);
        }
    assert_int_equal(next, faults.count);
    box_faults_free(&faults);
    for (int i = 0; i < COUNT; i++)                     /* where most boxes cover the image, they are no fault */
        memcpy(boxes[i].box, cases[4].box, sizeof boxes[i].box);
    assert_true(find_box_faults(&faults, &set, label, &err));
    for (int i = 0; i < faults.count; i++)
        assert_int_not_equal(faults.list[i].kind, FAULT_WHOLE);
    box_faults_free(&faults);
}

/* ---- the hash ---- */

/* Smooth shapes that depend on a number, in any size. */
static struct image picture(int width, int height, double number)
{
    struct image image;
    assert_true(image_new(&image, width, height, NULL));
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            const double u = (double)x / width, v = (double)y / height;
            const double grey = 128 + 60 * sin(9 * u + number) * cos(7 * v - number) + 50 * sin(4 * (u + v) * number);
            memset(image.p + 3 * ((ptrdiff_t)y * width + x), (int)fmin(fmax(grey, 0), 255), 3);
        }
    return image;
}

static void test_the_same_picture_in_another_size_and_quality(void **state)
{
    struct image whole = picture(320, 240, 1), small = picture(150, 112, 1), other = picture(320, 240, 2), again;
    struct bytes jpeg;
    struct error err = {0};
    const struct image_hash a = hash_image(&whole), b = hash_image(&small), c = hash_image(&other), unknown = {0};
    (void)state;
    assert_true(image_encode_jpeg(&whole, 40, &jpeg, &err));
    assert_true(image_decode(&again, jpeg.p, jpeg.size, "again", &err));
    const struct image_hash d = hash_image(&again);
    assert_true(same_picture(&a, &b));
    assert_true(same_picture(&a, &d));
    assert_false(same_picture(&a, &c));
    assert_false(same_picture(&a, &unknown));
    assert_false(same_picture(&unknown, &unknown));
    bytes_free(&jpeg);
    image_free(&whole);
    image_free(&small);
    image_free(&other);
    image_free(&again);
}

/* Plain images have equal bits; their brightness tells them apart. */
static void test_plain_images(void **state)
{
    struct image dark, bright, one;
    (void)state;
    assert_true(image_new(&dark, 40, 30, NULL) && image_new(&bright, 40, 30, NULL) && image_new(&one, 1, 1, NULL));
    memset(dark.p, 20, 3 * 40 * 30);
    memset(bright.p, 200, 3 * 40 * 30);
    memset(one.p, 20, 3);
    const struct image_hash a = hash_image(&dark), b = hash_image(&bright), c = hash_image(&one);
    assert_true(a.bits == b.bits);
    assert_false(same_picture(&a, &b));
    assert_true(same_picture(&a, &c));
    image_free(&dark);
    image_free(&bright);
    image_free(&one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_kind_of_error_is_found),
        cmocka_unit_test(test_ignored_boxes),
        cmocka_unit_test(test_no_images),
        cmocka_unit_test(test_box_faults),
        cmocka_unit_test(test_the_same_picture_in_another_size_and_quality),
        cmocka_unit_test(test_plain_images),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
