/* tests/test_train.c -- trainings of a few seconds: the loss falls; an interrupted and resumed run, or one with
 * another number of threads, writes bit-identical files; fatal errors end the run. */
#include "base/file.h"
#include "base/memory.h"
#include "base/path.h"
#include "interop/safetensors.h"
#include "report/csv.h"
#include "runs.h"
#include "sample.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <cmocka.h>

static int set_up(void **state)
{
    make_scenes(state);
    run_whole("straight", NULL, (struct training_options){ .policy = *policy_under_test(2) });
    return 0;
}

/* ---- tests ---- */

/* Overfits seven images, then detects their objects. */
static void test_learns(void **state)
{
    char images[200], annotations[200];
    struct csv csv;
    struct error err = {0};
    double first = 0, last = 0;
    (void)state;
    if (SAMPLE > 1)
        skip();                         /* 60 epochs */
    snprintf(images, sizeof images, "data.val.img_path=%s", in_folder("data/images/train"));
    snprintf(annotations, sizeof annotations, "data.val.ann_path=%s", in_folder("data/train.json"));
    run_whole("learns", (const char *const[]){ images, annotations, "data.train.input_size=[96, 96]",
        "data.train.pipeline={}", "data.train.multi_scale=[1, 1]", "device.batchsize_per_gpu=7",
        "schedule={optimizer: {name: AdamW, lr: 0.003, weight_decay: 0.05}, warmup: {steps: 10}, total_epochs: 60, "
        "val_intervals: 60}", NULL }, (struct training_options){0});
    must(csv_read(&csv, in_folder("learns/metrics.csv"), &err), &err);
    assert_int_equal(csv.rows, 60);
    assert_int_equal(csv.columns.count, 12);
    const int loss = csv_column(&csv, "loss");
    for (int i = 0; i < 10; i++) {
        first += csv.values[i * 12 + loss];
        last += csv.values[(59 - i) * 12 + loss];
    }
    csv_free(&csv);
    must(csv_read(&csv, in_folder("learns/eval.csv"), &err), &err);
    const double ap50 = csv.values[csv_column(&csv, "AP50")];
    csv_free(&csv);
    if (!(last < 0.6 * first && ap50 > 0.4))
        fail_msg("the loss was %g and is %g, AP50 is %g", first / 10, last / 10, ap50);
}

static void test_files(void **state)
{
    static const char *const files[] = { "config.yml", "train.log", "metrics.csv" };
    static const char *const lines[] = { "  the best epoch is ", " of 3: AP 0.", "  car\n", "  person\n",
        "/straight: model_best/model_best.safetensors, model_last.safetensors, report.html, report.json, eval.csv, "
        "metrics.csv, " };
    struct bytes log = contents("straight/train.log");
    struct csv csv;
    struct error err = {0};
    (void)state;
    for (int i = 0; i < 3; i++) {
        char name[100];
        snprintf(name, sizeof name, "straight/%s", files[i]);
        assert_true(file_exists(in_folder(name)));
    }
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (!strstr((char *)log.p, lines[i]))
            fail_msg("train.log has no \"%s\"", lines[i]);
    assert_null(strstr((char *)log.p, "-1.0000"));
    assert_non_null(strstr((char *)log.p, "  APl -  "));        /* no object is large */
    bytes_free(&log);
    must(csv_read(&csv, in_folder("straight/eval.csv"), &err), &err);
    assert_int_equal(csv.rows, 2);                              /* after epoch 2, and after the last */
    assert_int_equal(csv.columns.count, 13 + 5);
    assert_string_equal(csv.columns.list[13], "car");
    assert_true(csv.values[0] == 2 && csv.values[18] == 3);
    csv_free(&csv);
}

static void test_interrupted_anywhere(void **state)
{
    const int advances = 3 * 3;                                 /* two steps and an end, three epochs */
    (void)state;
    for (int cut = 0; cut <= advances; cut += SAMPLE) {
        struct run r;
        must(run_open(&r, "cut", NULL, (struct training_options){0}), &r.err);
        for (int i = 0; i < cut; i++)
            must(trainer_advance(&r.trainer, &r.err), &r.err);
        must(trainer_save(&r.trainer, &r.err), &r.err);
        for (int i = cut; i < advances && i < cut + 2; i++)     /* steps after the last checkpoint */
            must(i % 3 == 2 || trainer_advance(&r.trainer, &r.err), &r.err);
        run_close(&r);
        run_whole("cut", NULL, (struct training_options){ .resume = true });
        assert_same_results("straight", "cut");
        remove_all(in_folder("cut"));
    }
}

