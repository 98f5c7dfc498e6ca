/* tests/test_zoo.c -- the official detectors of the program: equal to configs/, and found by their files. */
#include "folder.h"
#include "interop/safetensors.h"
#include "model/model.h"
#include "weights/file_config.h"
#include "weights/weights.h"
#include "weights/zoo.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void open_yaml(const char *yaml, struct config *config, struct model *model)
{
    static const char *const overrides[] = { "save_dir=x", "schedule.total_epochs=1", "data.train.input_size=[320,320]",
        "schedule.optimizer={name: AdamW, lr: 0.001, weight_decay: 0}", "class_names=[a, b]" };
    struct error err = {0};
    *config = (struct config){0};
    *model = (struct model){0};
    if (!config_parse(config, yaml, strlen(yaml), "zoo", overrides, sizeof overrides / sizeof *overrides, &err)
        || !model_open(model, config, &err))
        fail_msg("%s", err.text);
}

static void close_both(struct config *config, struct model *model)
{
    model_free(model);
    config_free(config);
}

/* Every parameter of the model is one of the configuration, and all others there are of its auxiliary head. */
static void compare(const char *name, const struct model *model, const char *path)
{
    static const char *const overrides[] = { "class_names=[a, b]", "model.arch.head.num_classes=2" };
    struct config config = {0};
    struct model other = {0};
    struct error err = {0};
    int matched = 0;
    if (!config_read(&config, path, overrides, 2, &err) || !model_open(&other, &config, &err))
        fail_msg("%s: %s", name, err.text);
    for (int i = 0; i < other.params.count; i++) {
        const struct param *p = &other.params.list[i];
        const int at = params_find(&model->params, p->name);
        if (at < 0 && strncmp(p->name, "aux_", 4) != 0)
            fail_msg("%s has no %s", name, p->name);
        if (at >= 0)
            assert_memory_equal(&model->params.list[at].shape, &p->shape, sizeof p->shape);
        matched += at >= 0;
    }
    assert_int_equal(matched, model->params.count);
    close_both(&config, &other);
}

static void test_models_are_those_of_configs(void **state)
{
    static const char *const sizes[] = { "", "_320", "_416", "_512", NULL };
    (void)state;
    for (const struct zoo_model *row = zoo; row->name; row++) {
        struct config config;
        struct model model;
        int found = 0;
        open_yaml(row->yaml, &config, &model);
        for (const char *const *size = sizes; *size; size++) {
            char path[100];
            snprintf(path, sizeof path, "configs/%s%s.yml", row->name, *size);
            if (!file_exists(path))
                continue;
            compare(row->name, &model, path);
            found++;
        }
        assert_true(found);
        close_both(&config, &model);
    }
}

static void test_official_files(void **state)
{
    static const struct { const char *file, *name; enum resize resize; } files[] = {
        { "nanodet-plus-m_320.param", "nanodet-plus-m", RESIZE_STRETCH },
        { "nanodet_m.ckpt", "nanodet-m", RESIZE_LETTERBOX },
        { "enhanced_nanodet_s.onnx", "enhanced-nanodet-s", RESIZE_STRETCH } };
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[200];
        struct found_model m;
        struct error err = {0};
        snprintf(path, sizeof path, "../shared/data/weights/%s", files[i].file);
        if (!file_exists(path)) {
            printf("skipped: %s\n", path);
            continue;
        }
        if (!zoo_identify(&m, path, &err))
            fail_msg("%s", err.text);
        assert_string_equal(m.name, files[i].name);
        assert_int_equal(m.resize, files[i].resize);
        free(m.yaml);
    }
}

/* The model of the description, for other classes. */
static void test_a_described_file(void **state)
{
    struct config config, again;
    struct model model, other;
    struct tensors t = {0};
    struct strbuf description = {0};
    struct found_model m;
    struct error err = {0};
    (void)state;
    open_yaml(zoo[4].yaml, &config, &model);
    if (!file_config_write(&config, &description, &err)
        || !weights_to_tensors(&model.params, model.params.value, "", &t, &err)
        || !file_config_add(description.s, &t, &err) || !safetensors_write(in_folder("w.safetensors"), &t, &err)
        || !zoo_identify(&m, in_folder("w.safetensors"), &err))
        fail_msg("%s", err.text);
    assert_string_equal(m.name, "as the weights describe it");
    open_yaml(m.yaml, &again, &other);
    assert_int_equal(other.params.count, model.params.count);
    assert_int_equal(other.params.total, model.params.total);
    close_both(&again, &other);
    free(m.yaml);
    strbuf_free(&description);
    tensors_free(&t);
    close_both(&config, &model);
}

static void test_another_file_is_refused(void **state)
{
    struct config config;
    struct model model;
    struct tensors t = {0};
    struct found_model m;
    struct error err = {0};
    (void)state;
    open_yaml(zoo[4].yaml, &config, &model);
    assert_true(weights_to_tensors(&model.params, model.params.value, "", &t, &err));
    assert_true(safetensors_write(in_folder("w.safetensors"), &t, &err));       /* two classes, no description */
    assert_false(zoo_identify(&m, in_folder("w.safetensors"), &err));
    assert_int_equal(err.exit, 1);
    assert_non_null(strstr(err.text, "none of the official detectors (nanodet-plus-m, "));
    assert_false(zoo_identify(&m, in_folder("none.ckpt"), &err));
    assert_non_null(strstr(err.text, "none.ckpt: No such file"));
    tensors_free(&t);
    close_both(&config, &model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_models_are_those_of_configs),
        cmocka_unit_test(test_official_files),
        cmocka_unit_test_setup_teardown(test_a_described_file, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_another_file_is_refused, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
