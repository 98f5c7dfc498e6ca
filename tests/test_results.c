/* tests/test_results.c -- the report of a test and of a training, and the score threshold that training stores. */
#include "html_page.h"
#include "interop/safetensors.h"
#include "there.h"
#include "tiny.h"
#include "train/checkpoint.h"
#include "typed.h"

/* Boxes of an untrained head have the size of the objects at this input, so some of thousands find one. */
#define FINDS "data.val.input_size=[160, 160]", "test.score_thr=0.0001", "test.max_per_image=5000"
static char config[100], best[160], last[160];

static int setup(void **state)
{
    if (tiny_setup(state) != 0)
        return -1;
    snprintf(config, sizeof config, "%s", in_folder("config.yml"));
    snprintf(best, sizeof best, "%s", in_folder("run/model_best/model_best.safetensors"));
    snprintf(last, sizeof last, "%s", in_folder("run/model_last.safetensors"));
    works("train", config, FINDS, NULL);
    return 0;
}

static const cJSON *member(const cJSON *json, const char *name)
{
    const cJSON *found = cJSON_GetObjectItemCaseSensitive(json, name);
    if (!found)
        fail_msg("no %s", name);
    return found;
}

static double threshold_of(const char *path)
{
    struct error err = {0};
    double threshold = -1;
    if (!checkpoint_threshold(path, &threshold, &err))
        fail_msg("%s", err.text);
    return threshold;
}

/* ---- reports ---- */

static void check_page(const char *name)
{
    static const char *const sections[] = { "Classes", "Errors", "Precision, recall and F1", "Confusions",
                                            "Sizes of objects", "Calibration", "Images with most errors" };
    struct page_content page;
    struct bytes file;
    assert_true(file_read(&file, in_folder(name), NULL));
    assert_true(file.size < 3000000);
    page_read(&page, name, (const char *)file.p, file.size);
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
        if (!strstr(page.text.s, sections[i]))
            fail_msg("%s: no section %s", name, sections[i]);
    assert_int_equal(page_count(&page, "image"), 5);    /* of the 5 images each has an error */
    assert_int_equal(page_count(&page, "use"), 5);
    assert_true(page_count(&page, "svg") >= page_count(&page, "image") + page_count(&page, "use") + 6);
    assert_int_equal(page_count(&page, "table"), page_count(&page, "caption"));
    page_free(&page);
    bytes_free(&file);
}

static void reports_have_the_score(void **state)
{
    (void)state;
    works("test", config, "--weights", best, FINDS, "--json", in_folder("score.json"), NULL);
    char report[200];
    snprintf(report, sizeof report, "%s", in_folder("new/report"));
    works("test", config, "--weights", best, FINDS, "--report", report, NULL);
    check_page("new/report/report.html");
    cJSON *json = json_of("new/report/report.json"), *score = json_of("score.json");
    const cJSON *figures = member(json, "score");
    assert_true(number(figures, "AP") == number(score, "AP") && number(figures, "ARl") == number(score, "ARl"));
    const cJSON *class, *classes = member(json, "per_class");
    int i = 0, objects = 0;
    cJSON_ArrayForEach(class, classes) {
        const cJSON *other = cJSON_GetArrayItem(member(score, "per_class"), i++);
        assert_string_equal(member(class, "name")->valuestring, member(other, "name")->valuestring);
        assert_true(number(class, "AP50") == number(other, "AP50"));
        objects += (int)number(class, "objects");
    }
    assert_int_equal(objects, (int)number(json, "objects"));
    assert_int_equal((int)number(json, "images"), 5);
    assert_true(number(member(json, "best"), "threshold") == threshold_of(best));
    assert_true(number(member(member(json, "errors"), "missed"), "count") >= 0);
    assert_int_equal(cJSON_GetArraySize(member(member(json, "curves"), "F1")), 100);
    assert_int_equal(cJSON_GetArraySize(member(member(json, "calibration"), "bins")), 10);
    cJSON_Delete(score);
    cJSON_Delete(json);
}

/* The report of the run is that of a test of its best weights, but for the name of the model. */
static void training_reports_its_best_epoch(void **state)
{
    (void)state;
    check_page("run/report.html");
    cJSON *trained = json_of("run/report.json"), *tested = json_of("new/report/report.json");
    assert_string_equal(member(trained, "model")->valuestring, "epoch 1 of 1");
    cJSON_DeleteItemFromObjectCaseSensitive(trained, "model");
    cJSON_DeleteItemFromObjectCaseSensitive(tested, "model");
    assert_true(cJSON_Compare(trained, tested, true));
    cJSON_Delete(trained);
    cJSON_Delete(tested);
}

/* A report that cannot be written is no reason to end a training. */
static void training_continues_without_its_report(void **state)
{
    char run[200];
    struct bytes log;
    (void)state;
    snprintf(run, sizeof run, "save_dir=%s", in_folder("blocked"));
    assert_true(make_folders(in_folder("blocked/report.html"), NULL));
    works("train", config, run, NULL);
    assert_true(file_exists(in_folder("blocked/model_best/model_best.safetensors")));
    assert_true(file_read(&log, in_folder("blocked/train.log"), NULL));
    assert_non_null(strstr((char *)log.p, "report.html is not written: "));
    bytes_free(&log);
}

