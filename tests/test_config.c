/* tests/test_config.c -- configurations: values, and every kind of error. */
#include "base/path.h"
#include "base/strbuf.h"
#include "base/string_list.h"
#include "small_config.h"
#include "there.h"
#include <stdlib.h>

static void test_values(void **state)
{
    struct config config = {0};
    (void)state;
    read_minimal(&config, NULL);
    assert_string_equal(config.save_dir, "workspace/small");
    assert_int_equal(config.model.arch, ARCH_NANODET_PLUS);
    assert_int_equal(config.class_names.count, 2);
    assert_string_equal(config.class_names.at[1], "traffic light");
    assert_int_equal(config.train.input_size[0], 320);
    assert_int_equal(config.train.input_size[1], 256);
    assert_true(config.train.pipeline.stretch[0][1] == 1.2 && config.train.pipeline.stretch[1][0] == 0.9);
    assert_int_equal(config.schedule.optimizer.name, OPTIMIZER_ADAMW);
    assert_int_equal(config.schedule.optimizer.rule_count, 2);
    assert_string_equal(config.schedule.optimizer.rules[1].match, "head.gfl_cls");
    const struct param_rule *rules = config.schedule.optimizer.rules;
    assert_true(rules[0].lr_mult == 0.1 && rules[0].decay_mult == 1);
    assert_true(rules[1].lr_mult == 1 && rules[1].decay_mult == 0);
    assert_int_equal(config.ignored.count, 1);
    assert_string_equal(config.ignored.list[0], "device.gpu_ids");
    config_free(&config);
}

static void test_presets(void **state)
{
    struct config config = {0};
    (void)state;
    read_minimal(&config, NULL);
    assert_int_equal(config.seed, 0);
    assert_int_equal(config.batch_size, 16);
    assert_int_equal(config.model.averager, AVERAGER_NONE);
    assert_int_equal(config.model.freeze.count, 0);
    assert_int_equal(config.schedule.lr_schedule.t_max, 12);            /* as total_epochs */
    assert_int_equal(config.schedule.lr_schedule.milestones.count, 0);
    assert_true(config.schedule.optimizer.betas[1] == 0.999);
    assert_int_equal(config.val.input_size[0], 320);                    /* as data.train's */
    assert_string_equal(config.val.class_names.at[0], "person");
    assert_int_equal(config.train.resize, RESIZE_KEEP);
    assert_string_equal(config.train.img_path, "");
    assert_true(config.val.pipeline.normalize[0][2] == 123.675 && config.val.pipeline.normalize[1][0] == 57.375);
    assert_true(config.train.multi_scale[0] == 1 && config.train.multi_scale[1] == 1);
    assert_false(config.schedule.resume);
    config_free(&config);
}

/* Overrides: what is set in the resolved tree. */
static const struct { const char *override, *path, *text; } sets[] = {
    { "schedule.total_epochs=3",            "schedule.total_epochs",      "3" },
    { "schedule.total_epochs=1e3",          "schedule.total_epochs",      "1000" },
    { "schedule.optimizer.lr=5e-5",         "schedule.optimizer.lr",      "5.0e-05" },
    { "schedule.optimizer.lr=.1",           "schedule.optimizer.lr",      "0.1" },
    { "schedule.resume=",                   "schedule.resume",            "true" },
    { "schedule.resume=workspace/x.ckpt",   "schedule.resume",            "true" },
    { "schedule.resume=False",              "schedule.resume",            "false" },
    { "data.train.input_size.1=512",        "data.train.input_size.1",    "512" },
    { "data.train.input_size=[64, 96]",     "data.val.input_size.1",      "96" },
    { "data.train.keep_ratio=False",        "data.train.resize",          "stretch" },
    { "data.train.keep_ratio=no",           "data.val.resize",            "keep" },
    { "data.val.resize=letterbox",          "data.val.resize",            "letterbox" },
    { "data.train.pipeline.scale=[0.5, 2]", "data.train.pipeline.scale.1", "2" },
    { "data.train.pipeline.stretch.1.0=0.5", "data.train.pipeline.stretch.1.0", "0.5" },
    { "data.train={input_size: [32, 32]}",  "data.val.input_size.0",      "32" },
    { "data.train.name=coco",               "data.train.name",            "CocoDataset" },
    { "data.train.img_path=a=b",            "data.train.img_path",        "a=b" },
    { "data.train.img_path=",               "data.train.img_path",        NULL },
    { "save_dir=",                          "save_dir",                   "workspace" },
    { "model.arch.name=GFL",                "model.arch.name",            "OneStageDetector" },
    { "model.arch.aux_head.name=SimpleConvHead", "model.arch.aux_head.name", "SimpleConvHead" },
    { "model.weight_averager.name=ExpMovingAverager", "model.weight_averager.decay", "0.9998" },
    { "model.freeze=[backbone.stage2]",     "model.freeze.0",             "backbone.stage2" },
    { "model.arch.aux_head.name=SimpleConvHead", "model.guide",           "aux" },
    { "model.arch.aux_head=null",           "model.guide",                "self" },
    { "model.guide=",                       "model.guide",                "self" },
    { "class_names.0=car",                  "data.val.class_names.0",     "car" },
    { "evaluator.save_key=AP_50",           "evaluator.save_key",         "AP_50" },
};

