/* tests/test_file_config.c -- the description of a model in a weight file: it contains no paths, is parsed to the
 * same configuration, and is refused if it is invalid. */
#include "base/file.h"
#include "base/memory.h"
#include "base/path.h"
#include "base/strbuf.h"
#include "base/string_list.h"
#include "interop/safetensors.h"
#include "tiny_net.h"
#include "weights/file_config.h"
#include "weights/load.h"
#include "weights/weights.h"

/* ---- writing ---- */

/* First, middle and last child, a section with all below it, the only child and so its section, and nothing. */
static void test_entries_are_removed(void **state)
{
    static const char all[] = "a: 1\nb: 2\nc:\n  d: 3\n";
    static const struct { const char *path, *left; } cases[] = {
        { "a", "b: 2\nc:\n  d: 3\n" }, { "b", "a: 1\nc:\n  d: 3\n" }, { "c", "a: 1\nb: 2\n" },
        { "c.d", "a: 1\nb: 2\n" },     { "c.e", all }, { "e", all }, { "a.", all }, { "b.x", all }, { "x.y", all } };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct entry root;
        struct strbuf text = {0};
        struct error err = {0};
        assert_true(tree_parse(&root, all, strlen(all), "a.yml", &err));
        tree_remove(&root, cases[i].path);
        tree_write(&root, &text);
        assert_string_equal(text.s, cases[i].left);
        strbuf_free(&text);
        assert_non_null(tree_find_or_add(&root, "z", (struct place){ "a.yml", 1 }, &err));
        assert_string_equal(root.last->name, "z");
        tree_free(&root);
    }
}

static void describe(struct net *n, struct strbuf *out)
{
    *out = (struct strbuf){0};
    must(file_config_write(&n->config, out, &n->err), &n->err);
}

/* The model of a file that holds the description and nothing else. */
static bool open_described(struct net *n, const char *description, const char *override)
{
    struct tensors t = {0};
    *n = (struct net){0};
    const bool ok = (!description || file_config_add(description, &t, &n->err))
                 && safetensors_write(in_folder("described.safetensors"), &t, &n->err)
                 && file_config_open(&n->model, &n->config, in_folder("described.safetensors"), &override,
                                     override != NULL, &n->err);
    tensors_free(&t);
    return ok;
}

static void assert_same_model(const struct net *a, const struct net *b)
{
    assert_int_equal(a->model.params.count, b->model.params.count);
    assert_true(a->model.params.total == b->model.params.total);
    for (int i = 0; i < a->model.params.count; i++)
        assert_string_equal(a->model.params.list[i].name, b->model.params.list[i].name);
    assert_memory_equal(&a->config.test, &b->config.test, sizeof a->config.test);
    assert_memory_equal(a->config.val.input_size, b->config.val.input_size, sizeof a->config.val.input_size);
    assert_memory_equal(&a->config.val.pipeline, &b->config.val.pipeline, sizeof a->config.val.pipeline);
    assert_int_equal(a->config.val.resize, b->config.val.resize);
    assert_int_equal(a->config.batch_size, b->config.batch_size);
}

/* Every configuration is read back as the same model, which is described by the same text. */
static void test_descriptions_round_trip(void **state)
{
    struct string_list names = {0};
    struct error err = {0};
    (void)state;
    must(folder_list(&names, "configs", &err), &err);
    for (int i = 0; i < names.count; i++) {
        struct net n = {0}, again;
        struct strbuf text, same;
        char *path = path_join("configs", names.list[i], &err);
        must(path && config_read(&n.config, path, NULL, 0, &n.err) && model_open(&n.model, &n.config, &n.err), &n.err);
        describe(&n, &text);
        must(open_described(&again, text.s, NULL), &again.err);
        assert_same_model(&n, &again);
        describe(&again, &same);
        assert_string_equal(text.s, same.s);
        strbuf_free(&text);
        strbuf_free(&same);
        net_close(&n);
        net_close(&again);
        free(path);
    }
    assert_true(names.count > 20);
    string_list_free(&names);
}

