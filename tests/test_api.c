/* tests/test_api.c -- the C API: training, stopping, resuming, detecting. */
#include "base/path.h"
#include "base/string_list.h"
#include "nanodet.h"
#include "tiny.h"

#include "data/image.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct nanodet_error error;
static char config[100], best[120], image_file[200];

static void test_version_matches_header(void **state)
{
    (void)state;
    assert_string_equal(nanodet_version(), NANODET_VERSION);
}

static int stop_after_two(void *calls, const struct nanodet_progress *p)
{
    assert_true(p->epoch <= p->epochs && p->batch <= p->batches);
    return ++*(int *)calls == 2;
}

static int count_calls(void *calls, const struct nanodet_progress *p)
{
    (void)p;
    ++*(int *)calls;
    return 0;
}

/* Four steps and the end of an epoch: stopped after two, then the rest. */
static void test_training_stops_and_resumes(void **state)
{
    int calls = 0;
    struct nanodet_training training = { .config = config, .threads = 2, .progress = stop_after_two,
                                         .context = &calls };
    (void)state;
    assert_int_equal(nanodet_train(&training, &error), NANODET_STOPPED);
    assert_int_equal(calls, 2);
    training.resume = 1;
    training.progress = count_calls;
    assert_int_equal(nanodet_train(&training, &error), NANODET_DONE);
    assert_int_equal(calls, 2 + 2 + 1);
    assert_true(file_exists(best));
    training.overrides = (const char *const[]){ "schedule.total_epoch=3", NULL };
    assert_int_equal(nanodet_train(&training, &error), NANODET_MISUSED);
    assert_int_equal(error.result, NANODET_MISUSED);
    assert_non_null(strstr(error.text, "schedule.total_epoch"));
    assert_int_equal(nanodet_train(&(struct nanodet_training){0}, NULL), NANODET_MISUSED);
}

static void assert_same(const struct nanodet_detection *a, const struct nanodet_detection *b, int count)
{
    for (int i = 0; i < count; i++) {
        assert_true(a[i].x == b[i].x && a[i].y == b[i].y && a[i].width == b[i].width && a[i].height == b[i].height);
        assert_true(a[i].score == b[i].score && a[i].class_id == b[i].class_id);
    }
}

/* A file, its pixels as B, G, R, and as R, G, B with gaps between the rows are the same image. */
static void test_pixels_and_files_are_the_same(void **state)
{
    const struct nanodet_options options = { .config = config, .weights = best, .threads = 1, .score_thr = 0.01 };
    struct nanodet *n = nanodet_open(&options, &error), *m = nanodet_open(&options, &error);
    struct image image;
    struct error err = {0};
    static unsigned char rgb[96 * 300];
    int count, other;
    (void)state;
    assert_non_null(n);
    assert_non_null(m);
    assert_int_equal(nanodet_class_count(n), 5);
    assert_string_equal(nanodet_class_name(n, 4), "person");
    assert_null(nanodet_class_name(n, 5));
    assert_null(nanodet_class_name(n, -1));
    const struct nanodet_detection *found = nanodet_detect_file(n, image_file, &count, &error), *same;
    assert_non_null(found);
    assert_true(count > 0);
    assert_string_equal(found[0].class_name, nanodet_class_name(n, found[0].class_id));
    assert_true(image_read(&image, image_file, &err));
    struct nanodet_image pixels = { .pixels = image.p, .width = 96, .height = 96 };
    assert_non_null(same = nanodet_detect(m, &pixels, &other, &error));
    assert_int_equal(count, other);
    assert_same(found, same, count);
    for (int i = 0; i < 96 * 96; i++)
        for (int c = 0; c < 3; c++)
            rgb[i / 96 * 300 + i % 96 * 3 + c] = image.p[3 * i + 2 - c];
    pixels = (struct nanodet_image){ rgb, 96, 96, 300, NANODET_RGB };
    assert_non_null(same = nanodet_detect(m, &pixels, &other, &error));
    assert_int_equal(count, other);
    assert_same(found, same, count);

    pixels.stride = 287;
    assert_null(nanodet_detect(m, &pixels, &other, &error));
    assert_int_equal(error.result, NANODET_MISUSED);
    pixels = (struct nanodet_image){ rgb, 0, 96, 0, NANODET_BGR };
    assert_null(nanodet_detect(m, &pixels, &other, NULL));
    assert_null(nanodet_detect(m, &(struct nanodet_image){ NULL, 96, 96, 0, NANODET_BGR }, &other, &error));
    assert_null(nanodet_detect_file(m, config, &other, &error));
    assert_int_equal(error.result, NANODET_FAILED);
    assert_non_null(nanodet_detect_file(m, image_file, &other, &error));     /* after failures it still works */
    assert_int_equal(count, other);
    image_free(&image);
    nanodet_close(n);
    nanodet_close(m);
    nanodet_close(NULL);
}