static void test_overrides(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        struct config config = {0};
        read_minimal(&config, sets[i].override);
        const struct entry *e = tree_find(&config.root, sets[i].path);
        const char *text = e ? e->text : NULL;
        if (sets[i].text ? !text || strcmp(text, sets[i].text) != 0 : text && *text)
            fail_msg("%s: %s is %s", sets[i].override, sets[i].path, text ? text : "nothing");
        config_free(&config);
    }
}

static const struct { const char *override, *message; } refused[] = {
    { "schedule.total_epoch=3",
      "command line: schedule.total_epoch: no such key; did you mean schedule.total_epochs?" },
    { "schedules.optimizer.lr=3",
      "command line: schedules.optimizer.lr: no such key; did you mean schedule.optimizer.lr?" },
    { "data.train.image_path=x",
      "command line: data.train.image_path: no such key; did you mean data.train.img_path?" },
    { "data.val.pipeline.scal=[1, 1]",
      "command line: data.val.pipeline.scal: no such key; did you mean data.val.pipeline.scale?" },
    { "schedule.total_epochs=0",
      "command line: schedule.total_epochs must be a whole number from 1 to 1000000, not '0'" },
    { "schedule.total_epochs=2.5",
      "command line: schedule.total_epochs must be a whole number from 1 to 1000000, not '2.5'" },
    { "schedule.total_epochs=1e99",
      "command line: schedule.total_epochs must be a whole number from 1 to 1000000, not '1e99'" },
    { "schedule.total_epochs=[3]",
      "command line: schedule.total_epochs must be a whole number from 1 to 1000000, not a list of 1 item" },
    { "schedule.total_epochs=", "a.yml: schedule.total_epochs must be given" },
    { "schedule.optimizer.lr=nan", "command line: schedule.optimizer.lr must be a number from 0 to 100, not 'nan'" },
    { "schedule.optimizer.lr=-1", "command line: schedule.optimizer.lr must be a number from 0 to 100, not '-1'" },
    { "schedule.optimizer.lr=0.1x", "command line: schedule.optimizer.lr must be a number from 0 to 100, not '0.1x'" },
    { "schedule.optimizer.lr={a: 1}",
      "command line: schedule.optimizer.lr must be a number from 0 to 100, not a section of 1 key" },
    { "schedule.optimizer.name=Lion",
      "command line: schedule.optimizer.name must be SGD, Adam, AdamW or Muon, not 'Lion'" },
    { "schedule.optimizer.no_norm_decay=maybe",
      "command line: schedule.optimizer.no_norm_decay must be true or false, not 'maybe'" },
    { "schedule.optimizer.param_level_cfg.fpn.lr=3", "command line: schedule.optimizer.param_level_cfg.fpn.lr: "
      "no such key; did you mean schedule.optimizer.param_level_cfg.fpn.lr_mult?" },
    { "schedule.optimizer.param_level_cfg=3",
      "command line: schedule.optimizer.param_level_cfg is a section of keys" },
    { "schedule.warmup=3", "command line: schedule.warmup is a section of keys" },
    { "schedule.total_epochs.x=3", "command line: schedule.total_epochs.x: a single value has no key x" },
    { "data.train.input_size.2=3",
      "command line: data.train.input_size.2: the list has no item 2" },
    { "data.train.input_size.x=3",
      "command line: data.train.input_size.x: the list has no item x" },
    { "data.train.input_size=[320]",
      "command line: data.train.input_size must be a list of 2 whole numbers from 16 to 8192, not a list of 1 item" },
    { "data.train.input_size=", "a.yml: data.train.input_size must be given" },
    { "data.train=3", "command line: data.train is a section of keys" },
    { "data.train.pipeline.scale=[1.5, 0.5]",
      "command line: data.train.pipeline.scale: the range from 1.5 to 0.5 is empty" },
    { "data.val.pipeline.normalize=[[1, 2, 3], [1, 0, 3]]",
      "command line: data.val.pipeline.normalize: a standard deviation is 0" },
    { "data.val.load_mosaic=true", "command line: data.val.load_mosaic: allowed in data.train only" },
    { "data.val.repeat_factor=0.1", "command line: data.val.repeat_factor: allowed in data.train only" },
    { "data.val.pipeline.flip_vertical=0.5",
      "command line: data.val.pipeline.flip_vertical: allowed in data.train only" },
    { "data.val.pipeline.rotate90=0.5", "command line: data.val.pipeline.rotate90: allowed in data.train only" },
    { "data.val.pipeline.copy_paste=2", "command line: data.val.pipeline.copy_paste: allowed in data.train only" },
    { "data.train.pipeline.copy_paste=11",
      "command line: data.train.pipeline.copy_paste must be a number from 0 to 10, not '11'" },
    { "data.train.mosaic=true", "command line: data.train.mosaic is a section of keys" },
    { "data.train={input_size: [32, 32], scaled_decode: true, cache_mb: 9}",
      "command line:1: data.train.scaled_decode: not with cache_mb, which keeps whole images" },
    { "data.val.class_names=[person]", "command line: data.val.class_names must be the class_names at the top" },
    { "class_names=[a, b, c]", "a.yml:9: model.arch.head.num_classes is 2, but there are 3 class_names" },
    { "class_names=[a, a]", "command line: class_names: 'a' is listed twice" },
    { "class_names=[]", "command line: class_names: no class" },
    { "class_names=[a, [b]]", "command line: class_names must be a list of strings, not a list of 2 items" },
    { "class_names=a", "command line: class_names must be a list of strings, not 'a'" },
    { "class_names=[a", "command line:2: did not find expected ',' or ']'" },
    { "model.arch.name=NanoNet",
      "command line: model.arch.name must be NanoDetPlus or OneStageDetector, not 'NanoNet'" },
    { "model.arch.fpn=", "command line: model.arch.fpn.name must be given" },
    { "model.arch.aux_head.activation=ReLU", "command line: model.arch.aux_head.name must be given" },
    { "model.guide=aux", "command line: model.guide is aux, but there is no model.arch.aux_head" },
    { "model.guide=average", "command line: model.guide is average, but model.weight_averager.name is none" },
    { "model.guide=teacher", "command line: model.guide is teacher, but model.teacher.weights is not given" },
    { "model.distill.localization=1",
      "command line: model.distill needs a teacher, but model.teacher.weights is not given" },
    { "model.distill.temperature=0",
      "command line: model.distill.temperature must be a number from 0.1 to 100, not '0'" },
    { "save_dir=\"\"", "command line: save_dir must be a non-empty string, not ''" },
    { "=3", "command line: =3: not KEY=VALUE" },
    { "seed", "command line: seed: not KEY=VALUE" },
    { "a b=3", "command line: a b=3: not a dotted key" },
    { "test.a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.u.v.w.x.y.z.a.b.c.d.e.f.g=3",
      "command line: test.a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.u.v.w.x.y.z.a.b.c.d.e.f.g=3: nested "
      "deeper than 32, or more than 20000 entries" },
};

