/* tests/test_repeat.c -- repeat-factor sampling: factors, places per epoch, and images of each epoch. */
#include "data/repeat.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

enum { IMAGES = 100, ANNOTATIONS = 120 };
static struct annotation annotations[ANNOTATIONS];
static struct image_record images[IMAGES];
static struct category categories[4];
static const struct dataset set = { .images = images, .image_count = IMAGES, .categories = categories,
                                    .category_count = 4, .annotations = annotations,
                                    .annotation_count = ANNOTATIONS };
static const int label[4] = { 1, 0, -1, 2 };

/* Category 0 is in every image, category 1 in images 0 to 3, the others in image 9, of which category 2 is no class and
 * category 3 has only boxes that are not trained. */
static int make_set(void **state)
{
    int count = 0;
    (void)state;
    for (int i = 0; i < IMAGES; i++) {
        annotations[count++] = (struct annotation){ .image = i, .box = { 0, 0, 5, 5 }, .area = 25 };
        for (int k = 0; i < 4 && k < 4; k++)
            annotations[count++] = (struct annotation){ .image = i, .category = 1, .box = { 0, 0, 5, 5 }, .area = 25 };
        for (int k = 0; i == 9 && k < 4; k++)
            annotations[count++] = (struct annotation){ .image = i, .category = k ? 3 : 2, .box = { 0, 0, k > 1, 5 },
                                                        .area = 25, .ignore = k > 1 };
    }
    return count == ANNOTATIONS ? 0 : -1;
}

static void factors_follow_the_formula(void **state)
{
    double end[IMAGES];
    (void)state;
    assert_int_equal(count_epoch_places(&set, label, 0, end, NULL), IMAGES);
    for (int i = 0; i < IMAGES; i++)
        assert_true(end[i] == i + 1);
    assert_int_equal(count_epoch_places(&set, label, 0.04, NULL, NULL), IMAGES);
    assert_int_equal(count_epoch_places(&set, NULL, 1, NULL, NULL), IMAGES);
    assert_int_equal(count_epoch_places(&set, label, 1, end, NULL), IMAGES + 4 * 4);     /* sqrt(1 / 0.04) = 5 */
    assert_true(end[0] == 5 && end[3] == 20 && end[9] == 26);
    assert_int_equal(count_epoch_places(&set, label, 0.25, end, NULL), IMAGES + 6);     /* 2.5 */
    assert_true(end[0] == 2.5 && end[IMAGES - 1] == IMAGES + 6);
    const int places = count_epoch_places(&set, label, 0.1, end, NULL);         /* 1.58: filled to whole places */
    assert_int_equal(places, IMAGES + 3);
    const double sum = 4 * sqrt(0.1 / 0.04) + IMAGES - 4;
    assert_true(fabs(end[1] - end[0] - sqrt(0.1 / 0.04) * places / sum) < 1e-12);
}

static void images_repeat_by_their_factors(void **state)
{
    enum { EPOCHS = 2000 };
    double end[IMAGES], mean[IMAGES] = {0};
    int image[2 * IMAGES];
    (void)state;
    const int places = count_epoch_places(&set, label, 0.1, end, NULL);
    for (int epoch = 0; epoch < EPOCHS; epoch++) {
        struct random r = random_of(40, (uint64_t)epoch, 0);
        int times[IMAGES] = {0};
        repeat_images(end, IMAGES, places, &r, image);
        for (int p = 0; p < places; p++) {
            assert_true(image[p] >= 0 && image[p] < IMAGES && (p == 0 || image[p] >= image[p - 1]));
            times[image[p]]++;
        }
        for (int i = 0; i < IMAGES; i++) {
            const double factor = end[i] - (i ? end[i - 1] : 0);
            assert_true(times[i] == floor(factor) || times[i] == ceil(factor));
            mean[i] += times[i] / (double)EPOCHS;
        }
    }
    for (int i = 0; i < IMAGES; i++)                    /* to 5 deviations of a coin */
        assert_true(fabs(mean[i] - end[i] + (i ? end[i - 1] : 0)) < 5 * 0.5 / sqrt(EPOCHS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(factors_follow_the_formula),
        cmocka_unit_test(images_repeat_by_their_factors),
    };
    return cmocka_run_group_tests(tests, make_set, NULL);
}
