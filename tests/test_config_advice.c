/* tests/test_config_advice.c -- warnings about harmful values; following the advice removes all warnings. */
#include "base/machine.h"
#include "base/path.h"
#include "base/string_list.h"
#include "data/loader.h"
#include "policy.h"
#include "tiny.h"
#include "train/advice.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* Warnings for the configuration with overrides; the machine has `memory` bytes. */
static void advise(const char *path, const char *const *overrides, int count, int images, struct string_list *warnings)
{
    struct config config = {0};
    struct error err = {0};
    *warnings = (struct string_list){0};
    if (!config_read(&config, path, overrides, count, &err) || !config_advice(&config, images, warnings, &err))
        fail_msg("%s", err.text);
    config_free(&config);
}

/* ---- the shipped configurations ---- */

static void test_shipped_configurations_need_no_advice(void **state)
{
    struct string_list files = {0};
    struct error err = {0};
    (void)state;
    assert_true(folder_list(&files, "configs", &err));
    for (int i = 0; i < files.count; i++) {
        struct string_list warnings;
        char *path = path_join("configs", files.list[i], &err);
        advise(path, NULL, 0, 100000, &warnings);
        if (warnings.count)
            fail_msg("%s", warnings.list[0]);
        string_list_free(&warnings);
        free(path);
    }
    assert_true(files.count > 20);
    string_list_free(&files);
}

/* With the numbers of images of their data sets. */
static void test_small_sets_have_suitable_configurations(void **state)
{
    static const struct { const char *path; int images; } made_for[] = { { "configs/demo.yml", 1000 },
                                                                         { "configs/visdrone.yml", 6471 } };
    struct string_list warnings;
    (void)state;
    for (size_t i = 0; i < sizeof made_for / sizeof *made_for; i++) {
        advise(made_for[i].path, NULL, 0, made_for[i].images, &warnings);
        if (warnings.count)
            fail_msg("%s", warnings.list[0]);
        string_list_free(&warnings);
    }
}

/* ---- each rule ---- */

enum { MOST = 3 };

/* A warning and its advice; with the advice as overrides there is no warning. */
static const struct { const char *override, *second; int images; const char *warning, *advice; } rules[] = {
    { "schedule.warmup.steps=500", NULL, 160,
      "command line: schedule.warmup.steps is 500, but the steps of the run are 80; try 8", "schedule.warmup.steps=8" },
    { "schedule.warmup.steps=41", NULL, 160,
      "command line: schedule.warmup.steps is 41, but the steps of the run are 80; try 8", "schedule.warmup.steps=8" },
    { "schedule.lr_schedule.T_max=3", NULL, 160, "command line: schedule.lr_schedule.T_max is 3, but "
      "schedule.total_epochs is 1: the learning rate stays high until the end; try 1", "schedule.lr_schedule.T_max=1" },
    { "schedule.lr_schedule.T_max=5", "schedule.total_epochs=20", 160, "command line: schedule.lr_schedule.T_max is 5, "
      "but schedule.total_epochs is 20: the learning rate rises again before the end; try 20",
      "schedule.lr_schedule.T_max=20" },
    { "schedule.val_intervals=9", "schedule.total_epochs=5", 160, "command line: schedule.val_intervals is 9, but "
      "schedule.total_epochs is 5: only the last epoch is evaluated; try 1", "schedule.val_intervals=1" },
    { "model.weight_averager.decay=0.9998", NULL, 160, "command line: model.weight_averager.decay is 0.9998, an "
      "average over 5000 steps, but the steps of the run are 80; try 0.9375", "model.weight_averager.decay=0.9375" },
    { "model.weight_averager.decay=0.9998", NULL, 160, "command line: model.weight_averager.decay is 0.9998, an "
      "average over 5000 steps, but the steps of the run are 80; try 0.9375", "model.weight_averager.span=0.1" },
    { "device.batchsize_per_gpu=96", "schedule.total_epochs=100", 160, "command line: device.batchsize_per_gpu is 96: "
      "each epoch leaves out 64 of the 160 training images; try 20", "device.batchsize_per_gpu=20" },
    { "device.batchsize_per_gpu=200", "schedule.total_epochs=100", 160, "command line: device.batchsize_per_gpu is "
      "200, but there are 160 training images; try 20", "device.batchsize_per_gpu=20" },
    { "data.val.resize=stretch", NULL, 160, "command line: data.val.resize is stretch, but data.train.resize is keep: "
      "objects are scored in another shape than learned; try keep", "data.val.resize=keep" },
    { "data.train.keep_ratio=false", NULL, 160, "preset: data.val.resize is keep, but data.train.resize is stretch: "
      "objects are scored in another shape than learned; try stretch", "data.val.resize=stretch" },
    { "data.val.pipeline.normalize=[[0, 0, 0], [255, 255, 255]]", NULL, 160,
      "command line: data.val.pipeline.normalize differs from data.train.pipeline.normalize: the network sees other "
      "numbers than it learned from; use the same",
      "data.train.pipeline.normalize=[[0, 0, 0], [255, 255, 255]]" },
    { "data.train.load_mosaic=true", NULL, 160, "preset: data.train.mosaic.stop_epochs is 5, but schedule.total_epochs "
      "is 1: no epoch has mosaics; try 0", "data.train.mosaic.stop_epochs=0" },
    { "data.train.tiles.size=[80, 0]", NULL, 160, "preset: data.val.tiles.size is not set, but "
      "data.train.tiles.size is: objects are scored at a smaller size than learned; try [80, 64]",
      "data.val.tiles.size=[80, 64]" },
};

