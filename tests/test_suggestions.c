/* tests/test_suggestions.c -- the keys suggested for an unknown key. */
#include "config/config.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static const char *const yaml =
    "model:\n"
    "  arch:\n"
    "    name: NanoDetPlus\n"
    "    backbone: {name: ShuffleNetV2, model_size: 1.0x, out_stages: [2, 3, 4]}\n"
    "    fpn: {name: GhostPAN, kernel_size: 5}\n"
    "    head: {name: NanoDetPlusHead, num_classes: 2, strides: [8, 16, 32, 64]}\n"
    "    aux_head: {name: SimpleConvHead, num_classes: 2}\n"
    "data: {train: {input_size: [320, 256]}}\n"
    "schedule: {total_epochs: 12, optimizer: {name: AdamW, lr: 0.001, weight_decay: 0.05}}\n"
    "class_names: [person, dog]\n";

static const struct { const char *key, *nearest; } misspelt[] = {
    { "epochs", "schedule.total_epochs" },
    { "epoch", "schedule.total_epochs" },
    { "total_epoch", "schedule.total_epochs" },
    { "max_epochs", "schedule.total_epochs" },
    { "schedule.epochs", "schedule.total_epochs" },
    { "batch", "device.batchsize_per_gpu" },
    { "batch_size", "device.batchsize_per_gpu" },
    { "batchsize", "device.batchsize_per_gpu" },
    { "device.batchsize_per_gpus", "device.batchsize_per_gpu" },
    { "lr", "schedule.optimizer.lr" },
    { "learning_rate", "schedule.optimizer.lr" },
    { "schedule.lr", "schedule.optimizer.lr" },
    { "schedule.optimiser.lr", "schedule.optimizer.lr" },
    { "weight_decy", "schedule.optimizer.weight_decay" },
    { "optimizer", "schedule.optimizer.name" },
    { "warmup_steps", "schedule.warmup.steps" },
    { "warmup", "schedule.warmup.name or schedule.warmup.steps" },
    { "val_interval", "schedule.val_intervals" },
    { "T_MAX", "schedule.lr_schedule.T_max" },
    { "resume", "schedule.resume" },
    { "input_size", "data.train.input_size or data.val.input_size" },
    { "data.input_size", "data.train.input_size or data.val.input_size" },
    { "imgsz", "data.train.input_size or data.val.input_size" },
    { "img_path", "data.train.img_path or data.val.img_path" },
    { "data.train.image_path", "data.train.img_path" },
    { "data.val.img_pth", "data.val.img_path" },
    { "data.trian.img_path", "data.train.img_path" },
    { "train.ann_path", "data.train.ann_path" },
    { "annotations", "data.train.ann_path or data.val.ann_path" },
    { "normalise", "data.train.pipeline.normalize or data.val.pipeline.normalize" },
    { "flip", "data.train.pipeline.flip or data.val.pipeline.flip" },
    { "score_thr", "test.score_thr" },
    { "conf", "test.score_thr" },
    { "test.nms", "test.nms_iou or test.class_agnostic_nms" },
    { "max_dets", "test.max_per_image" },
    { "num_classes", "model.arch.head.num_classes or model.arch.aux_head.num_classes" },
    { "model.head.num_classes", "model.arch.head.num_classes" },
    { "backbone", "model.arch.backbone.name" },
    { "clip", "grad_clip" },
    { "class_name", "class_names" },
    { "seeed", "seed" },
    { "pretrained", "schedule.load_model" },
};

static void expect(const char *document, const char *override, const char *place, size_t i)
{
    struct config config = {0};
    struct error err = {0};
    char message[600];
    snprintf(message, sizeof message, "%s: %s: no such key; did you mean %s?", place, misspelt[i].key,
             misspelt[i].nearest);
    const bool ok = config_parse(&config, document, strlen(document), "a.yml", &override, override != NULL, &err);
    config_free(&config);
    if (ok || err.exit != 2 || strcmp(err.text, message) != 0)
        fail_msg("%s: %s", misspelt[i].key, ok ? "accepted" : err.text);
}

static void test_overrides(void **state)
{
    char override[100];
    (void)state;
    for (size_t i = 0; i < sizeof misspelt / sizeof *misspelt; i++) {
        snprintf(override, sizeof override, "%s=3", misspelt[i].key);
        expect(yaml, override, "command line", i);
    }
}

/* In a file of YAML keys nest, so only keys without a dot can be written at its end. */
static void test_files(void **state)
{
    char document[2000];
    (void)state;
    for (size_t i = 0; i < sizeof misspelt / sizeof *misspelt; i++)
        if (!strchr(misspelt[i].key, '.')) {
            snprintf(document, sizeof document, "%s%s: 3\n", yaml, misspelt[i].key);
            expect(document, NULL, "a.yml:11", i);
        }
}

static void test_no_similar_key(void **state)
{
    struct config config = {0};
    struct error err = {0};
    const char *override = "zzz=3";
    (void)state;
    assert_false(config_parse(&config, yaml, strlen(yaml), "a.yml", &override, 1, &err));
    assert_int_equal(err.exit, 2);
    assert_non_null(strstr(err.text, "zzz: no such key; did you mean"));
    assert_non_null(strstr(err.text, "nanodet check --keys lists all keys"));
    config_free(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_overrides), cmocka_unit_test(test_files),
                                        cmocka_unit_test(test_no_similar_key) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