/* Mosaics in the first two epochs, and an epoch of more samples than images. */
static void test_augmented_runs_resume(void **state)
{
    static const char *const added[] = { "data.train.load_mosaic=true", "data.train.mosaic.stop_epochs=1",
        "data.train.mosaic.probability=0.8", "data.train.repeat_factor=0.9", "data.train.pipeline.copy_paste=1.5",
        "data.train.pipeline.flip_vertical=0.5", "data.train.pipeline.rotate90=0.5", NULL };
    struct run r;
    (void)state;
    run_whole("augmented", added, (struct training_options){ .policy = *policy_under_test(1) });
    for (int cut = 1; cut <= 9; cut += 4) {
        must(run_open(&r, "resumed", added, (struct training_options){0}), &r.err);
        assert_true(r.trainer.places > 7 && r.trainer.batches == r.trainer.places / 2);
        for (int i = 0; i < cut; i++)
            must(trainer_advance(&r.trainer, &r.err), &r.err);
        must(trainer_save(&r.trainer, &r.err), &r.err);
        run_close(&r);
        run_whole("resumed", added, (struct training_options){ .resume = true, .policy = *policy_under_test(3) });
        assert_same_results("augmented", "resumed");
        remove_all(in_folder("resumed"));
    }
    run_refused("augmented", "data.train.repeat_factor=0.5", (struct training_options){ .resume = true }, 2,
                "data.train.load_mosaic");
}

static void test_threads(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 3; threads += 2) {
        run_whole("threads", NULL, (struct training_options){ .policy = *policy_under_test(threads) });
        assert_same_results("straight", "threads");
    }
}

/* Tiles depend on neither threads nor the cache, and an epoch continues with those that it would have drawn. */
static void test_tiles(void **state)
{
    static const char *const tiles[] = { "data.train.tiles.size=40", "data.val.tiles.size=[48, 40]", NULL };
    static const char *const cached[] = { "data.train.tiles.size=40", "data.val.tiles.size=[48, 40]",
                                          "data.train.cache_mb=1", NULL };
    struct run r;
    (void)state;
    run_whole("tiled", tiles, (struct training_options){0});
    must(run_open(&r, "tiled_cut", tiles, (struct training_options){0}), &r.err);
    for (int i = 0; i < 4; i++)                                 /* one step of the second epoch */
        must(trainer_advance(&r.trainer, &r.err), &r.err);
    must(trainer_save(&r.trainer, &r.err), &r.err);
    run_close(&r);
    run_refused("tiled_cut", "data.train.tiles.size=41", (struct training_options){ .resume = true }, 2,
                "data.train.tiles.size");
    run_whole("tiled_cut", cached, (struct training_options){ .resume = true, .policy = *policy_under_test(3) });
    assert_same_results("tiled", "tiled_cut");
    struct bytes plain = contents("straight/metrics.csv"), tiled = contents("tiled/metrics.csv");
    assert_true(plain.size != tiled.size || memcmp(plain.p, tiled.p, plain.size) != 0);
    bytes_free(&plain);
    bytes_free(&tiled);
}

static void test_stop(void **state)
{
    volatile sig_atomic_t stop = 1;
    struct run r;
    (void)state;
    must(run_open(&r, "stop", NULL, (struct training_options){ .stop = &stop }), &r.err);
    must(trainer_run(&r.trainer, &r.err), &r.err);
    assert_false(trainer_finished(&r.trainer));
    stop = 0;                                                   /* then within the first evaluation */
    for (int i = 0; i < 5; i++)
        must(trainer_advance(&r.trainer, &r.err), &r.err);
    stop = 1;
    must(trainer_advance(&r.trainer, &r.err), &r.err);
    assert_int_equal(r.trainer.train_step.optimizer.epoch, 1);
    must(trainer_run(&r.trainer, &r.err), &r.err);
    run_close(&r);
    run_whole("stop", NULL, (struct training_options){ .resume = true });
    assert_same_results("straight", "stop");
}

static void test_not_finite(void **state)
{
    struct run r;
    (void)state;
    must(run_open(&r, "poisoned", NULL, (struct training_options){0}), &r.err);
    for (int i = 0; i < 4; i++)
        must(trainer_advance(&r.trainer, &r.err), &r.err);
    struct bytes before = contents("poisoned/model_last.safetensors"), after;
    const struct params *params = &r.trainer.model.params;
    const int index = params_find(params, "backbone.stage3.1.branch2.0.weight");
    assert_true(index >= 0);
    params->value[params->list[index].offset] = NAN;
    assert_false(trainer_run(&r.trainer, &r.err));
    assert_int_equal(r.err.exit, 1);
    assert_non_null(strstr(r.err.text, "epoch 2, step 3"));
    assert_non_null(strstr(r.err.text, "backbone.stage3.1.branch2"));
    assert_non_null(strstr(r.err.text, ".jpg"));
    run_close(&r);
    after = contents("poisoned/model_last.safetensors");
    assert_true(before.size == after.size && memcmp(before.p, after.p, before.size) == 0);
    bytes_free(&before);
    bytes_free(&after);
}