/* Exit 2 with that message. */
static void refuses(const char *yaml, const char *override, const char *message)
{
    struct config config = {0};
    struct error err = {0};
    const bool ok = parse(&config, yaml, override, &err);
    config_free(&config);
    if (ok || err.exit != 2 || strcmp(err.text, message) != 0)
        fail_msg("%s: %s", override ? override : yaml, ok ? "accepted" : err.text);
}

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        refuses(minimal, refused[i].override, refused[i].message);
}

/* Upstream's template has fewer class names than classes; `info` accepts it. */
static void test_network_only(void **state)
{
    struct config config = { .network_only = true };
    struct error err = {0};
    (void)state;
    if (!parse(&config, minimal, "class_names=[a, b, c]", &err))
        fail_msg("%s", err.text);
    config_free(&config);
}

static const struct { const char *yaml, *message; } broken[] = {
    { "", "a.yml: holds no keys" },
    { "- a\n", "a.yml: holds no keys" },
    { "a: 1\nb: 2\na: 3\n", "a.yml:3: a: given before, at line 1" },
    { "a: [1\nb: 2\n", "a.yml:2: did not find expected ',' or ']'" },
    { "a: b: c\n", "a.yml:1: mapping values are not allowed in this context" },
    { "a: *b\n", "a.yml:1: *b: no such anchor before it" },
    { "a: &b [*b]\n", "a.yml:1: *b: no such anchor before it" },
    { "[a]: 1\n", "a.yml:1: a key must be a string" },
    { "a: 1\n---\nb: 1\n", "a.yml:2: a second document" },
    { "a: \"\\0\"\n", "a.yml:1: a string contains a 0 byte" },
    { "save_dir: x\n", "a.yml: class_names must be given" },
    { "\n\nmodell: {a: 1}\n", "a.yml:3: modell.a: no such key; did you mean model.guide? "
      "nanodet check --keys lists all keys" },
    { "class_names: [a]\nschedule: {total_epochs: 1, optimizer: {name: SGD, lr: 1, weight_decay: 0}}\n"
      "data: {train: {input_size: [32, 32]}}\n"
      "model:\n  guide: self\n  arch:\n    name: GFL\n    backbone: {name: A}\n    fpn: {name: B}\n"
      "    head: {name: C}\n    aux_head: {name: D}\n",
      "a.yml:5: model.guide must be aux with model.arch.aux_head, which is trained only to guide: remove it or set it "
      "to null" },
    { "seed: 3\nmodel.arch.name: GFL\n",
      "a.yml:2: model.arch.name: keys nest by indentation; dots are for the command line" },
    { "a: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\n",
      "a.yml:1: nested deeper than 32" },
    { "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n"
      "c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\nd: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]\n"
      "e: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]\n", "a.yml:5: more than 20000 entries" },
};