/* Numbers keep all their bits; no path of the configuration is in the text, nor what training alone needs. */
static void test_descriptions_hold_no_paths(void **state)
{
    static const char *const overrides[] = {
        "model.arch.backbone.pretrain=/secret/weights", "data.val.image_list=/secret/list", "save_dir=/secret/run",
        "schedule.load_model=/secret/model", "data.val.pipeline.normalize=[[0.1, 116.28, 3], [57.375, 57.12, 7]]",
        "device.gpu_ids=[7]", "data.val.use_seg_mask=true", "data.val.cache_mb=7", "test.max_per_image=7",
        "test.nms_iou=0.7", "test.class_agnostic_nms=true", "model.teacher.weights=/secret/teacher",
        "model.teacher.config=/secret/config" };
    static const char *const absent[] = { "secret", folder, "pretrain", "schedule", "gpu_ids", "use_seg_mask",
                                          "cache_mb", "img_path", "ann_path", "save_dir", "guide", "distill" };
    struct config whole = {0};
    struct net n, again;
    struct strbuf text;
    (void)state;
    net_open(&n, overrides, sizeof overrides / sizeof *overrides);
    describe(&n, &text);
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
        if (strstr(text.s, absent[i]))
            fail_msg("%s is in\n%s", absent[i], text.s);
    must(open_described(&again, text.s, NULL), &again.err);
    assert_same_model(&n, &again);
    assert_true(again.config.val.pipeline.normalize[0][0] == 0.1);
    assert_false(config_parse(&whole, text.s, text.size, "whole", NULL, 0, &n.err));    /* no training goes by it */
    assert_non_null(strstr(n.err.text, "schedule.total_epochs must be given"));
    config_free(&whole);
    assert_true(again.config.test.max_per_image == 7 && again.config.test.nms_iou == 0.7);
    assert_string_equal(again.config.val.img_path, "");
    assert_string_equal(again.config.class_names.at[4], "person");
    strbuf_free(&text);
    net_close(&n);
    net_close(&again);
}

/* Upstream's keys without effect are left out, with the sections that hold nothing else. */
/* Tiles of data.val belong to the description, unless there are none: versions without tiles read it then. */
static void test_descriptions_hold_tiles(void **state)
{
    static const char *const tiles[] = { "data.val.tiles.size=[48, 0]", "data.train.tiles.size=33" };
    struct net n, again;
    struct strbuf text;
    (void)state;
    net_open(&n, NULL, 0);
    describe(&n, &text);
    assert_null(strstr(text.s, "tiles"));
    strbuf_free(&text);
    net_close(&n);
    net_open(&n, tiles, 2);
    describe(&n, &text);
    assert_null(strstr(text.s, "33"));
    must(open_described(&again, text.s, NULL), &again.err);
    assert_memory_equal(&again.config.val_tiles, &n.config.val_tiles, sizeof n.config.val_tiles);
    assert_int_equal(again.config.val_tiles.size.at[0], 48);
    strbuf_free(&text);
    net_close(&n);
    net_close(&again);
}

static void test_descriptions_hold_no_ignored_keys(void **state)
{
    struct net n = {0}, again;
    struct bytes file;
    struct strbuf yaml = {0}, text;
    (void)state;
    must(file_read(&file, in_folder("config.yml"), &n.err), &n.err);
    strbuf_addf(&yaml, "%stest: {soft: {sigma: 1}, more: {}, nms_iou: 0.5}\n", (const char *)file.p);
    must(config_parse(&n.config, yaml.s, yaml.size, "a.yml", NULL, 0, &n.err)
         && model_open(&n.model, &n.config, &n.err), &n.err);
    assert_int_equal(n.config.ignored.count, 2);
    describe(&n, &text);
    assert_null(strstr(text.s, "soft"));
    must(open_described(&again, text.s, NULL), &again.err);
    assert_true(again.config.test.nms_iou == 0.5);
    bytes_free(&file);
    strbuf_free(&yaml);
    strbuf_free(&text);
    net_close(&n);
    net_close(&again);
}

static void test_descriptions_have_a_limit(void **state)
{
    struct net n;
    struct strbuf names = {0}, text = {0};
    (void)state;
    strbuf_addf(&names, "class_names=[car, van, truck, bus, %0*d]", FILE_CONFIG_MAX, 7);
    net_open(&n, (const char *const[]){ names.s }, 1);
    assert_false(file_config_write(&n.config, &text, &n.err));
    assert_int_equal(n.err.exit, 2);
    net_close(&n);
    assert_false(open_described(&n, names.s, NULL));
    assert_int_equal(n.err.exit, 1);
    assert_non_null(strstr(n.err.text, "more than 1048576 bytes"));
    net_close(&n);
    strbuf_free(&names);
    strbuf_free(&text);
}

/* ---- reading ---- */

static const struct { int exit; const char *from, *to, *override, *message; } wrong[] = {
    { 1, "num_classes: 5", "num_classes: 6", NULL, "but there are 5 class_names" },
    { 1, "num_classes: 5", "num_classes: -1", NULL, "model.arch.head.num_classes" },
    { 1, "num_classes: 5", "classes: 5", NULL, "model.arch.head.classes: no such key" },
    { 1, "reg_max: 7", "reg_max: 7\n      newer: 1", NULL, "model.arch.head.newer: no such key" },
    { 1, "name: NanoDetPlusHead", "name: NanoDetPlusHeads", NULL, "no such part 'NanoDetPlusHeads'" },
    { 1, "in_channels: [48, 96, 192]", "in_channels: [48, 96, 93]", NULL, "fpn" },
    { 1, "strides: [8, 16, 32, 64]", "strides: [8, 16, 32, 128]", NULL, "not of stride 128" },
    { 1, "class_names:", "class_names: []\nseeds:", NULL, "seeds" },
    { 1, "class_names:", "save_dir: /secret\nclass_names:", NULL, "save_dir is not allowed in the configuration" },
    { 1, "class_names:", "schedule: {load_model: /secret}\nclass_names:", NULL,
      "schedule.load_model is not allowed in the configuration" },
    { 1, "model_size: 0.5x", "model_size: 0.5x\n      pretrain: /secret", NULL,
      "model.arch.backbone.pretrain is not allowed in the configuration" },
    { 1, "keep_ratio: true", "keep_ratio: true\n    ann_path: /dev/zero", NULL,
      "data.val.ann_path is not allowed in the configuration" },
    { 1, "\ntest:\n", "\ntest:\n  newer: 1\n", NULL, "test.newer has no effect in this version" },
    { 1, "keep_ratio: true", "keep_ratio: [", NULL, "description:" },
    { 1, "[96, 64]", "[96, 1e9]", NULL, "data.train.input_size" },
    { 2, "", "", "model.arch.head.num_clases=5", "command line: model.arch.head.num_clases" },
    { 2, "", "", "data.val.input_size=[96]", "command line: data.val.input_size" },
    { 2, "", "", "model.arch.head.strides=[8, 16, 32, 128]", "not of stride 128" } };

