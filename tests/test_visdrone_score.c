/* tests/test_visdrone_score.c -- trainings and tests on a VisDroneDataset report the toolkit's score next to COCO's. */
#include "base/strbuf.h"
#include "data/dataset_read.h"
#include "put.h"
#include "report/csv.h"
#include "tiny.h"
#include "typed.h"

enum { FIGURES = 7, COLUMNS = 1 + 12 + 12 + FIGURES };
static const char *const figures[FIGURES] = { "AP", "AP50", "AP75", "AR1", "AR10", "AR100", "AR500" };

/* Writes the boxes of data/val.json as text files of VisDrone: the first box of an image has score 0, and an ignored
 * region covers the top left. */
static bool write_annotations(struct error *err)
{
    static const int ids[] = { 4, 5, 6, 9, 1 };         /* of car, van, truck, bus, pedestrian */
    const struct dataset_source source = { .format = DATASET_COCO, .ann_path = in_folder("data/val.json") };
    struct dataset d = {0};
    bool ok = dataset_read(&d, &source, err);
    for (int i = 0; ok && i < d.image_count; i++) {
        const struct image_record *image = &d.images[i];
        char name[100];
        struct strbuf text = {0};
        strbuf_addf(&text, "1,1,30,20,0,0,0,0\n");
        for (int k = image->first; k < image->first + image->count; k++) {
            const struct annotation *a = &d.annotations[k];
            strbuf_addf(&text, "%.0f,%.0f,%.0f,%.0f,%d,%d,0,0\n", a->box[0], a->box[1], a->box[2], a->box[3],
                       k > image->first, ids[a->category]);
        }
        snprintf(name, sizeof name, "data/visdrone/annotations/%.*s.txt", path_stem_length(image->file), image->file);
        put(name, text.s);
        strbuf_free(&text);
    }
    dataset_free(&d);
    return ok && symlink("../images/val", in_folder("data/visdrone/images")) == 0;
}

static int set_up(void **state)
{
    struct error err = {0};
    struct strbuf yaml = {0};
    struct bytes tiny = {0};
    (void)state;
    bool ok = tiny_make(4, &err) && write_annotations(&err) && file_read(&tiny, in_folder("config.yml"), &err);
    char *end = ok ? strstr((char *)tiny.p, "data:\n") : NULL;
    if (end) {
        strbuf_addf(&yaml, "%.*s", (int)(end - (char *)tiny.p), (char *)tiny.p);
        for (int i = 0; i < 2; i++)
            strbuf_addf(&yaml, "%1$s: {name: VisDroneDataset, img_path: %2$s/data/visdrone/images, "
                       "ann_path: %2$s/data/visdrone/annotations, input_size: [96, 96]}\n",
                       i ? "  val" : "data:\n  train", folder);
        strbuf_addf(&yaml, "device: {batchsize_per_gpu: 5}\n"
                   "schedule:\n  optimizer: {name: AdamW, lr: 0.003, weight_decay: 0.05}\n"
                   "  total_epochs: 16\n  val_intervals: 8\n  lr_schedule: {T_max: 16}\n"
                   "test: {score_thr: 0.0001}\n"
                   "class_names: [car, van, truck, bus, pedestrian]\n");
        put("config.yml", yaml.s);
    }
    strbuf_free(&yaml);
    bytes_free(&tiny);
    if (!ok)
        fprintf(stderr, "%s\n", err.text);
    return end ? 0 : -1;
}

static void train(const char *run, const char *override)
{
    char save_dir[200];
    snprintf(save_dir, sizeof save_dir, "save_dir=%s", in_folder(run));
    works("train", in_folder("config.yml"), "--resume", save_dir, override, NULL);
}

static bool file_has(const char *name, const char *text)
{
    struct bytes file = {0};
    assert_true(file_read(&file, in_folder(name), NULL));
    const bool has = memmem(file.p, file.size, text, strlen(text)) != NULL;
    bytes_free(&file);
    return has;
}

/* The figure in the last row of the table, or the best one of all rows. */
static double score_of(const char *table, const char *column, bool best)
{
    struct csv t;
    assert_true(csv_read(&t, in_folder(table), NULL));
    assert_int_equal(t.columns.count, COLUMNS);
    assert_string_equal(t.columns.list[COLUMNS - FIGURES], "visdrone_AP");
    assert_string_equal(t.columns.list[COLUMNS - 1], "visdrone_AR500");
    const int c = csv_column(&t, column);
    assert_true(c >= 0 && t.rows > 0);
    double v = t.values[(t.rows - 1) * t.columns.count + c];
    for (int row = 0; best && row < t.rows; row++)
        v = fmax(v, t.values[row * t.columns.count + c]);
    csv_free(&t);
    return v;
}

