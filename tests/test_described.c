/* tests/test_described.c -- commands without CONFIG: a weight file that describes its model replaces it, with
 * bit-identical results. */
#include "base/file.h"
#include "base/path.h"
#include "base/string_list.h"
#include "interop/safetensors.h"
#include "same_file.h"
#include "tiny.h"
#include "typed.h"
#include "weights/file_config.h"

static char config[100], best[120], last[120], images[120], one[200];

/* The file without its description, as older versions wrote it, or with another one. */
static const char *redescribed(const char *path, const char *name, const char *description)
{
    struct tensors t = {0};
    struct error err = {0};
    bool ok = safetensors_read(&t, path, &err);
    for (int i = 0; ok && i < t.metadata_count; i++)
        if (strcmp(t.metadata[i].key, "config") == 0) {
            free(t.metadata[i].key);
            free(t.metadata[i].value);
            t.metadata[i--] = t.metadata[--t.metadata_count];
        }
    ok = ok && (!description || file_config_add(description, &t, &err)) && safetensors_write(in_folder(name), &t, &err);
    if (!ok)
        fail_msg("%s", err.text);
    tensors_free(&t);
    return in_folder(name);
}

/* ---- equal results with and without CONFIG ---- */

static void check_prediction(const char *weights, const char *override)
{
    works("predict", config, "--weights", weights, "--score", "0.01", "--json", in_folder("with.json"), images,
          override, NULL);
    works("predict", "--weights", weights, "--score", "0.01", "--json", in_folder("without.json"), images, override,
          NULL);
    assert_same_file("with.json", "without.json");
    cJSON *json = json_of("without.json");
    assert_int_equal(cJSON_GetArraySize(json), 5);
    assert_true(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(json->child, "detections")) > 0);
    cJSON_Delete(json);
}

static void test_predictions_are_the_same(void **state)
{
    (void)state;
    check_prediction(best, NULL);
    check_prediction(last, NULL);
    check_prediction(best, "data.val.input_size=[150, 64]");
    works("export", config, "--weights", best, "--out", in_folder("half.safetensors"), "--fp16", NULL);
    check_prediction(in_folder("half.safetensors"), NULL);
    assert_non_null(freopen("/dev/null", "rb", stdin));
    refused(1, "not one whole JPEG", "predict", "--weights", best, "-", NULL);
}

/* Also for an export of an exported file. */
static void test_exports_are_the_same(void **state)
{
    static const struct { const char *format, *with, *without; } formats[] = {
        { "safetensors", "with.safetensors", "without.safetensors" }, { "onnx", "with.onnx", "without.onnx" },
        { "ncnn", "with.param", "without.param" } };
    (void)state;
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        works("export", config, "--weights", best, "--out", in_folder(formats[i].with), "--format", formats[i].format,
              NULL);
        works("export", "--weights", best, "--out", in_folder(formats[i].without), "--format", formats[i].format, NULL);
        assert_same_file(formats[i].with, formats[i].without);
    }
    assert_same_file("with.bin", "without.bin");
    works("export", "--weights", in_folder("with.safetensors"), "--out", in_folder("again.safetensors"), NULL);
    assert_same_file("with.safetensors", "again.safetensors");
}

static void test_scores_are_the_same(void **state)
{
    char folder_key[160], file_key[160];
    (void)state;
    snprintf(folder_key, sizeof folder_key, "data.val.img_path=%s", images);
    snprintf(file_key, sizeof file_key, "data.val.ann_path=%s", in_folder("data/val.json"));
    works("test", config, "--weights", best, "--json", in_folder("with.json"), "--dets", in_folder("with_dets.json"),
          NULL);
    works("test", "--weights", best, "data.val.name=CocoDataset", folder_key, file_key, "--json",
          in_folder("without.json"), "--dets", in_folder("without_dets.json"), NULL);
    assert_same_file("with.json", "without.json");
    assert_same_file("with_dets.json", "without_dets.json");
    refused(2, "data.val.ann_path=", "test", "--weights", best, NULL);
    refused(2, "data.val.ann_path must be given", "test", "--weights", best, folder_key, NULL);
}

static void test_heatmaps_are_the_same(void **state)
{
    struct string_list names = {0};
    struct error err = {0};
    (void)state;
    works("heatmap", config, "--weights", best, "--out", in_folder("heat_with"), "--score", "0.01", images, NULL);
    works("heatmap", "--weights", best, "--out", in_folder("heat_without"), "--score", "0.01", images, NULL);
    assert_true(folder_list(&names, in_folder("heat_with"), &err));
    assert_int_equal(names.count, 4 * 5);
    for (int i = 0; i < names.count; i++) {
        char with[100], without[100];
        snprintf(with, sizeof with, "heat_with/%.60s", names.list[i]);
        snprintf(without, sizeof without, "heat_without/%.60s", names.list[i]);
        assert_same_file(with, without);
    }
    string_list_free(&names);
}

/* ---- info ---- */

static int item(const cJSON *list, int i) { return cJSON_GetArrayItem(list, i)->valueint; }