/* The text with the first `from` replaced; free it. */
static char *edited(const char *text, const char *from, const char *to)
{
    struct strbuf out = {0};
    const char *at = strstr(text, from);
    assert_non_null(at);
    strbuf_addf(&out, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    return out.s;
}

static void test_wrong_descriptions_are_refused(void **state)
{
    struct net n, w;
    struct strbuf text;
    (void)state;
    net_open(&n, NULL, 0);
    describe(&n, &text);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char *description = edited(text.s, wrong[i].from, wrong[i].to);
        const bool ok = open_described(&w, description, wrong[i].override);
        if (ok || w.err.exit != wrong[i].exit || !strstr(w.err.text, wrong[i].message))
            fail_msg("%zu: exit %d: %s", i, w.err.exit, ok ? "accepted" : w.err.text);
        if (w.err.exit == 1 && !starts_with(w.err.text, in_folder("described.safetensors")))
            fail_msg("the file is not named: %s", w.err.text);
        net_close(&w);
        free(description);
    }
    must(open_described(&w, text.s, "data.val.input_size=[128, 64]"), &w.err);
    assert_int_equal(w.config.val.input_size[0], 128);
    net_close(&w);
    must(open_described(&w, text.s, "device.gpu_ids=[0]"), &w.err);     /* without effect, as on any configuration */
    net_close(&w);
    assert_false(open_described(&w, NULL, NULL));
    assert_int_equal(w.err.exit, 2);
    assert_non_null(strstr(w.err.text, "does not describe its model"));
    net_close(&w);
    strbuf_free(&text);
    net_close(&n);
}

/* ---- notes ---- */

static const char *note_of(struct net *n, const char *key, const char *text, const char *description)
{
    struct tensors t = {0};
    string_list_free(&n->notes);
    must((!key || tensors_add_metadata(&t, key, text, &n->err))
         && (!description || file_config_add(description, &t, &n->err))
         && weights_to_tensors(&n->model.params, n->model.params.value, "", &t, &n->err)
         && safetensors_write(in_folder("noted.safetensors"), &t, &n->err), &n->err);
    must(model_load(&n->model, in_folder("noted.safetensors"), LOAD_TO_RUN, n->model.params.value, &n->notes, &n->err),
         &n->err);
    tensors_free(&t);
    assert_in_range(n->notes.count, 1, 2);
    return n->notes.count == 2 ? n->notes.list[1] : "";
}

/* Files of older versions and exchanged classes give a note; files of other programs do not. */
static void test_notes(void **state)
{
    struct net n;
    struct strbuf text;
    (void)state;
    net_open(&n, NULL, 0);
    describe(&n, &text);
    assert_non_null(strstr(note_of(&n, "epoch", "3", NULL), "does not describe its model"));
    assert_non_null(strstr(note_of(&n, "folded", "true", NULL), "does not describe its model"));
    assert_string_equal(note_of(&n, "format", "pt", NULL), "");
    assert_string_equal(note_of(&n, "epoch", "3", text.s), "");
    assert_string_equal(note_of(&n, "epoch", "3", "no: [description"), "");
    char *swapped = edited(text.s, "[car, van", "[van, car");
    assert_non_null(strstr(note_of(&n, "epoch", "3", swapped), "'van' instead of 'car'"));
    free(swapped);
    strbuf_free(&text);
    net_close(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries_are_removed), cmocka_unit_test(test_descriptions_round_trip),
        cmocka_unit_test(test_descriptions_hold_no_paths), cmocka_unit_test(test_descriptions_hold_no_ignored_keys),
        cmocka_unit_test(test_descriptions_hold_tiles),
        cmocka_unit_test(test_descriptions_have_a_limit), cmocka_unit_test(test_wrong_descriptions_are_refused),
        cmocka_unit_test(test_notes) };
    return cmocka_run_group_tests(tests, tiny_setup, remove_folder);
}
