/* tests/test_check.c -- `nanodet check` reports every problem of a small set in one run. */
#include "base/file.h"
#include "base/path.h"
#include "base/strbuf.h"
#include "base/string_list.h"
#include "cli/commands.h"
#include "data/image.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

/* Five images: whole, cut within its head, of another size than annotated, missing, without its end marker. */
static const char *const annotations =
    "{\"images\": [{\"id\": 1, \"file_name\": \"whole.jpg\", \"width\": 40, \"height\": 30},"
    "{\"id\": 2, \"file_name\": \"cut.jpg\", \"width\": 40, \"height\": 30},"
    "{\"id\": 3, \"file_name\": \"small.jpg\", \"width\": 400, \"height\": 30},"
    "{\"id\": 4, \"file_name\": \"missing.jpg\", \"width\": 40, \"height\": 30},"
    "{\"id\": 5, \"file_name\": \"short.jpg\", \"width\": 40, \"height\": 30}],"
    "\"categories\": [{\"id\": 1, \"name\": \"car\"}, {\"id\": 2, \"name\": \"van\"}],"
    "\"annotations\": [{\"id\": 1, \"image_id\": 1, \"category_id\": 1, \"bbox\": [1, 1, 9, 9], \"area\": 81},"
    "{\"id\": 2, \"image_id\": 1, \"category_id\": 2, \"bbox\": [1, 1, 0, 9], \"area\": 0}]}";

static const char *const model =
    "model:\n"
    "  arch:\n"
    "    name: NanoDetPlus\n"
    "    backbone: {name: ShuffleNetV2, model_size: 0.5x, out_stages: [2, 3, 4]}\n"
    "    fpn: {name: GhostPAN, in_channels: [48, 96, 192], out_channels: 32, num_extra_level: 1}\n"
    "    head: {name: NanoDetPlusHead, num_classes: 2, input_channel: 32, feat_channels: 32, reg_max: 7,\n"
    "           strides: [8, 16, 32, 64]}\n"
    "    aux_head: {name: SimpleConvHead, num_classes: 2, input_channel: 64, feat_channels: 64, reg_max: 7,\n"
    "               strides: [8, 16, 32, 64]}\n"
    "schedule:\n"
    "  total_epochs: 1\n"
    "  optimizer: {name: AdamW, lr: 0.001, weight_decay: 0.05}\n"
    "device: {batchsize_per_gpu: 8}\n";

struct place_of_test { char folder[64], config[96]; };

static void write_file(const char *folder, const char *name, const void *p, size_t size)
{
    struct error err = {0};
    char *path = path_join(folder, name, &err);
    assert_non_null(path);
    assert_true(file_write(path, p, size, &err));
    free(path);
}

static int set_up(void **state)
{
    static struct place_of_test place;
    struct strbuf yaml = {0};
    struct image image = {0};
    struct bytes jpeg = {0};
    struct error err = {0};
    strcpy(place.folder, "/tmp/test_check.XXXXXX");
    assert_non_null(mkdtemp(place.folder));
    assert_true(image_new(&image, 40, 30, &err) && image_encode_jpeg(&image, 90, &jpeg, &err));
    write_file(place.folder, "whole.jpg", jpeg.p, jpeg.size);
    write_file(place.folder, "cut.jpg", jpeg.p, jpeg.size / 2);
    write_file(place.folder, "short.jpg", jpeg.p, jpeg.size - 2);
    write_file(place.folder, "small.jpg", jpeg.p, jpeg.size);
    write_file(place.folder, "set.json", annotations, strlen(annotations));
    strbuf_addf(&yaml, "%s", model);
    strbuf_addf(&yaml, "data:\n  train: {input_size: [64, 96], img_path: %s, ann_path: %s/set.json}\n"
                    "  val: {img_path: %s, ann_path: %s/none.json}\nclass_names: [car, van]\n",
             place.folder, place.folder, place.folder, place.folder);
    write_file(place.folder, "config.yml", yaml.s, yaml.size);
    snprintf(place.config, sizeof place.config, "%s/config.yml", place.folder);
    strbuf_free(&yaml);
    bytes_free(&jpeg);
    image_free(&image);
    *state = &place;
    return 0;
}