static void no_detections_give_a_report(void **state)
{
    char report[200];
    (void)state;
    snprintf(report, sizeof report, "%s", in_folder("empty"));
    works("test", config, "--weights", best, "test.score_thr=0.9", "--report", report, NULL);
    check_page("empty/report.html");
    cJSON *json = json_of("empty/report.json");
    assert_int_equal((int)number(json, "detections"), 0);
    assert_true(number(member(json, "best"), "threshold") == -1);
    assert_true(number(member(json, "calibration"), "error") == -1);
    assert_true(number(member(json, "errors"), "false_negatives") == 0);
    cJSON_Delete(json);
}

/* ---- the score threshold ---- */

static void with_threshold(const char *name, const char *text)
{
    struct tensors t = {0};
    assert_true(safetensors_read(&t, best, NULL));
    for (int i = 0; i < t.metadata_count; i++)
        if (strcmp(t.metadata[i].key, "score_threshold") == 0) {
            free(t.metadata[i].value);
            t.metadata[i].value = strdup(text);
        }
    assert_true(safetensors_write(in_folder(name), &t, NULL));
    tensors_free(&t);
}

struct score_range { double lowest, highest; int count; };

static struct score_range scores_found(const char *weights, const char *score)
{
    struct score_range r = { 1, 0, 0 };
    const cJSON *image, *one;
    char out[200];
    snprintf(out, sizeof out, "%s", in_folder("found.json"));
    works("predict", config, FINDS, "--weights", weights, "--score", score, "--json", out, in_folder("data/images/val"),
          NULL);
    cJSON *json = json_of("found.json");
    cJSON_ArrayForEach(image, json)
        cJSON_ArrayForEach(one, member(image, "detections")) {
            r.lowest = fmin(r.lowest, number(one, "score"));
            r.highest = fmax(r.highest, number(one, "score"));
            r.count++;
        }
    cJSON_Delete(json);
    return r;
}

static void predict_takes_the_threshold_of_the_file(void **state)
{
    char path[200], middle[40];
    (void)state;
    snprintf(path, sizeof path, "%s", in_folder("middle.safetensors"));
    assert_true(threshold_of(best) > 0);
    const struct score_range all = scores_found(best, "0.0001");
    snprintf(middle, sizeof middle, "%.9f", (all.lowest + all.highest) / 2);
    with_threshold("middle.safetensors", middle);
    const struct score_range some = scores_found(path, "auto");
    assert_true(some.count > 0 && some.count < all.count && some.lowest > strtod(middle, NULL));
    assert_int_equal(some.count, scores_found(best, middle).count);
}

static void exports_keep_the_threshold(void **state)
{
    static const char *const files[] = { "exported.safetensors", "exported.onnx" };
    char path[200];
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s", in_folder(files[i]));
        works("export", config, "--weights", best, "--out", path, NULL);
        assert_true(threshold_of(path) == threshold_of(best));
        works("export", config, "--weights", last, "--out", path, NULL);
        assert_true(threshold_of(path) == -1);
    }
}

static void thresholds_are_checked(void **state)
{
    static const char *const wrong[] = { "-0.1", "1.5", "nan", "inf", "", "0.5x", " 0.5", "1e400", "auto" };
    char image[200], path[200], says[100];
    (void)state;
    snprintf(image, sizeof image, "%s", in_folder("data/images/val"));
    snprintf(path, sizeof path, "%s", in_folder("wrong.safetensors"));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        with_threshold("wrong.safetensors", wrong[i]);
        snprintf(says, sizeof says, "'score_threshold' is '%s', not a number from 0 to 1", wrong[i]);
        refused(1, says, "predict", config, "--weights", path, "--score", "auto", image, NULL);
        refused(1, says, "info", "--weights", path, NULL);
    }
    refused(2, "has no score threshold", "predict", config, "--weights", last, "--score", "auto", image, NULL);
    refused(1, "none.safetensors", "predict", config, "--weights", "none.safetensors", "--score", "auto", image, NULL);
    refused(2, "--weights FILE must be given", "predict", config, "--score", "auto", image, NULL);
    works("info", "--weights", best, "--json", in_folder("info.json"), NULL);
    cJSON *info = json_of("info.json");
    assert_true(number(member(info, "weights"), "score_threshold") == threshold_of(best));
    cJSON_Delete(info);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reports_have_the_score), cmocka_unit_test(training_reports_its_best_epoch),
        cmocka_unit_test(training_continues_without_its_report), cmocka_unit_test(no_detections_give_a_report),
        cmocka_unit_test(predict_takes_the_threshold_of_the_file), cmocka_unit_test(exports_keep_the_threshold),
        cmocka_unit_test(thresholds_are_checked) };
    return cmocka_run_group_tests(tests, setup, remove_folder);
}
