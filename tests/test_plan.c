/* tests/test_plan.c -- the values that `init` chooses: none of them needs advice, whatever the number of images. */
#include "train/advice.h"
#include "train/plan.h"
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const uint64_t memory = 8ull << 30;

static const struct set_facts photographs = { .images = 205, .val_images = 87, .width = 640, .height = 480,
                                              .object = 0.15, .megabytes = 180, .val_megabytes = 77, .jpegs = 1 };

/* The text of a plan, read as a configuration. */
static void read_plan(const struct plan *plan, const char *weights, struct config *config)
{
    char path[] = "some: folder/\xc3\xa4", *classes[] = { (char *)(uintptr_t)"a: b", (char *)(uintptr_t)"null" };
    const struct discovery found = { .format = DATASET_YOLO, .train = { path, path, NULL }, .val = { path, path, path },
                                     .classes = { classes, 2, 2 } };
    const struct found_model model = { zoo[0].name, (char *)(uintptr_t)zoo[0].yaml, zoo[0].resize };
    const struct plan_text text = { &found, &model, weights, "folder\nname: x", "workspace/x", true };
    struct strbuf yaml = {0};
    struct error err = {0};
    *config = (struct config){0};
    plan_write(plan, &text, &yaml);
    if (!strbuf_check(&yaml, &err) || !config_parse(config, yaml.s, yaml.size, "plan.yml", NULL, 0, &err))
        fail_msg("%s in\n%s", err.text, yaml.s);
    assert_string_equal(config->class_names.at[0], classes[0]);
    assert_string_equal(config->class_names.at[1], classes[1]);
    assert_string_equal(config->train.img_path, path);
    assert_string_equal(config->schedule.load_model, weights ? weights : "");
    strbuf_free(&yaml);
}

static void test_no_plan_needs_advice(void **state)
{
    (void)state;
    for (int images = 1; images < 400; images++) {
        struct set_facts facts = photographs;
        struct string_list warnings = {0};
        struct config config;
        struct plan plan;
        struct error err = {0};
        facts.images = images;
        plan_choose(&plan, &facts, images % 2, memory, INT_MAX);
        read_plan(&plan, images % 2 ? "w.ckpt" : NULL, &config);
        assert_true(config_advice(&config, images, &warnings, &err));
        if (warnings.count)
            fail_msg("%d images: %s", images, warnings.list[0]);
        string_list_free(&warnings);
        config_free(&config);
    }
}

static void test_choices(void **state)
{
    struct set_facts facts = photographs;
    struct plan p;
    (void)state;
    plan_choose(&p, &facts, true, memory, INT_MAX);
    assert_int_equal(p.input[0], 384);                  /* 4 : 3, about 320 x 320 */
    assert_int_equal(p.input[1], 288);
    assert_int_equal(p.batch, 16);
    assert_int_equal(p.epochs, 40);
    assert_int_equal(p.cache_mb, 181);
    assert_false(p.small || p.crops);
    plan_choose(&p, &facts, true, memory, 7);
    assert_in_range(p.batch, 4, 7);
    plan_choose(&p, &facts, false, 100 << 20, INT_MAX); /* no room for a cache */
    assert_int_equal(p.cache_mb, 0);
    assert_int_equal(p.epochs, 200);
    facts = (struct set_facts){ .images = 6471, .val_images = 548, .width = 1360, .height = 765, .object = 0.015,
                                .megabytes = 19000, .val_megabytes = 1600, .jpegs = 1 };
    plan_choose(&p, &facts, true, memory, INT_MAX);     /* VisDrone */
    assert_true(p.crops && p.scaled_decode);
    assert_int_equal(p.epochs, 30);
    assert_true(p.val_input[0] > p.input[0] && p.val_input[0] <= 1376);
    facts.width = facts.height = 96;                    /* a larger input shows no more */
    facts.object = 0.1;
    plan_choose(&p, &facts, true, memory, INT_MAX);
    assert_int_equal(p.input[0], 128);
    assert_false(p.crops);
}

static void test_a_night(void **state)
{
    struct plan p;
    (void)state;
    plan_choose(&p, &photographs, true, memory, INT_MAX);
    plan_limit_time(&p, 0.1);
    assert_int_equal(p.epochs, 40);
    assert_false(p.night);
    plan_limit_time(&p, 28800.0 / 205 / 20);            /* 20 epochs in eight hours */
    assert_true(p.night);
    assert_in_range(p.epochs, 19, 20);
    plan_limit_time(&p, 1e6);
    assert_int_equal(p.epochs, 10);                     /* fewer would learn too little */
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_no_plan_needs_advice), cmocka_unit_test(test_choices),
                                       cmocka_unit_test(test_a_night) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
