/* tests/test_limits.c -- the section `test` of a configuration limits the detections of every command. */
#include "base/file.h"
#include "base/strbuf.h"
#include "base/string_list.h"
#include "data/image.h"
#include "runtime/detector.h"
#include "tiny.h"
#include "typed.h"

static char config[100], weights[120], images[120];

/* ---- the keys ---- */

static void read_limits(struct config *c, const char *const *overrides, int count)
{
    struct error err = {0};
    if (!config_read(c, config, overrides, count, &err))
        fail_msg("%s", err.text);
}

static void test_presets(void **state)
{
    static const char *const visdrone[] = { "data.val.name=VisDroneDataset" };
    static const char *const both[] = { "data.val.name=VisDroneDataset", "test.max_per_image=7" };
    struct config c = {0};
    (void)state;
    read_limits(&c, NULL, 0);
    assert_int_equal(c.test.max_per_image, 100);
    assert_true(c.test.score_thr == 0.05 && c.test.nms_iou == 0.6 && !c.test.class_agnostic_nms);
    assert_string_equal(tree_find(&c.root, "test.max_per_image")->text, "100");
    config_free(&c);
    read_limits(&c, visdrone, 1);
    assert_int_equal(c.test.max_per_image, 500);
    assert_string_equal(tree_find(&c.root, "test.max_per_image")->text, "500");
    config_free(&c);
    read_limits(&c, both, 2);
    assert_int_equal(c.test.max_per_image, 7);
    config_free(&c);
}

static const struct { const char *override, *message; } out_of_range[] = {
    { "test.max_per_image=0", "test.max_per_image must be a whole number from 1 to 5000, not '0'" },
    { "test.max_per_image=5001", "test.max_per_image must be a whole number from 1 to 5000, not '5001'" },
    { "test.score_thr=0", "test.score_thr must be a number from 0.0001 to 0.9999, not '0'" },
    { "test.score_thr=nan", "test.score_thr must be a number from 0.0001 to 0.9999, not 'nan'" },
    { "test.nms_iou=1.5", "test.nms_iou must be a number from 0 to 1, not '1.5'" },
    { "test.class_agnostic_nms=2", "test.class_agnostic_nms must be true or false, not '2'" },
    { "test.score_th=0.1", "command line: test.score_th: no such key; did you mean test.score_thr?" },
    { "test.name=x", "command line: test.name: no such key; did you mean" },
    { "test=3", "command line: test is a section of keys" },
};

static void test_wrong_values_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof out_of_range / sizeof *out_of_range; i++)
        refused(2, out_of_range[i].message, "info", config, out_of_range[i].override, NULL);
}

/* Upstream's files may hold other keys: they are reported once each and accepted. */
static void test_other_keys_of_a_file_are_accepted(void **state)
{
    static const char *const yaml = "test:\n  score_thr: 0.2\n  max_per_img: 50\n  nms: {type: nms, iou: 0.5}\n";
    static const char *const expected[] = { "test.max_per_img", "test.nms.type", "test.nms.iou" };
    struct error err = {0};
    struct bytes file;
    struct strbuf text = {0};
    struct config c = {0};
    (void)state;
    assert_true(file_read(&file, config, &err));
    strbuf_add(&text, file.p, file.size);
    strbuf_addf(&text, "%s", yaml);
    if (!config_parse(&c, text.s, text.size, "a.yml", NULL, 0, &err))
        fail_msg("%s", err.text);
    assert_true(c.test.score_thr == 0.2);
    assert_int_equal(c.ignored.count, 3);
    for (int i = 0; i < 3; i++)
        assert_string_equal(c.ignored.list[i], expected[i]);
    struct config plain = {0};
    struct string_list different = {0};
    read_limits(&plain, NULL, 0);
    assert_true(config_difference(&plain, &c, &different, &err));
    assert_int_equal(different.count, 1);
    assert_string_equal(different.list[0], "test.score_thr");
    string_list_free(&different);
    config_free(&plain);
    config_free(&c);
    strbuf_free(&text);
    bytes_free(&file);
}

static void test_shown_score(void **state)
{
    static const char *const overrides[] = { "test.score_thr=0.05" }, *const other[] = { "test.score_thr=0.2" };
    struct config c = {0};
    struct strbuf yaml = {0};
    struct error err = {0};
    (void)state;
    read_limits(&c, NULL, 0);
    assert_true(c.shown_score == 0.35);
    config_write(&c, &yaml);                            /* the resolved file shows what the original does */
    config_free(&c);
    assert_true(config_parse(&c, yaml.s, yaml.size, "a.yml", NULL, 0, &err));
    assert_true(c.shown_score == 0.35);
    config_free(&c);
    read_limits(&c, overrides, 1);
    assert_true(c.shown_score == 0.05);
    config_free(&c);
    read_limits(&c, other, 1);
    assert_true(c.shown_score == 0.2);
    config_free(&c);
    strbuf_free(&yaml);
}

/* ---- their effects ---- */