static int tear_down(void **state)
{
    const struct place_of_test *place = *state;
    struct string_list names = {0};
    struct error err = {0};
    assert_true(folder_list(&names, place->folder, &err));
    for (int i = 0; i < names.count; i++) {
        char *path = path_join(place->folder, names.list[i], &err);
        unlink(path);
        free(path);
    }
    string_list_free(&names);
    return rmdir(place->folder);
}

/* The output of `nanodet check CONFIG overrides`; free it. */
static char *check(const char *config, const char *const *overrides, int count, bool *ok, struct error *err)
{
    const struct command command = { .name = "check", .options = check_options };
    const struct args args = { .command = &command, .config = config, .threads = 2,
                               .overrides = (const char **)overrides, .override_count = count };
    char *text = NULL;
    size_t size;
    FILE *kept = stdout;
    stdout = open_memstream(&text, &size);
    assert_non_null(stdout);
    *ok = check_run(&args, err);
    fclose(stdout);
    stdout = kept;
    return text;
}

static void test_data(void **state)
{
    const struct place_of_test *place = *state;
    static const char *const expected[] = {
        "/cut.jpg: ", "/missing.jpg: No such file",
        "data.train: 1 images of another size than annotated, the size of the image is used: small.jpg is 40 x 30, "
        "annotated as 400 x 30", "data.train: 1 truncated images, read as far as they go: short.jpg",
        "/none.json: No such file", "device.batchsize_per_gpu is 8, but there are 5 training images; try 1",
        "1 degenerate" };
    struct error err = {0};
    bool ok;
    char *text = check(place->config, NULL, 0, &ok, &err);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        if (!strstr(text, expected[i]))
            fail_msg("no '%s' in\n%s", expected[i], text);
    assert_false(ok);
    assert_int_equal(err.exit, 1);
    assert_non_null(strstr(err.text, ": 1 problem"));
    free(text);
}

static void test_everything(void **state)
{
    const struct place_of_test *place = *state;
    static const char *const overrides[] = {
        "seed=-1", "class_names=[car]", "model.arch.head.num_classes=1", "model.arch.fpn.kernel=5",
        "model.arch.head.reg_max=many", "schedule.load_model=none.ckpt" };
    static const char *const expected[] = {
        "command line: seed must be", "model.arch.aux_head.num_classes is 2, but there are 1 class_names",
        "command line: model.arch.fpn.kernel: no such key; did you mean model.arch.fpn.kernel_size?",
        "command line: model.arch.head.reg_max must be", "command line: schedule.load_model: no such file: none.ckpt",
        "/cut.jpg: ", "/none.json: No such file" };
    struct error err = {0};
    bool ok;
    char *text = check(place->config, overrides, 6, &ok, &err);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        if (!strstr(text, expected[i]))
            fail_msg("no '%s' in\n%s", expected[i], text);
    assert_false(ok);
    assert_int_equal(err.exit, 2);
    free(text);
}

static void test_nothing(void **state)
{
    static const char *const overrides[] = { "device.batchsize_per_gpu=1" };
    const struct place_of_test *place = *state;
    static const char *const good =
        "{\"images\": [{\"id\": 1, \"file_name\": \"whole.jpg\", \"width\": 40, \"height\": 30}],"
        "\"categories\": [{\"id\": 1, \"name\": \"car\"}, {\"id\": 2, \"name\": \"van\"}],"
        "\"annotations\": [{\"image_id\": 1, \"category_id\": 1, \"bbox\": [1, 2, 20, 10]}]}";
    struct error err = {0};
    bool ok;
    write_file(place->folder, "set.json", good, strlen(good));
    write_file(place->folder, "none.json", good, strlen(good));
    char *text = check(place->config, overrides, 1, &ok, &err);
    if (!ok || !strstr(text, "config.yml: no problem found\n")
        || !strstr(text, "data.train: 1 images, 0 without a box; 1 boxes, car 1, van 0\n")
        || !strstr(text, "training: total_epochs "))
        fail_msg("%s%s", text, err.text);
    free(text);
}