/* A weight file that describes its model needs no configuration; overrides apply. */
static void test_weights_without_config(void **state)
{
    const char *const wrong[] = { "model.arch.head.num_class=3", NULL };
    const char *const size[] = { "data.val.input_size=[64, 64]", NULL };
    struct nanodet_options options = { .config = config, .weights = best, .threads = 1, .score_thr = 0.01 };
    struct nanodet *n = nanodet_open(&options, &error), *alone;
    int count, other;
    (void)state;
    options.config = NULL;
    assert_non_null(alone = nanodet_open(&options, &error));
    assert_string_equal(nanodet_class_name(alone, 4), "person");
    const struct nanodet_detection *found = nanodet_detect_file(n, image_file, &count, &error);
    const struct nanodet_detection *same = nanodet_detect_file(alone, image_file, &other, &error);
    assert_true(found && same && count > 0);
    assert_int_equal(count, other);
    assert_same(found, same, count);
    nanodet_close(n);
    nanodet_close(alone);
    options.overrides = size;
    assert_non_null(alone = nanodet_open(&options, &error));
    nanodet_close(alone);
    options.overrides = wrong;
    assert_null(nanodet_open(&options, &error));
    assert_int_equal(error.result, NANODET_MISUSED);
}

static void test_open_errors(void **state)
{
    const struct nanodet_options wrong[] = {
        { .config = NULL },                            { .config = config },
        { .config = NULL, .weights = config },         { .config = NULL, .weights = image_file },
        { .config = config, .weights = best, .threads = -1 },
        { .config = config, .weights = best, .threads = 257 },
        { .config = config, .weights = best, .score_thr = 1.5 },
        { .config = config, .weights = config },       { .config = best, .weights = best } };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        error = (struct nanodet_error){0};
        assert_null(nanodet_open(&wrong[i], &error));
        assert_true(error.result != NANODET_DONE && *error.text);
    }
    assert_null(nanodet_open(&wrong[0], NULL));
}

static int setup(void **state)
{
    struct error err = {0};
    struct string_list names = {0};
    (void)state;
    bool ok = tiny_make(8, &err) && folder_list(&names, in_folder("data/images/val"), &err);
    snprintf(config, sizeof config, "%s", in_folder("config.yml"));
    snprintf(best, sizeof best, "%s", in_folder("run/model_best/model_best.safetensors"));
    snprintf(image_file, sizeof image_file, "%s/%s", in_folder("data/images/val"), ok ? names.list[0] : "");
    string_list_free(&names);
    return ok ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version_matches_header),
        cmocka_unit_test(test_training_stops_and_resumes),
        cmocka_unit_test(test_pixels_and_files_are_the_same),
        cmocka_unit_test(test_weights_without_config),
        cmocka_unit_test(test_open_errors) };
    return cmocka_run_group_tests(tests, setup, remove_folder);
}