static void test_refused(void **state)
{
    static const struct { const char *override, *text; } cases[] = {
        { "schedule.optimizer.lr=0.1", "schedule.optimizer.lr" }, { "seed=3", "seed" },
        { "data.train.input_size=[96, 64]", "data.train.input_size" }, { "schedule.accumulate=1", "accumulate" } };
    const struct training_options resume = { .resume = true };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        run_refused("straight", cases[i].override, resume, 2, cases[i].text);
    run_whole("straight", (const char *const[]){ "log.interval=5", NULL }, resume);     /* no matter; nothing is left */
    run_refused("config.yml/inside", NULL, (struct training_options){0}, 1, "config.yml");
    run_refused("no", NULL, (struct training_options){ .weights = "no/such/file" }, 1, "no/such/file");
}

/* A checkpoint that lacks a part is refused, naming it. */
static void test_broken_checkpoint(void **state)
{
    static const char *const parts[] = { "fpn.reduce_layers.0.conv.weight", "ema.head.gfl_cls.0.bias",
                                         "moment2.backbone.conv1.0.weight" };
    struct error err = {0};
    (void)state;
    run_whole("broken", NULL, (struct training_options){0});
    for (int i = 0; i < 4; i++) {
        struct tensors whole = {0}, part = {0};
        must(safetensors_read(&whole, in_folder("straight/model_last.safetensors"), &err), &err);
        for (int k = 0; k < whole.count; k++)
            if (i == 3 || strcmp(whole.list[k].name, parts[i]) != 0)
                must(tensors_add(&part, &whole.list[k], &err), &err);
        assert_int_equal(part.count, whole.count - (i < 3));
        for (int k = 0; k < whole.metadata_count; k++)          /* the last case lacks a number */
            if (i < 3 || strcmp(whole.metadata[k].key, "updates") != 0)
                must(tensors_add_metadata(&part, whole.metadata[k].key, whole.metadata[k].value, &err), &err);
        must(safetensors_write(in_folder("broken/model_last.safetensors"), &part, &err), &err);
        run_refused("broken", NULL, (struct training_options){ .resume = true }, 1,
                    i < 3 ? parts[i] : "updates");
        tensors_free(&whole);
        tensors_free(&part);
    }
}

static void train_four_parts(const char *name)
{
    struct run r;
    must(run_open(&r, name, NULL, (struct training_options){0}), &r.err);
    for (int i = 0; i < 4; i++)
        must(trainer_advance(&r.trainer, &r.err), &r.err);
    must(trainer_save(&r.trainer, &r.err), &r.err);
    run_close(&r);
}

/* A checkpoint of an older version does not describe its model: the run resumes with a note, to the same result. */
static void test_older_checkpoint(void **state)
{
    struct error err = {0};
    struct tensors t = {0};
    (void)state;
    train_four_parts("older");
    must(safetensors_read(&t, in_folder("older/model_last.safetensors"), &err), &err);
    int at = 0;
    while (strcmp(t.metadata[at].key, "config") != 0)
        at++;
    free(t.metadata[at].key);
    free(t.metadata[at].value);
    t.metadata[at] = t.metadata[--t.metadata_count];
    must(safetensors_write(in_folder("older/model_last.safetensors"), &t, &err), &err);
    tensors_free(&t);
    run_whole("older", NULL, (struct training_options){ .resume = true });
    assert_same_results("straight", "older");
    struct bytes log = contents("older/train.log");
    assert_non_null(strstr((char *)log.p, "does not describe its model"));
    bytes_free(&log);
}

/* Moved folders contain the same data; other annotations are different data. */
static void test_moved_data(void **state)
{
    const struct training_options resume = { .resume = true };
    char moved[4][200], images[200], other[200];
    struct error err = {0};
    (void)state;
    snprintf(moved[0], sizeof moved[0], "data.train.img_path=%s/elsewhere/images/train", folder);
    snprintf(moved[1], sizeof moved[1], "data.train.ann_path=%s/elsewhere/train.json", folder);
    snprintf(moved[2], sizeof moved[2], "data.val.img_path=%s/elsewhere/images/val", folder);
    snprintf(moved[3], sizeof moved[3], "data.val.ann_path=%s/elsewhere/val.json", folder);
    train_four_parts("moved");
    char *from = path_join(folder, "data", &err), *to = path_join(folder, "elsewhere", &err);
    assert_int_equal(rename(from, to), 0);
    run_whole("moved", (const char *const[]){ moved[0], moved[1], moved[2], moved[3], NULL }, resume);
    assert_int_equal(rename(to, from), 0);
    free(from);
    free(to);
    assert_same_results("straight", "moved");

    train_four_parts("changed");
    struct bytes json = contents("data/train.json");
    char *crowd = memmem(json.p, json.size, "\"iscrowd\":0", 11);
    assert_non_null(crowd);
    crowd[10] = '1';
    must(file_write(in_folder("data/changed.json"), json.p, json.size, &err), &err);
    bytes_free(&json);
    snprintf(other, sizeof other, "data.train.ann_path=%s/data/changed.json", folder);
    run_refused("changed", other, resume, 1, "other training images or annotations");

    snprintf(images, sizeof images, "data.val.img_path=%s/data/images/train", folder);
    snprintf(other, sizeof other, "data.val.ann_path=%s/data/train.json", folder);
    run_whole("changed", (const char *const[]){ images, other, NULL }, resume);
    struct bytes log = contents("changed/train.log");
    assert_non_null(strstr((char *)log.p, "data.val is another set than before"));
    bytes_free(&log);
}