/* One of four images has a van: its factor is 2. */
static void test_repeated_images(void **state)
{
    static const char *const overrides[] = { "device.batchsize_per_gpu=2", "data.train.repeat_factor=1" };
    static const char *const lines[] = { "data.train.repeat_factor: 5 samples per epoch from 4 images\n",
                                         "steps per epoch 2, batch 2;" };
    const struct place_of_test *place = *state;
    struct strbuf json = {0};
    struct error err = {0};
    bool ok;
    strbuf_addf(&json, "{\"categories\": [{\"id\": 1, \"name\": \"car\"}, {\"id\": 2, \"name\": \"van\"}], "
                "\"images\": [");
    for (int i = 1; i <= 4; i++)
        strbuf_addf(&json, "%s{\"id\": %d, \"file_name\": \"whole.jpg\", \"width\": 40, \"height\": 30}",
                    i > 1 ? "," : "", i);
    strbuf_addf(&json, "], \"annotations\": [");
    for (int i = 1; i <= 4; i++)
        strbuf_addf(&json, "%s{\"image_id\": %d, \"category_id\": %d, \"bbox\": [1, 2, 20, 10]}", i > 1 ? "," : "", i,
                    1 + (i == 3));
    strbuf_addf(&json, ", {\"image_id\": 3, \"category_id\": 1, \"bbox\": [5, 6, 20, 10]}]}");
    write_file(place->folder, "set.json", json.s, json.size);
    strbuf_free(&json);
    char *text = check(place->config, overrides, 2, &ok, &err);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (!ok || !strstr(text, lines[i]))
            fail_msg("no '%s' in\n%s%s", lines[i], text, err.text);
    free(text);
}

/* `check` loads the weights as `train` does: it repeats the warnings and finds files that hold no weights. */
static void test_weights(void **state)
{
    const struct place_of_test *place = *state;
    char no_weights[128];
    snprintf(no_weights, sizeof no_weights, "schedule.load_model=%s/set.json", place->folder);
    const struct { const char *override, *line; bool ok; const char *more; } cases[] = {
        { "model.arch.backbone.pretrain=true", "WARNING: model.arch.backbone.pretrain is true and names no file",
          true, NULL },
        { "model.arch.backbone.pretrain=none.pth", "none.pth: No such file", false, NULL },
        { no_weights, "/set.json: ", false, NULL },
        { "model.teacher.weights=none", "command line: model.teacher.weights: no such file: none", false,
          "model.distill.localization=1" } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const overrides[] = { "device.batchsize_per_gpu=1", cases[i].override, cases[i].more };
        struct error err = {0};
        bool ok;
        char *text = check(place->config, overrides, 2 + (cases[i].more != NULL), &ok, &err);
        if (ok != cases[i].ok || !strstr(text, cases[i].line))
            fail_msg("%s: no '%s' in\n%s%s", cases[i].override, cases[i].line, text, err.text);
        free(text);
    }
}

/* A set with broken records and missing images; each line names the set. */
static void test_broken_records(void **state)
{
    static const char *const broken =
        "{\"images\": [{\"id\": 1, \"file_name\": \"whole.jpg\"}, {\"id\": 2, \"file_name\": \"missing.jpg\"}],"
        "\"categories\": [{\"id\": 1, \"name\": \"car\"}, {\"id\": 2, \"name\": \"van\"}], \"annotations\": ["
        "{\"id\": 5, \"image_id\": 1, \"category_id\": 1, \"bbox\": [1]}, {\"id\": 6, \"image_id\": 1}]}";
    static const char *const expected[] = {
        "data.train: ", "/set.json:1: annotation 1 (id 5): bbox must be four numbers",
        "/set.json:1: annotation 2 (id 6): category_id must be a whole number, but is missing", "/missing.jpg: No such",
        "data.val: " };
    const struct place_of_test *place = *state;
    struct error err = {0};
    bool ok;
    write_file(place->folder, "set.json", broken, strlen(broken));
    write_file(place->folder, "none.json", broken, strlen(broken));
    char *text = check(place->config, NULL, 0, &ok, &err);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        if (!strstr(text, expected[i]))
            fail_msg("no '%s' in\n%s", expected[i], text);
    assert_non_null(strstr(err.text, ": 5 problems"));
    assert_int_equal(err.exit, 1);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_data), cmocka_unit_test(test_everything),
                                        cmocka_unit_test(test_nothing), cmocka_unit_test(test_repeated_images),
                                        cmocka_unit_test(test_weights), cmocka_unit_test(test_broken_records) };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