static void test_info_prints_descriptions(void **state)
{
    (void)state;
    works("info", "--weights", best, "data.val.input_size=[150, 64]", "--json", in_folder("info.json"), NULL);
    cJSON *info = json_of("info.json");
    const cJSON *file = cJSON_GetObjectItemCaseSensitive(info, "weights");
    const cJSON *input = cJSON_GetObjectItemCaseSensitive(info, "input");
    const cJSON *names = cJSON_GetObjectItemCaseSensitive(file, "class_names");
    const cJSON *size = cJSON_GetObjectItemCaseSensitive(file, "input_size");
    assert_true(item(input, 0) == 64 && item(input, 1) == 160);
    assert_true(item(size, 0) == 96 && item(size, 1) == 96);
    assert_string_equal(cJSON_GetArrayItem(names, 4)->valuestring, "person");
    assert_true(number(file, "epoch") == 80 && number(file, "score") > 0);
    cJSON_Delete(info);
    works("info", "--weights", last, NULL);
    works("info", config, "--weights", redescribed(last, "older.safetensors", NULL), "--json", in_folder("info.json"),
          NULL);
    info = json_of("info.json");
    file = cJSON_GetObjectItemCaseSensitive(info, "weights");
    assert_null(cJSON_GetObjectItemCaseSensitive(file, "class_names"));
    assert_true(number(file, "epoch") == 80 && number(file, "best_epoch") == 80 && number(file, "step") == 80);
    cJSON_Delete(info);
    works("info", config, "--json", in_folder("info.json"), NULL);
    info = json_of("info.json");
    assert_null(cJSON_GetObjectItemCaseSensitive(info, "weights"));
    cJSON_Delete(info);
}

/* ---- refusals ---- */

/* A file that ends in .yml or .yaml is a CONFIG, and replaces the description. */
static void test_config_overrides_description(void **state)
{
    struct error err = {0};
    struct bytes yaml = contents("config.yml");
    (void)state;
    assert_true(file_write(in_folder("other.yaml"), yaml.p, yaml.size, &err));
    works("predict", in_folder("other.yaml"), "--weights", best, one, NULL);
    refused(1, "the head has", "test", in_folder("other.yaml"), "--weights", best,
            "model.arch.head.num_classes=1", "model.arch.aux_head.num_classes=1", "class_names=[thing]", NULL);
    refused(1, "none.yml", "predict", in_folder("none.yml"), "--weights", best, one, NULL);
    refused(2, "usage:", "predict", config, "--weights", best, NULL);
    refused(2, "usage:", "predict", "--weights", best, NULL);
    refused(2, "usage:", "predict", one, NULL);
    refused(2, "usage:", "test", NULL);
    refused(2, "usage:", "info", NULL);
    refused(2, "usage:", "train", "--weights", best, NULL);
    refused(2, "usage:", "bench", "--weights", best, NULL);
    refused(2, "one argument too many", "export", config, "x", "--weights", best, "--out", in_folder("x"), NULL);
    bytes_free(&yaml);
}

/* Files without description run with a CONFIG and ask for one without; overrides and descriptions that are wrong. */
static void test_wrong_without_config(void **state)
{
    const char *older = redescribed(best, "older.safetensors", NULL);
    (void)state;
    works("predict", config, "--weights", older, one, NULL);
    refused(2, "give a CONFIG", "predict", "--weights", older, one, NULL);
    refused(2, "give a CONFIG", "info", "--weights", older, NULL);
    works("export", config, "--weights", best, "--out", in_folder("x.onnx"), "--format", "onnx", NULL);
    refused(2, "give a CONFIG", "predict", "--weights", in_folder("x.onnx"), one, NULL);
    refused(1, "none of the formats", "predict", "--weights", one, one, NULL);
    refused(1, "none.safetensors", "predict", "--weights", "none.safetensors", one, NULL);
    refused(2, "command line: model.arch.head.num_class", "predict", "--weights", best, one,
            "model.arch.head.num_class=3", NULL);
    refused(1, "model.arch.name must be given", "predict", "--weights",
            redescribed(best, "empty.safetensors", "class_names: []"), one, NULL);
    works("predict", config, "--weights", redescribed(best, "bad.safetensors", "\x01"), one, NULL);
}

/* A model that overfits the images of data.val, so that it detects objects in them. */
static int setup(void **state)
{
    struct string_list names = {0};
    struct error err = {0};
    char train_images[160], train_boxes[160];
    (void)state;
    const bool ok = tiny_make(2, &err) && folder_list(&names, in_folder("data/images/val"), &err);
    if (!ok)
        return -1;
    snprintf(config, sizeof config, "%s", in_folder("run/config.yml"));
    snprintf(best, sizeof best, "%s", in_folder("run/model_best/model_best.safetensors"));
    snprintf(last, sizeof last, "%s", in_folder("run/model_last.safetensors"));
    snprintf(images, sizeof images, "%s", in_folder("data/images/val"));
    snprintf(one, sizeof one, "%s/%s", images, names.list[0]);
    string_list_free(&names);
    snprintf(train_images, sizeof train_images, "data.train.img_path=%s", images);
    snprintf(train_boxes, sizeof train_boxes, "data.train.ann_path=%s", in_folder("data/val.json"));
    works("train", in_folder("config.yml"), train_images, train_boxes, "data.train.input_size=[96, 96]",
          "device.batchsize_per_gpu=5", "schedule.optimizer.lr=0.003", "schedule.total_epochs=80",
          "schedule.val_intervals=80", NULL);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_predictions_are_the_same), cmocka_unit_test(test_exports_are_the_same),
        cmocka_unit_test(test_scores_are_the_same), cmocka_unit_test(test_heatmaps_are_the_same),
        cmocka_unit_test(test_info_prints_descriptions), cmocka_unit_test(test_config_overrides_description),
        cmocka_unit_test(test_wrong_without_config) };
    return cmocka_run_group_tests(tests, setup, remove_folder);
}