static void test_broken(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
        refuses(broken[i].yaml, NULL, broken[i].message);
}

static void test_all_problems(void **state)
{
    static const char *const overrides[] = { "model.guide=me", "model.arch.aux_head={name: A, num_classes: 3}",
                                             "seed=x", "schedule.lr=1", "grad_clip=-1", "data.val.resize=big",
                                             "class_names=[a, b, b]", "data.train.input_size=3" };
    static const char *const expected[] = {
        "command line: schedule.lr: no such key; did you mean schedule.optimizer.lr?",
        "command line: seed must be a whole number from 0 to 2147483647, not 'x'",
        "command line: model.guide must be self, aux, average or teacher, not 'me'",
        "command line: grad_clip must be a number from 0 to 1e+30, not '-1'",
        "command line: data.train.input_size must be a list of 2 whole numbers from 16 to 8192, not '3'",
        "command line: data.val.input_size must be a list of 2 whole numbers from 16 to 8192, not '3'",
        "command line: data.val.resize must be stretch, keep or letterbox, not 'big'",
        "command line: class_names: 'b' is listed twice",
        "a.yml:9: model.arch.head.num_classes is 2, but there are 3 class_names" };
    struct string_list problems = {0};
    struct config config = { .problems = &problems };
    struct error err = {0};
    (void)state;
    if (!config_parse(&config, minimal, strlen(minimal), "a.yml", overrides, 8, &err))
        fail_msg("%s", err.text);
    assert_int_equal(problems.count, 9);
    for (int i = 0; i < 9; i++)
        assert_string_equal(problems.list[i], expected[i]);
    assert_int_equal(config.val.resize, RESIZE_KEEP);
    config_free(&config);
    string_list_free(&problems);
}

static void test_write(void **state)
{
    struct config a = {0}, b = {0};
    struct strbuf first = {0}, second = {0};
    struct error err = {0};
    struct string_list different = {0};
    (void)state;
    read_minimal(&a, "save_dir=\"~\\t\\\\ \\\"\\u2028\\x85\\xe9: #\"");
    config_write(&a, &first);
    assert_false(first.failed);
    if (!config_parse(&b, first.s, first.size, "b.yml", NULL, 0, &err))
        fail_msg("%s\n%s", err.text, first.s);
    config_write(&b, &second);
    assert_string_equal(first.s, second.s);
    assert_string_equal(a.save_dir, b.save_dir);
    assert_true(config_difference(&a, &b, &different, &err));
    assert_int_equal(different.count, 0);
    strbuf_free(&first);
    strbuf_free(&second);
    config_free(&a);
    config_free(&b);
}

