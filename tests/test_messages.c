/* tests/test_messages.c -- frequent mistakes give one line with the remedy. */
#include "base/file.h"
#include "tiny.h"
#include "typed.h"

static char config[100], weights[120];

/* ---- YAML ---- */

static const struct { const char *yaml; int line; } tabs[] = {
    { "model:\n\tarch: 1\n", 2 },           { "model:\n  arch: 1\n\tfpn: 2\n", 3 },
    { "model:\n  arch:\n  \tname: 1\n", 3 }, { "model:\r\n\tarch: 1\r\n", 2 },
    { "freeze:\n  - a\n\t- b\n", 3 } };

static void test_tabs(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof tabs / sizeof *tabs; i++) {
        char message[200];
        struct error err = {0};
        assert_true(file_write(in_folder("tab.yml"), tabs[i].yaml, strlen(tabs[i].yaml), &err));
        snprintf(message, sizeof message, "%s:%d: the line is indented with a tab; YAML wants spaces",
                 in_folder("tab.yml"), tabs[i].line);
        refused(2, message, "info", in_folder("tab.yml"), NULL);
    }
}

/* A tab that YAML allows, and another error behind it. */
static void test_other_errors_are_unchanged(void **state)
{
    static const char *const yaml = "seed: 1\t# a comment\na: b: c\n";
    struct error err = {0};
    (void)state;
    assert_true(file_write(in_folder("tab.yml"), yaml, strlen(yaml), &err));
    refused(2, "tab.yml:2: mapping values are not allowed in this context", "info", in_folder("tab.yml"), NULL);
}

static void test_grey_normalisation(void **state)
{
    static const char *const text = "for grey images repeat each three times, as in [[127, 127, 127], [64, 64, 64]]";
    (void)state;
    refused(2, text, "info", config, "data.train.pipeline.normalize=[[127], [64]]", NULL);
    refused(2, text, "info", config, "data.val.pipeline.normalize=[127, 64]", NULL);
    refused(2, text, "info", config, "data.val.pipeline.normalize=127", NULL);
    works("info", config, "data.val.pipeline.normalize=[[127, 127, 127], [64, 64, 64]]", NULL);
}

/* ---- data ---- */

static void test_missing_sets(void **state)
{
    (void)state;
    refused(1, "command line: data.train.img_path: nothing/here: No such file or directory", "train", config,
            "data.train.img_path=nothing/here", NULL);
    refused(1, "command line: data.train.ann_path: none.json: No such file or directory", "train", config,
            "data.train.ann_path=none.json", NULL);
    refused(1, "command line: data.val.img_path: nothing/here: No such file or directory", "test", config, "--weights",
            weights, "data.val.img_path=nothing/here", NULL);
    refused(1, "get VisDrone-DET from https://github.com/VisDrone/VisDrone-Dataset and unpack it as docs/data.md says",
            "train", config, "data.train.name=VisDroneDataset", "data.train.img_path=nothing/here", NULL);
    refused(2, "data.val.ann_path must be given", "test", config, "--weights", weights, "data.val.ann_path=", NULL);
    refused(1, "2 problems", "check", config, "data.train.img_path=nothing/here", "data.val.ann_path=none.json", NULL);
}

/* Images of the other set lie in the folder: one line, not one per image. */
static void test_a_folder_without_the_images(void **state)
{
    char override[2][200], message[2][300];
    (void)state;
    for (int i = 0; i < 2; i++) {
        snprintf(override[i], sizeof override[i], "data.%s.img_path=%s", i ? "val" : "train",
                 in_folder("data"));
        snprintf(message[i], sizeof message[i], "command line: data.%s.img_path: %s holds none of the %d images, "
                 "such as ", i ? "val" : "train", in_folder("data"), i ? 5 : 2);
    }
    refused(1, message[0], "train", config, override[0], NULL);
    refused(1, message[1], "train", config, override[1], NULL);
    refused(1, message[1], "test", config, "--weights", weights, override[1], NULL);
    refused(1, "1 problem", "check", config, override[0], NULL);
    refused(1, "2 problems", "check", config, override[0], override[1], NULL);
}

/* ---- advice ---- */

/* Training itself says what check would have said. */
static void test_advice_of_train(void **state)
{
    struct error err = {0};
    struct bytes log;
    (void)state;
    assert_true(file_read(&log, in_folder("run/train.log"), &err));
    assert_non_null(strstr((const char *)log.p, "WARNING: preset: schedule.val_intervals is 10, but "
                           "schedule.total_epochs is 1: only the last epoch is evaluated; try 1\n"));
    bytes_free(&log);
}

/* ---- weights ---- */

static void test_heads_of_other_classes(void **state)
{
    static const char *const text = "the head has 2 classes, the file has 5", *const classes = "class_names=[a, b]";
    static const char *const head = "model.arch.head.num_classes=", *const aux = "model.arch.aux_head.num_classes=";
    (void)state;
    refused(1, text, "test", config, "--weights", weights, classes, head, aux, NULL);
    refused(1, text, "predict", config, "--weights", weights, classes, head, aux, in_folder("data/images/val"), NULL);
    works("export", config, "--weights", weights, "--format", "onnx", "--out", in_folder("m.onnx"), NULL);
    works("export", config, "--weights", weights, "--format", "ncnn", "--out", in_folder("m.param"), NULL);
    works("export", config, "--weights", weights, "--out", in_folder("m.safetensors"), NULL);
    refused(1, text, "test", config, "--weights", in_folder("m.onnx"), classes, head, aux, NULL);
    refused(1, text, "test", config, "--weights", in_folder("m.param"), classes, head, aux, NULL);
    refused(1, text, "test", config, "--weights", in_folder("m.safetensors"), classes, head, aux, NULL);
    refused(1, "training takes others from .ckpt and .safetensors files", "test", config, "--weights",
            in_folder("m.param"), classes, head, aux, NULL);
}

static int set_up(void **state)
{
    if (tiny_setup(state) != 0)
        return -1;
    snprintf(config, sizeof config, "%s", in_folder("config.yml"));
    snprintf(weights, sizeof weights, "%s", in_folder("run/model_last.safetensors"));
    works("train", config, NULL);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tabs), cmocka_unit_test(test_other_errors_are_unchanged),
        cmocka_unit_test(test_grey_normalisation),
        cmocka_unit_test(test_advice_of_train), cmocka_unit_test(test_missing_sets),
        cmocka_unit_test(test_a_folder_without_the_images),
        cmocka_unit_test(test_heads_of_other_classes),
    };
    return cmocka_run_group_tests(tests, set_up, remove_folder);
}
