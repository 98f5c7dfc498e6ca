/* tests/test_model.c -- a small NanoDet-Plus with its auxiliary branch: equal values for every memory plan, fusion,
 * number of threads and algorithm; frozen and detached parts; errors that name the layer. */
#include "model_run.h"
#include "tables.h"

/* ---- equal values ---- */

static void check_all(const struct variant *first, const struct variant *others, double tolerance)
{
    struct fixture f;
    int failed = 0;
    open_model(&f, NULL);
    struct result want = run(&f, first);
    for (const struct variant *v = others; v->name; v++)
        failed += !compare(&f, v, &want, tolerance, tolerance);
    free_result(&want);
    close_model(&f);
    assert_int_equal(failed, 0);
}

#define TRAINING .options.training = true
static const struct variant training = { .name = "training", TRAINING }, evaluation = { .name = "evaluation" };

static void test_same_bits(void **state)
{
    static const struct variant others[] = {
        { .name = "again", TRAINING },
        { .name = "separate", TRAINING, .options.separate = true },
        { .name = "2 threads", TRAINING, .threads = 2 },
        { .name = "3 threads", TRAINING, .threads = 3 },
        { .name = "3 threads, separate", TRAINING, .threads = 3, .options.separate = true }, {0} };
    static const struct variant evaluated[] = {
        { .name = "evaluation, separate", .options.separate = true },
        { .name = "evaluation, 3 threads", .threads = 3 }, {0} };
    (void)state;
    check_all(&training, others, 0);
    check_all(&evaluation, evaluated, 0);
}

static void test_deferred_or_not(void **state)
{
    static const struct variant unfused[] = { { .name = "unfused", TRAINING, .options.unfused = true }, {0} };
    static const struct variant evaluated[] = { { .name = "evaluation, unfused", .options.unfused = true }, {0} };
    (void)state;
    check_all(&training, unfused, 1e-6);
    check_all(&evaluation, evaluated, 1e-6);
}

static void test_winograd_or_direct(void **state)
{
    static const struct variant direct[] = { { .name = "direct", TRAINING, .direct = true }, {0} };
    (void)state;
    check_all(&training, direct, 1e-4);
}

static void test_against_plain_table(void **state)
{
    static const struct variant plain = { .name = "plain", TRAINING, .plain = true },
                                table[] = { { .name = "table under test", TRAINING }, {0} };
    (void)state;
    if (plain_is_under_test())
        skip();
    check_all(&plain, table, 2e-4);             /* a batch norm over few pixels magnifies rounding */
}

/* A plan is never smaller than its bound, and much smaller than without shared memory. */
static void test_plan(void **state)
{
    struct fixture f;
    struct graph g = {0};
    struct error err = {0};
    size_t sum = 0;
    (void)state;
    open_model(&f, NULL);
    const struct graph_options options = { .n = 2, .h = 64, .w = 96, .training = true };
    assert_true(model_graph(&f.model, &options, &g, &err));
    for (int i = 0; i < g.item_count; i++)
        sum += g.items[i].size;
    assert_true(g.bound <= g.block_size && g.block_size <= g.bound + g.bound / 10 && g.block_size < sum / 2);
    graph_free(&g);
    close_model(&f);
}

/* ---- detached, frozen ---- */

static void test_detached(void **state)
{
    static const char *const trunk[] = { "backbone.", "fpn.", "head." }, *const aside[] = { "aux_fpn.", "aux_head." };
    static const struct variant variants[] = {
        { .name = "detached", TRAINING, .options.detached = true },
        { .name = "detached, quiet", TRAINING, .options.detached = true, .quiet_aux = true },
        { .name = "quiet", TRAINING, .quiet_aux = true } };
    struct fixture f;
    struct result attached, r[3];
    const char *where;
    (void)state;
    open_model(&f, NULL);
    attached = run(&f, &training);
    for (int i = 0; i < 3; i++) {
        r[i] = run(&f, &variants[i]);
        for (int o = 0; o < OUTPUTS; o++)
            assert_true(distance(r[i].output[o], attached.output[o], attached.count[o], 0) == 0);
    }
    const struct params *p = &f.model.params;
    const float *const g[] = { r[0].gradient, r[1].gradient, r[2].gradient, attached.gradient };
    for (int i = 0; i < 3; i++) {               /* what the main head alone gives, in three ways */
        assert_true(gradient_distance(p, g[0], g[1], trunk[i], &where) == 0);
        assert_true(gradient_distance(p, g[0], g[2], trunk[i], &where) < 1e-4);
        assert_true(i == 2 || gradient_distance(p, g[0], g[3], trunk[i], &where) > 0.01);
    }
    for (int i = 0; i < 2; i++) {               /* what the auxiliary head gives to its own */
        assert_true(gradient_distance(p, g[0], g[3], aside[i], &where) < 1e-4);
        assert_true(gradient_distance(p, g[1], g[3], aside[i], &where) > 0.01);
    }
    for (int i = 0; i < 3; i++)
        free_result(&r[i]);
    free_result(&attached);
    close_model(&f);
}