/* The score of a test, of its detections in text files by `eval`, and of the training: all the same. */
static void test_reports_the_score_of_the_toolkit(void **state)
{
    char weights[200];
    (void)state;
    train("run", NULL);
    snprintf(weights, sizeof weights, "%s", in_folder("run/model_last.safetensors"));
    works("test", in_folder("config.yml"), "--weights", weights, "--json", in_folder("test.json"), "--dets",
          in_folder("rows/"), NULL);
    works("eval", in_folder("data/visdrone/annotations"), in_folder("rows"), "--protocol", "visdrone", "--json",
          in_folder("eval.json"), NULL);
    works("eval", in_folder("config.yml"), in_folder("rows"), "--json", in_folder("coco.json"), NULL);
    cJSON *tested = json_of("test.json"), *evaluated = json_of("eval.json"), *coco = json_of("coco.json");
    cJSON *visdrone = cJSON_DetachItemFromObjectCaseSensitive(tested, "visdrone");
    assert_non_null(visdrone);
    assert_true(cJSON_HasObjectItem(visdrone, "class_mean"));
    assert_true(cJSON_Compare(visdrone, evaluated, true));
    assert_true(cJSON_Compare(tested, coco, true));
    assert_true(number(visdrone, "AR500") > 0 && number(visdrone, "AP") != number(tested, "AP"));
    for (int i = 0; i < FIGURES; i++) {
        char column[40];
        snprintf(column, sizeof column, "visdrone_%s", figures[i]);
        assert_true(fabs(score_of("run/eval.csv", column, false) - number(visdrone, figures[i])) < 1e-6);
    }
    cJSON_Delete(visdrone);
    cJSON_Delete(tested);
    cJSON_Delete(evaluated);
    cJSON_Delete(coco);
    assert_true(file_has("run/train.log", "the leaderboard ranks by this AP:  AP 0."));
    assert_true(file_has("run/train.log", "  pedestrian\n"));
    assert_false(file_has("run/train.log", "  visdrone_AP\n"));
}

static void test_events_have_the_score(void **state)
{
    struct string_list files = {0};
    bool found = false;
    (void)state;
    train("run", NULL);
    assert_true(folder_list(&files, in_folder("run"), NULL));
    for (int i = 0; i < files.count; i++) {
        char name[300];
        snprintf(name, sizeof name, "run/%s", files.list[i]);
        found = found || (starts_with(files.list[i], "events.") && file_has(name, "Val_metrics/visdrone_AR500"));
    }
    string_list_free(&files);
    assert_true(found);
}

static void test_the_score_selects_the_best(void **state)
{
    char best[100];
    (void)state;
    train("selects", "evaluator.save_key=visdrone_AR500");
    snprintf(best, sizeof best, ": visdrone_AR500 %.4f", score_of("selects/eval.csv", "visdrone_AR500", true));
    if (!file_has("selects/train.log", best))
        fail_msg("not the best: %s", best);
    refused(2, "evaluator.save_key: a score of the VisDrone toolkit", "train", in_folder("config.yml"),
            "evaluator.save_key=visdrone_AP", "data.val.name=CocoDataset", NULL);
}

/* A table of an older version, which has no columns of the toolkit, is kept apart. */
static void test_an_older_table_is_renamed(void **state)
{
    (void)state;
    train("older", "schedule.total_epochs=8");
    put("older/eval.csv", "epoch,AP,car\n8,0.5,0.5\n");
    train("older", NULL);
    assert_true(score_of("older/eval.csv", "epoch", false) == 16);
    assert_true(file_has("older/eval.csv.old", "8,0.5,0.5\n"));
    assert_true(file_has("older/train.log", "renamed to eval.csv.old"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reports_the_score_of_the_toolkit),
        cmocka_unit_test(test_events_have_the_score),
        cmocka_unit_test(test_the_score_selects_the_best),
        cmocka_unit_test(test_an_older_table_is_renamed),
    };
    return cmocka_run_group_tests(tests, set_up, remove_folder);
}