static void test_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        const char *overrides[MOST] = { "schedule.val_intervals=1", rules[i].override };
        int count = 2;
        struct string_list warnings;
        if (rules[i].second)
            overrides[count++] = rules[i].second;
        const char *first = overrides[1];
        advise(in_folder("config.yml"), overrides, count, rules[i].images, &warnings);
        if (warnings.count != 1 || strcmp(warnings.list[0] + strlen("WARNING: "), rules[i].warning) != 0)
            fail_msg("%s: %d: %s", first, warnings.count, warnings.count ? warnings.list[0] : "no warning");
        string_list_free(&warnings);
        const char *followed[MOST + 1] = { overrides[0], overrides[1], overrides[2] };
        followed[count] = rules[i].advice;
        advise(in_folder("config.yml"), followed, count + 1, rules[i].images, &warnings);
        if (warnings.count)
            fail_msg("%s: left %s", rules[i].advice, warnings.list[0]);
        string_list_free(&warnings);
    }
}

/* Right angles do not fit an oblong input that is filled, unless mosaics do it. */
static void test_right_angles_need_room(void **state)
{
    static const struct { const char *override; int warnings; } cases[] = {
        { "seed=0", 1 }, { "data.train.input_size=[64, 64]", 0 }, { "data.train.load_mosaic=true", 0 },
        { "data.train.pipeline.rotate90=0", 0 } };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *overrides[] = { "schedule.val_intervals=1", "data.train.mosaic.stop_epochs=0",
                                    "data.train.pipeline.rotate90=0.5", "data.train.resize=stretch",
                                    "data.val.resize=stretch", cases[i].override };
        struct string_list warnings;
        advise(in_folder("config.yml"), overrides, 6, 160, &warnings);
        assert_int_equal(warnings.count, cases[i].warnings);
        if (warnings.count)
            assert_string_equal(warnings.list[0], "WARNING: command line: data.train.pipeline.rotate90 is 0.5, but "
                "data.train.input_size is 96 x 64: rotations by 90 degrees crop the image and leave black borders; "
                "try 0, or data.train.load_mosaic=true");
        string_list_free(&warnings);
    }
}

/* The advised batch is accepted for any number of images and any batch. */
static void test_batches_advised_are_suitable(void **state)
{
    (void)state;
    for (int images = 1; images < 60; images++)
        for (int batch = 1; batch < 80; batch++) {
            char override[60];
            const char *overrides[] = { override, "schedule.val_intervals=1", "schedule.total_epochs=1000" };
            struct string_list warnings;
            snprintf(override, sizeof override, "device.batchsize_per_gpu=%d", batch);
            advise(in_folder("config.yml"), overrides, 3, images, &warnings);
            assert_true(warnings.count <= 1);
            if (warnings.count) {
                const int advised = atoi(strstr(warnings.list[0], "try ") + 4);
                assert_true(advised >= 1 && advised < batch && advised <= images && 4 * (images % advised) <= images);
            } else
                assert_true(batch <= images && 4 * (images % batch) <= images);
            string_list_free(&warnings);
        }
}