/* A frozen normalisation uses its running statistics in training, others do not. */
static void test_frozen_statistics(void **state)
{
    static const struct { const char *name; bool counts; } means[] = {
        { "backbone.conv1.1.running_mean", true }, { "backbone.stage2.0.branch1.1.running_mean", true },
        { "backbone.stage3.0.branch1.1.running_mean", false } };
    struct fixture f;
    (void)state;
    open_model(&f, "model.freeze=[backbone.conv1, backbone.stage2.]");
    struct result before = run(&f, &training);
    for (size_t i = 0; i < sizeof means / sizeof *means; i++) {
        *param(&f, means[i].name) += 1;
        struct result after = run(&f, &training);
        assert_int_equal(distance(after.output[0], before.output[0], before.count[0], 0) > 0, means[i].counts);
        free_result(&after);
        *param(&f, means[i].name) -= 1;
    }
    free_result(&before);
    close_model(&f);
}

/* ---- errors ---- */

static void test_refusals(void **state)
{
    static const struct { const char *override, *say[2]; } cases[] = {
        { "model.arch.backbone.model_size=0.7x", { "backbone", "0.7x" } },
        { "model.arch.backbone.name=ShufleNetV2", { "model.arch.backbone.name", "ShuffleNetV2" } },
        { "model.arch.backbone.out_stages=[2, 3]", { "fpn", "in_channels" } },
        { "model.arch.fpn.in_channels=[48, 96, 190]", { "fpn", "192 channels" } },
        { "model.arch.head.strides=[8, 16, 32]", { "head", "strides" } },
        { "model.arch.head.strides=[8, 16, 32, 48]", { "stride", "" } },
        { "model.arch.aux_head.num_classes=4", { "model.arch.aux_head", "num_classes" } },
        { "model.arch.aux_head.norm_cfg.num_groups=5", { "aux_head.cls_convs.0.gn", "5" } },
        { "model.freeze=[backbon.]", { "model.freeze", "backbon." } },
        { "model.arch.head.feat_chanels=3", { "model.arch.head.feat_chanels", "feat_channels" } } };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture f = {0};
        struct error err = {0};
        const bool ok = config_parse(&f.config, small_model, strlen(small_model), "small.yml", &cases[i].override, 1,
                                     &err) && model_open(&f.model, &f.config, &err);
        if (ok || err.exit != 2 || !strstr(err.text, cases[i].say[0]) || !strstr(err.text, cases[i].say[1]))
            fail_msg("%s: '%s'", cases[i].override, err.text);
        close_model(&f);
    }
}

/* The names of the one layer that is made within a stage but not within a unit. */
static void test_last_convolution(void **state)
{
    static const char *const overrides[] = {
        "model.arch.backbone.with_last_conv=true", "model.arch.fpn.in_channels=[48, 96, 1024]" };
    struct fixture f = {0};
    struct error err = {0};
    (void)state;
    if (!config_parse(&f.config, small_model, strlen(small_model), "small.yml", overrides, 2, &err)
        || !model_open(&f.model, &f.config, &err))
        fail_msg("%s", err.text);
    param(&f, "backbone.stage4.conv5.0.weight");
    param(&f, "backbone.stage4.conv5.1.running_var");
    close_model(&f);
}

static void test_sizes_refused(void **state)
{
    static const struct { int h, w; const char *say; } cases[] = {
        { 64, 80, "fpn.concat" }, { 33, 64, "fpn.concat" }, { 16, 16, "fpn.concat" }, { 0, 64, "1 x 0 x 64" },
        { -32, 64, "-32" }, { 1 << 30, 1 << 30, "too large" } };
    struct fixture f;
    (void)state;
    open_model(&f, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct graph g = {0};
        struct error err = {0};
        const struct graph_options options = { .n = 1, .h = cases[i].h, .w = cases[i].w, .training = true };
        if (model_graph(&f.model, &options, &g, &err) || err.exit != 2 || g.nodes || !strstr(err.text, cases[i].say))
            fail_msg("%d x %d: %s", options.h, options.w, err.text);
    }
    close_model(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_bits),
        cmocka_unit_test(test_deferred_or_not),
        cmocka_unit_test(test_winograd_or_direct),
        cmocka_unit_test(test_against_plain_table),
        cmocka_unit_test(test_plan),
        cmocka_unit_test(test_detached),
        cmocka_unit_test(test_frozen_statistics),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_last_convolution),
        cmocka_unit_test(test_sizes_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
