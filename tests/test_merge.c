/* tests/test_merge.c -- a detector merges parallel branches into one convolution and gives the same detections. */
#include "kernel/kernels.h"
#include "policy.h"
#include "runtime/detector.h"
#include "small_model.h"
#include "trained.h"

enum { H = 64, W = 128, IMAGES = 3 };           /* two at once, and one that both threads share */

static const struct merging { const char *config, *conv_type; int merges; } cases[] = {
    { "configs/nanodet-RepVGG-A0_416.yml", "model.arch.head.conv_type=DWConv", 22 },    /* a block each */
    { "configs/enhanced-nanodet-s_320.yml", "model.arch.head.conv_type=RepDWConv",
      4 * 2 * 2 },                                              /* levels, layers, depth and point */
    { "configs/enhanced-nanodet-s_320.yml", "model.arch.head.conv_type=DWConv", 0 },
    {0} };

static void open_file(struct fixture *f, const struct merging *c, struct error *err)
{
    const char *const overrides[] = { "data.train.input_size=[128, 64]", "data.val.input_size=[128, 64]",
                                      c->conv_type };
    *f = (struct fixture){0};
    if (!config_read(&f->config, c->config, overrides, 3, err) || !model_open(&f->model, &f->config, err))
        fail_msg("%s", err->text);
    model_start(&f->model);
}

static int with_name(const struct params *params, const char *part)
{
    int count = 0;
    for (int i = 0; i < params->count; i++)
        count += strstr(params->list[i].name, part) != NULL;
    return count;
}

/* The output of a graph for all images, and the largest difference of a detector, which takes one image at a time. */
struct comparison { struct view want; double off[IMAGES]; };

static void compare(void *context, int image, const float *rows)
{
    struct comparison *c = context;
    for (int l = 0; l < level_count(c->want.lv); l++) {
        const struct view level = level_view(c->want, l);
        const ptrdiff_t count = (ptrdiff_t)level.h * level.w * level.c;
        c->off[image] = fmax(c->off[image], distance(rows, level.p + image * count, count, 0));
        rows += count;
    }
}

/* A detector may use other values than the model's own, such as averages. */
static void check(const struct merging *c)
{
    struct fixture f;
    struct detector d = {0};
    struct graph g = {0};
    struct error err = {0};
    static float pixel[IMAGES * H * W * 3];
    const struct graph_options options = { .n = IMAGES, .h = H, .w = W, .policy = policy_under_test(1) };
    const struct team team = { 2 };
    open_file(&f, c, &err);
    struct params *params = &f.model.params;
    const struct binding to = { .params = params, .values = params->value, .buffers = params->value, .team = &team,
                                .kernels = options.policy->kernels };
    fill(pixel, IMAGES * H * W * 3, 1, 5);
    shake(params, seed());
    if (!settle(&f.model, options, &to, NULL, seed(), &err) || !model_graph(&f.model, &options, &g, &err)
        || !graph_bind(&g, &to, &err))
        fail_msg("%s: %s", c->config, err.text);
    memcpy(graph_view(&g, MODEL_INPUT).p, pixel, sizeof pixel);
    graph_forward(&g, 0);
    struct comparison all = { .want = graph_view(&g, graph_output_named(&g, "main")) };

    real *average = memcpy(malloc((size_t)params->total * sizeof *average), params->value,
                           (size_t)params->total * sizeof *average);
    memset(params->value, 0, (size_t)params->total * sizeof *average);
    if (!detector_init(&d, &f.model, average, policy_under_test(2), &err))
        fail_msg("%s: %s", c->config, err.text);
    if (!detector_forward_each(&d, pixel, IMAGES, H, W, compare, &all, &err))
        fail_msg("%s: %s", c->config, err.text);
    for (int i = 0; i < IMAGES; i++)
        if (c->merges ? !(all.off[i] > 0 && all.off[i] < 1e-4) : all.off[i] != 0)
            fail_msg("%s: outputs of image %d are %g off", c->config, i, all.off[i]);
    assert_int_equal(with_name(&d.cache.model->params, "rbr_reparam.weight"), c->merges);
    assert_int_equal(with_name(&d.cache.model->params, "rbr_1x1"), 0);
    free(average);
    detector_free(&d);
    graph_free(&g);
    close_model(&f);
}

static void test_detectors_merge_branches(void **state)
{
    (void)state;
    for (const struct merging *c = cases; c->config; c++)
        check(c);
}

/* Branches with group norms are not merged, since these norms depend on the image. */
static void test_other_branches_are_unchanged(void **state)
{
    static const char groups[] =
        "model.arch.head={name: NanoDetPlusHead, num_classes: 3, input_channel: 32, feat_channels: 32, "
        "conv_type: RepDWConv, strides: [8, 16, 32, 64], reg_max: 7, norm_cfg: {type: GN, num_groups: 4}}";
    struct fixture f;
    struct detector d = {0};
    struct error err = {0};
    (void)state;
    open_model(&f, groups);
    assert_false(f.model.branches);
    assert_true(detector_init(&d, &f.model, f.model.params.value, policy_under_test(1), &err));
    assert_ptr_equal(d.cache.model, &f.model);
    detector_free(&d);
    close_model(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_detectors_merge_branches),
        cmocka_unit_test(test_other_branches_are_unchanged) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