/* A configuration of a large set, on a small one: the other rules count the steps with the batch advised. */
static void test_all_advice_can_be_followed_at_once(void **state)
{
    static const struct { const char *epochs, *batch, *decay; } runs[] = {
        { "schedule.total_epochs=300", "is 96: each epoch leaves out 34 of the 130 training images; try 7", NULL },
        { "schedule.total_epochs=50", "is 96: each epoch leaves out 34 of the 130 training images; try 16",
          "are 400 with the batch advised; try 0.9875" } };
    (void)state;
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        const char *overrides[] = { "device.batchsize_per_gpu=96", "model.weight_averager.decay=0.9998",
                                    "schedule.warmup.steps=200", runs[i].epochs };
        struct string_list warnings;
        advise(in_folder("config.yml"), overrides, 4, 130, &warnings);
        assert_int_equal(warnings.count, runs[i].decay ? 2 : 1);
        assert_non_null(strstr(warnings.list[warnings.count - 1], runs[i].batch));
        if (runs[i].decay)
            assert_non_null(strstr(warnings.list[0], runs[i].decay));
        string_list_free(&warnings);
    }
}

static void test_advice_without_images(void **state)
{
    static const char *const overrides[] = { "schedule.warmup.steps=500", "schedule.val_intervals=9" };
    struct string_list warnings;
    (void)state;
    advise(in_folder("config.yml"), overrides, 2, 0, &warnings);
    assert_int_equal(warnings.count, 1);
    assert_non_null(strstr(warnings.list[0], "val_intervals"));
    string_list_free(&warnings);
}

/* ---- memory ---- */

static void test_memory(void **state)
{
    static const char *const overrides[] = { "device.batchsize_per_gpu=40" };
    struct config config = {0};
    struct model model = {0};
    struct string_list warnings = {0};
    struct error err = {0};
    const struct policy *policy = policy_under_test(1);
    uint64_t one, two, all;
    (void)state;
    if (!config_read(&config, in_folder("config.yml"), overrides, 1, &err) || !model_open(&model, &config, &err)
        || !training_memory(&model, policy, 1, &one, &err) || !training_memory(&model, policy, 2, &two, &err)
        || !training_memory(&model, policy, 40, &all, &err))
        fail_msg("%s", err.text);
    assert_true(one < two && two < all && all < one + 60 * (two - one));
    assert_true(memory_advice(&model, policy, all, &warnings, &err) && warnings.count == 0);
    assert_true(memory_advice(&model, policy, all / 2, &warnings, &err) && warnings.count == 1);
    const int fits = atoi(strstr(warnings.list[0], "a batch of ") + strlen("a batch of "));
    uint64_t fit, more;
    assert_true(training_memory(&model, policy, fits, &fit, &err)
                && training_memory(&model, policy, fits + 2, &more, &err));
    assert_true(fit <= all / 2 && more > all / 2);
    string_list_free(&warnings);
    assert_true(memory_advice(&model, policy, one - 1, &warnings, &err) && warnings.count == 1);
    assert_non_null(strstr(warnings.list[0], "not even a batch of 1 fits"));
    string_list_free(&warnings);
    model_free(&model);
    config_free(&config);
}

static void test_machine_has_memory(void **state)
{
    (void)state;
    assert_true(machine_memory() > 64u << 20 && machine_memory() < UINT64_MAX);
}

/* ---- num_classes ---- */

/* Left out, it is the number of class_names, for both heads, and the resolved file has it. */
static void test_classes_of_the_heads(void **state)
{
    static const char *const left_out[] = { "model.arch.head.num_classes=", "model.arch.aux_head.num_classes=",
                                            "class_names=[a, b, c]" };
    struct config config = {0};
    struct model model = {0};
    struct error err = {0};
    (void)state;
    if (!config_read(&config, in_folder("config.yml"), left_out, 3, &err) || !model_open(&model, &config, &err))
        fail_msg("%s", err.text);
    assert_int_equal(model.shape.num_classes, 3);
    assert_int_equal(((const struct head_config *)model.aux_config)->num_classes, 3);
    assert_string_equal(tree_find(&config.root, "model.arch.head.num_classes")->text, "3");
    assert_string_equal(tree_find(&config.root, "model.arch.aux_head.num_classes")->text, "3");
    model_free(&model);
    config_free(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shipped_configurations_need_no_advice),
        cmocka_unit_test(test_small_sets_have_suitable_configurations),
        cmocka_unit_test(test_rules), cmocka_unit_test(test_right_angles_need_room),
        cmocka_unit_test(test_batches_advised_are_suitable),
        cmocka_unit_test(test_all_advice_can_be_followed_at_once),
        cmocka_unit_test(test_advice_without_images), cmocka_unit_test(test_memory),
        cmocka_unit_test(test_machine_has_memory), cmocka_unit_test(test_classes_of_the_heads),
    };
    return cmocka_run_group_tests(tests, tiny_setup, remove_folder);
}