/* Numbers of a checkpoint that no run can have. */
static void test_wrong_numbers(void **state)
{
    static const struct { const char *key, *value; } cases[] = {
        { "step", "-1" }, { "step", "nan" }, { "step", "1e300" }, { "step", "" }, { "step", "3 4" }, { "epoch", "x" },
        { "epoch", "2147483647" }, { "batch", "-1" }, { "batch", "4" }, { "images", "8" }, { "images", "0" },
        { "best", "inf" }, { "best_epoch", "1e10" }, { "rates", "" }, { "rates", "0.1 0.2" }, { "rates", "nan" } };
    struct error err = {0};
    (void)state;
    run_whole("wrong", NULL, (struct training_options){0});
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tensors t = {0};
        must(safetensors_read(&t, in_folder("straight/model_last.safetensors"), &err), &err);
        for (int k = 0; k < t.metadata_count; k++)
            if (strcmp(t.metadata[k].key, cases[i].key) == 0) {
                free(t.metadata[k].value);
                t.metadata[k].value = new_text(cases[i].value, &err);
            }
        must(safetensors_write(in_folder("wrong/model_last.safetensors"), &t, &err), &err);
        tensors_free(&t);
        run_refused("wrong", NULL, (struct training_options){ .resume = true }, 1, "model_last.safetensors");
    }
}

static void test_weights(void **state)
{
    struct run r;
    (void)state;
    char weights[200];
    strcpy(weights, in_folder("straight/model_best/model_best.safetensors"));
    must(run_open(&r, "tuned", NULL, (struct training_options){ .weights = weights, .resume = true }), &r.err);
    must(trainer_save(&r.trainer, &r.err), &r.err);
    struct tensors best = {0}, last = {0};
    must(safetensors_read(&best, weights, &r.err), &r.err);
    must(safetensors_read(&last, in_folder("tuned/model_last.safetensors"), &r.err), &r.err);
    for (int i = 0; i < best.count; i++) {
        char name[200];
        snprintf(name, sizeof name, "ema.%s", best.list[i].name);
        const struct tensor *plain = tensors_find(&last, best.list[i].name), *average = tensors_find(&last, name);
        assert_true(plain && average);
        assert_memory_equal(plain->data, best.list[i].data, tensor_bytes(plain));
        assert_memory_equal(average->data, best.list[i].data, tensor_bytes(average));
    }
    tensors_free(&best);
    tensors_free(&last);
    run_close(&r);
    run_whole("tuned", NULL, (struct training_options){ .weights = weights });
    assert_true(file_exists(in_folder("tuned/model_last.safetensors.old")));
}

static void test_unreadable_image(void **state)
{
    struct error err = {0};
    (void)state;
    struct bytes good = contents("data/images/train/000003.jpg"), log;
    must(file_write(in_folder("data/images/train/000003.jpg"), "not an image", 12, &err), &err);
    run_whole("skipping", NULL, (struct training_options){0});
    must(file_write(in_folder("data/images/train/000003.jpg"), good.p, good.size, &err), &err);
    log = contents("skipping/train.log");
    assert_non_null(strstr((char *)log.p, "000003.jpg"));
    bytes_free(&good);
    bytes_free(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_learns), cmocka_unit_test(test_files), cmocka_unit_test(test_interrupted_anywhere),
        cmocka_unit_test(test_augmented_runs_resume), cmocka_unit_test(test_threads), cmocka_unit_test(test_tiles),
        cmocka_unit_test(test_stop), cmocka_unit_test(test_not_finite),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_broken_checkpoint), cmocka_unit_test(test_wrong_numbers),
        cmocka_unit_test(test_older_checkpoint), cmocka_unit_test(test_moved_data),
        cmocka_unit_test(test_weights), cmocka_unit_test(test_unreadable_image),
    };
    return cmocka_run_group_tests(tests, set_up, remove_folder);
}