/* Keys that differ from `minimal` after resolving; NULL: no relevant one. */
static const struct { const char *override, *names; } different[] = {
    { "save_dir=elsewhere", NULL },
    { "log.interval=1", NULL },
    { "device.gpu_ids=[0, 1]", NULL },
    { "device.workers_per_gpu=3", NULL },
    { "data.train.cache_mb=100", NULL },
    { "schedule.optimizer.lr=1e-3", NULL },
    { "schedule.resume=", NULL },
    { "model.arch.backbone.pretrain=x", NULL },
    { "schedule.optimizer.lr=1e-4", "schedule.optimizer.lr" },
    { "schedule.total_epochs=13", "schedule.lr_schedule.T_max" },
    { "seed=1", "seed" },
    { "data.train.input_size.0=416", "data.train.input_size data.val.input_size" },
    { "model.arch.backbone.model_size=1.5x", "model.arch.backbone.model_size" },
    { "model.arch.aux_head.name=SimpleConvHead", "model.arch.aux_head model.guide" },
    { "model.teacher.weights=x", "model.teacher.weights" },
    { "schedule.optimizer.param_level_cfg={\"head.gfl_cls\": {decay_mult: 0}, backbone: {lr_mult: 0.1}}",
      "schedule.optimizer.param_level_cfg" },
};

static void test_difference(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * sizeof different / sizeof *different; i++) {
        const bool swap = i & 1;
        struct config a = {0}, b = {0};
        struct string_list names = {0};
        struct error err = {0};
        struct strbuf joined = {0};
        read_minimal(&a, NULL);
        read_minimal(&b, different[i / 2].override);
        assert_true(config_difference(swap ? &b : &a, swap ? &a : &b, &names, &err));
        for (int j = 0; j < names.count; j++)
            strbuf_addf(&joined, "%s%s", j ? " " : "", names.list[j]);
        const char *want = different[i / 2].names;
        if (want ? !joined.s || strcmp(joined.s, want) != 0 : joined.s != NULL)
            fail_msg("%s: %s", different[i / 2].override, joined.s ? joined.s : "no difference");
        strbuf_free(&joined);
        string_list_free(&names);
        config_free(&a);
        config_free(&b);
    }
}

/* Every .yml below a folder is read; how many. */
static int read_all(const char *folder)
{
    struct string_list names = {0};
    struct error err = {0};
    int count = 0;
    if (!folder_list(&names, folder, &err))
        return 0;
    for (int i = 0; i < names.count; i++) {
        struct config config = {0};
        char *path = path_join(folder, names.list[i], &err);
        assert_non_null(path);
        if (folder_exists(path))
            count += read_all(path);
        else if (ends_with(names.list[i], ".yml")) {
            if (!config_read(&config, path, NULL, 0, &err))
                fail_msg("%s", err.text);
            config_free(&config);
            count++;
        }
        free(path);
    }
    string_list_free(&names);
    return count;
}

static void test_our_configs(void **state)
{
    (void)state;
    assert_true(read_all("configs") >= 8);
}

static void test_parity_configs(void **state)
{
    (void)state;
    if (!folder_exists("../shared/parity/models")) {
        print_message("test_parity_configs: skipped: no ../shared/parity/models\n");
        skip();
    }
    assert_true(read_all("../shared/parity/models") > 0);
}

static void test_manual(void **state)
{
    struct strbuf manual = {0};
    (void)state;
    write_config_manual(&manual);
    assert_non_null(strstr(manual.s, "schedule.total_epochs "));
    assert_non_null(strstr(manual.s, "a whole number from 1 to 1000000; must be given\n"));
    assert_non_null(strstr(manual.s, "SGD, Adam, AdamW or Muon; must be given\n"));
    assert_non_null(strstr(manual.s, "a list of 6 numbers from 0 to 255; preset: [[103.53"));
    strbuf_free(&manual);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values), cmocka_unit_test(test_presets), cmocka_unit_test(test_overrides),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_broken), cmocka_unit_test(test_all_problems),
        cmocka_unit_test(test_network_only), cmocka_unit_test(test_write), cmocka_unit_test(test_difference),
        cmocka_unit_test(test_our_configs), cmocka_unit_test(test_parity_configs), cmocka_unit_test(test_manual) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