/* The detections of the first image, as predict writes them; *labels: of how many classes. */
static int predicted(const char *override, const char *second, double *min_score)
{
    works("predict", config, "--weights", weights, "--json", in_folder("p.json"), images, "test.score_thr=0.001",
          override, second, NULL);
    cJSON *json = json_of("p.json");
    const cJSON *one, *all = cJSON_GetObjectItemCaseSensitive(cJSON_GetArrayItem(json, 0), "detections");
    const int count = cJSON_GetArraySize(all);
    *min_score = 1;
    cJSON_ArrayForEach(one, all)
        *min_score = fmin(*min_score, number(one, "score"));
    cJSON_Delete(json);
    return count;
}

static void test_limits_of_predict(void **state)
{
    double min_score;
    (void)state;
    assert_int_equal(predicted("test.nms_iou=1", NULL, &min_score), 100);
    assert_int_equal(predicted("test.max_per_image=3", NULL, &min_score), 3);
    const int many = predicted("test.max_per_image=5000", "test.nms_iou=1", &min_score);
    const int fewer = predicted("test.max_per_image=5000", "test.nms_iou=0.3", &min_score);
    const int fewest = predicted("test.max_per_image=5000", "test.class_agnostic_nms=true", &min_score);
    assert_true(many > 100 && many > fewer && fewer > 0 && fewest < fewer && fewest > 0 && min_score > 0.001);
    works("predict", config, "--weights", weights, "--score", "0.5", "--json", in_folder("p.json"), images,
          "test.score_thr=0.001", NULL);
    cJSON *json = json_of("p.json");                    /* --score comes before test.score_thr */
    assert_true(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(cJSON_GetArrayItem(json, 0), "detections")) < 3);
    cJSON_Delete(json);
}

/* Files with suppression across classes are verified like others, and their weights can be read. */
static void test_limits_of_export(void **state)
{
    (void)state;
    works("export", config, "--weights", weights, "--format", "onnx", "--output", "nms", "--out", in_folder("x.onnx"),
          "test.class_agnostic_nms=true", "test.max_per_image=7", NULL);
    works("test", config, "--weights", in_folder("x.onnx"), NULL);
}

static int tested(const char *limit)
{
    works("test", config, "--weights", weights, "--dets", in_folder("d.json"), "--json", in_folder("s.json"),
          "test.score_thr=0.001", "test.nms_iou=1", limit, NULL);
    cJSON *json = json_of("d.json"), *score = json_of("s.json");
    const int count = cJSON_GetArraySize(json);
    assert_true(number(score, "AR100") >= -1);
    cJSON_Delete(json);
    cJSON_Delete(score);
    return count;
}

static void test_limits_of_test(void **state)
{
    (void)state;
    assert_int_equal(tested("test.max_per_image=4"), 5 * 4);            /* five images */
    assert_int_equal(tested("test.max_per_image=100"), 5 * 100);
    assert_int_equal(tested("test.max_per_image=150"), 5 * 150);
}

/* ---- overrides ---- */

/* An argument that looks like KEY=VALUE is a path only if the file exists. */
static void test_unknown_keys_are_refused_by_all_commands(void **state)
{
    (void)state;
    static const char *const text = "command line: seeed: no such key; did you mean seed?";
    refused(2, text, "train", config, "seeed=3", NULL);
    refused(2, text, "test", config, "--weights", weights, "seeed=3", NULL);
    refused(2, text, "predict", config, "--weights", weights, images, "seeed=3", NULL);
    refused(2, text, "heatmap", config, "--weights", weights, "--out", in_folder("heat"), images, "seeed=3", NULL);
    refused(2, text, "export", config, "--weights", weights, "--out", in_folder("x"), "seeed=3", NULL);
    refused(2, text, "info", config, "seeed=3", NULL);
    refused(2, text, "bench", config, "--mode", "infer", "seeed=3", NULL);
    refused(2, "1 problem", "check", config, "seeed=3", NULL);
    works("predict", config, "--weights", weights, "--json", in_folder("p.json"), images, "seed=3", NULL);
}

/* ---- the weights ---- */

static int set_up(void **state)
{
    if (tiny_setup(state) != 0)
        return -1;
    snprintf(config, sizeof config, "%s", in_folder("config.yml"));
    snprintf(weights, sizeof weights, "%s", in_folder("run/model_last.safetensors"));
    snprintf(images, sizeof images, "%s", in_folder("data/images/val"));
    works("train", config, NULL);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_presets), cmocka_unit_test(test_wrong_values_are_refused),
        cmocka_unit_test(test_other_keys_of_a_file_are_accepted), cmocka_unit_test(test_shown_score),
        cmocka_unit_test(test_limits_of_predict), cmocka_unit_test(test_limits_of_export),
        cmocka_unit_test(test_limits_of_test),
        cmocka_unit_test(test_unknown_keys_are_refused_by_all_commands),
    };
    return cmocka_run_group_tests(tests, set_up, remove_folder);
}
