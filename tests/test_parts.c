/* tests/test_parts.c -- necks and heads, each in a small detector: it learns, gives equal values for any number of
 * threads, keeps levels separate, and names invalid parts. */
#include "kernel/kernels.h"
#include "model/criterion.h"
#include "policy.h"
#include "small_model.h"
#include "train/train_step.h"
#include "weights/fold.h"
#include <stdio.h>

#define PAN  "{name: PAN, in_channels: [48, 96, 192], out_channels: 16, start_level: 0, num_outs: 3}"
#define FPN  "{name: FPN, in_channels: [48, 96, 192], out_channels: 16, start_level: 0, num_outs: 3}"
#define TAN  "{name: TAN, in_channels: [48, 96, 192], out_channels: 16, feature_hw: [4, 6], num_heads: 4, " \
             "num_encoders: 2, mlp_ratio: 2, dropout_ratio: 0.3, activation: GELU}"
#define ONE  "{name: NanoDetHead, num_classes: 3, input_channel: 16, feat_channels: 16, share_cls_reg: true, reg_max: 7"
#define GFL  "{name: GFLHead, num_classes: 3, input_channel: 16, feat_channels: 16, stacked_convs: 2, reg_max: 7"
#define PLUS "{name: NanoDetPlusHead, num_classes: 3, input_channel: 16, feat_channels: 16"

static const struct detector_case { const char *name, *fpn, *head; } cases[] = {
    { "FPN, group norm", FPN, ONE ", norm_cfg: {type: GN, num_groups: 4}}" },
    { "FPN, two levels", "{name: FPN, in_channels: [48, 96, 192], out_channels: 16, start_level: 1, num_outs: 2, "
      "norm_cfg: {type: BN}, activation: SiLU}", ONE ", strides: [16, 32]}" },
    { "PAN, dense", PAN, ONE ", conv_type: Conv, stacked_convs: 1}" },
    { "PAN, apart", PAN, "{name: NanoDetHead, num_classes: 3, input_channel: 16, feat_channels: 16}" },
    { "GFL, group norm", PAN, GFL ", norm_cfg: {type: GN, num_groups: 8}}" },
    { "GFL, batch norm", PAN, GFL ", norm_cfg: {type: BN}}" },
    { "GFL, no norm", PAN, GFL ", norm_cfg: null}" },
    { "TAN", TAN, ONE "}" },
    { "Plus, alone", PAN, PLUS "}" },
    { "Plus, distances", PAN, PLUS ", assigner_cfg: {dis_alpha: 2}}" },
    { "Plus, Wasserstein distances", PAN, PLUS ", assigner_cfg: {nwd: 0.5, nwd_scale: 8}}" },
    {0} };

static bool parse(struct fixture *f, const char *fpn, const char *head, struct error *err)
{
    char text[1600];
    snprintf(text, sizeof text,
             "model:\n"
             "  arch:\n"
             "    name: OneStageDetector\n"
             "    backbone: {name: ShuffleNetV2, model_size: 0.5x, out_stages: [2, 3, 4], activation: SiLU}\n"
             "    fpn: %s\n"
             "    head: %s\n"
             "data: {train: {input_size: [96, 64]}}\n"
             "schedule:\n"
             "  optimizer: {name: SGD, lr: 0.01, momentum: 0.9, weight_decay: 0.0001}\n"
             "  total_epochs: 2\n"
             "grad_clip: 35\n"
             "class_names: [a, b, c]\n", fpn, head);
    *f = (struct fixture){0};
    return config_parse(&f->config, text, strlen(text), "part.yml", NULL, 0, err)
        && model_open(&f->model, &f->config, err);
}

static void open_parts(struct fixture *f, const char *fpn, const char *head)
{
    struct error err = {0};
    if (!parse(f, fpn, head, &err))
        fail_msg("%s", err.text);
    model_start(&f->model);
}

/* ---- one batch, a few steps ---- */

enum { STEPS = 10, HEIGHT = 64, WIDTH = 96 };

static float image[2 * HEIGHT * WIDTH * 3];

static struct input_batch batch(void)
{
    static const float boxes[2][4] = { { 8, 5, 60, 58 }, { 40, 20, 90, 61 } };
    static const int labels[2] = { 2, 0 };
    static const struct ground_truth truth[2] = { { .objects = 2, .box = boxes, .label = labels }, {0} };
    fill(image, 2 * HEIGHT * WIDTH * 3, 1, 9);
    return (struct input_batch){ image, 2, HEIGHT, WIDTH, truth };
}

static struct cached_graph *step(struct train_step *l, double *loss)
{
    const struct input_batch in = batch();
    struct losses losses;
    struct cached_graph *cached;
    struct error err = {0};
    double norm;
    optimizer_rate(&l->optimizer);
    if (!train_step_forward(l, &in, 0, &losses, &cached, &err))
        fail_msg("%s", err.text);
    graph_backward(&cached->graph, false);
    if (!train_step_update(l, &norm, &err))
        fail_msg("%s", err.text);
    *loss = losses_total(&losses);
    return cached;
}

static void train(const struct detector_case *row, int threads, double loss[STEPS])
{
    struct fixture f;
    struct train_step l;
    struct error err = {0};
    open_parts(&f, row->fpn, row->head);
    if (!train_step_init(&l, &f.model, policy_under_test(threads), &err))
        fail_msg("%s: %s", row->name, err.text);
    for (int i = 0; i < STEPS; i++)
        step(&l, &loss[i]);
    train_step_free(&l);
    close_model(&f);
}

static void test_learns(void **state)
{
    (void)state;
    for (const struct detector_case *row = cases; row->name; row++) {
        double one[STEPS], three[STEPS];
        train(row, 1, one);
        train(row, 3, three);
        for (int i = 0; i < STEPS; i++)
            if (one[i] != three[i])
                fail_msg("%s: step %d has loss %.9g with one thread, %.9g with three", row->name, i, one[i], three[i]);
        /* The loss of NanoDet-Plus rises first: it weights boxes by probabilities and divides by at least 1. */
        if (!(one[0] > 0 && (one[STEPS - 1] < one[0] || strstr(row->head, "Plus"))))
            fail_msg("%s: the loss went from %g to %g", row->name, one[0], one[STEPS - 1]);
    }
}

/* ---- values of a graph ---- */

struct numbers { float *p; ptrdiff_t count; struct prior_grid grid; };

static struct numbers outputs(struct fixture *f, bool training, uint64_t key)
{
    const struct graph_options options = { .n = 2, .h = HEIGHT, .w = WIDTH, .training = training };
    const struct team team = { 1 };
    struct error err = {0};
    float *gradients = calloc((size_t)f->model.params.trained, sizeof *gradients);
    const struct binding to = { .params = &f->model.params, .values = f->model.params.value,
                                .buffers = f->model.params.value, .gradients = gradients, .team = &team,
                                .kernels = kernels_under_test() };
    struct graph g = {0};
    struct numbers y;
    if (!model_graph(&f->model, &options, &g, &err) || !graph_bind(&g, &to, &err)
        || !criterion_grid(&f->model, 2, HEIGHT, WIDTH, &y.grid, &err))
        fail_msg("%s", err.text);
    memcpy(graph_view(&g, MODEL_INPUT).p, batch().pixel, sizeof image);
    graph_forward(&g, key);
    const struct view v = graph_view(&g, graph_output_named(&g, "main"));
    y.count = pixels(v) * v.c;
    y.p = malloc((size_t)y.count * sizeof *y.p);
    memcpy(y.p, v.p, (size_t)y.count * sizeof *y.p);
    graph_free(&g);
    free(gradients);
    return y;
}

/* Only one branch of the head reads the finest level of an FPN, so training must not mix it into the others. */
static void test_levels_are_separate(void **state)
{
    (void)state;
    for (const struct detector_case *row = cases; row->name; row++) {
        struct fixture f;
        if (strstr(row->name, "two"))
            continue;
        open_parts(&f, FPN, row->head);
        const struct numbers before = outputs(&f, true, 0);
        *param(&f, "fpn.lateral_convs.0.conv.weight") += 1;
        const struct numbers after = outputs(&f, true, 0);
        const ptrdiff_t finest = before.count / prior_count(&before.grid) * before.grid.first[1];
        assert_true(distance(after.p, before.p, finest, 0) > 0);
        if (memcmp(after.p + finest, before.p + finest, (size_t)(before.count - finest) * sizeof *after.p) != 0)
            fail_msg("%s: the finest level changes others", row->name);
        free(before.p);
        free(after.p);
        close_model(&f);
    }
}

static void test_dropout(void **state)
{
    static const bool training[] = { true, true, true, false, false };
    static const uint64_t keys[] = { 1, 1, 2, 1, 2 };
    struct numbers y[5];
    struct fixture f;
    (void)state;
    open_parts(&f, TAN, ONE "}");
    for (int i = 0; i < 5; i++)
        y[i] = outputs(&f, training[i], keys[i]);
    assert_true(distance(y[0].p, y[1].p, y[0].count, 0) == 0 && distance(y[0].p, y[2].p, y[0].count, 0) > 1e-3);
    assert_true(distance(y[3].p, y[4].p, y[3].count, 0) == 0);
    for (int i = 0; i < 5; i++)
        free(y[i].p);
    close_model(&f);
}

/* Cells have their prior at the centre, in NanoDet-Plus at the corner. */
static void test_priors(void **state)
{
    static const struct { const char *head; double first; } rows[] = {
        { ONE "}", 4 }, { GFL ", norm_cfg: {type: BN}}", 4 }, { PLUS "}", 0 } };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture f;
        struct prior_grid grid;
        struct loss_config loss;
        open_parts(&f, PAN, rows[i].head);
        assert_true(criterion_grid(&f.model, 1, 64, 96, &grid, NULL) && criterion_read(&f.model, &loss, NULL));
        assert_true(prior_at(&grid, 0).x == rows[i].first && prior_at(&grid, 0).stride == 8);
        assert_int_equal(loss.family, rows[i].first > 0 ? LOSS_GFL : LOSS_PLUS);
        close_model(&f);
    }
}

/* Each box loss can be selected by name, and gives a loss of its own. */
static void test_box_losses(void **state)
{
    double loss[16] = {0};
    int count = 0;
    (void)state;
    for (const struct box_loss *row = box_losses; row->name; row++) {
        char head[400];
        struct fixture f;
        struct train_step l;
        struct error err = {0};
        snprintf(head, sizeof head, PLUS ", loss: {loss_bbox: {name: %s}}}", row->name);
        open_parts(&f, PAN, head);
        if (!train_step_init(&l, &f.model, policy_under_test(1), &err))
            fail_msg("%s: %s", row->name, err.text);
        assert_int_equal(l.criterion.box_loss, row - box_losses);
        step(&l, &loss[count]);
        assert_true(isfinite(loss[count]));
        for (int i = 0; i < count; i++)
            assert_true(loss[i] != loss[count]);
        count++;
        train_step_free(&l);
        close_model(&f);
    }
}

/* ---- parameters ---- */

static void test_unused(void **state)
{
    struct fixture f;
    struct inference needs = {0};
    struct error err = {0};
    (void)state;
    open_parts(&f, TAN, ONE "}");
    assert_true(inference_of(&needs, &f.model, &err));
    const char *const unused[] = { "head.gfl_reg.0.weight", "head.gfl_reg.2.bias", "fpn.transformer.linear.weight" };
    for (int i = 0; i < 3; i++) {
        const int p = params_find(&f.model.params, unused[i]);
        assert_true(p >= 0 && !f.model.params.list[p].used && !needs.needed[p]);
    }
    const int position = params_find(&f.model.params, "fpn.pos_embed");
    size_t dims[4];
    assert_int_equal(param_dims(&f.model.params.list[position], dims), 3);
    assert_true(dims[0] == 24 && dims[1] == 1 && dims[2] == 16);
    inference_free(&needs);
    close_model(&f);
}

static void test_names(void **state)
{
    static const struct { const char *fpn, *head, *has, *lacks; } rows[] = {
        { PAN, ONE ", norm_cfg: {type: GN, num_groups: 4}}", "head.cls_convs.1.0.dwnorm.weight",
          "head.cls_convs.1.0.dwnorm.running_mean" },
        { PAN, ONE ", conv_type: Conv, norm_cfg: {type: GN, num_groups: 4}}", "head.cls_convs.1.0.gn.weight",
          "head.cls_convs.1.0.bn.weight" },
        { PAN, ONE ", norm_cfg: null}", "head.cls_convs.1.0.pointwise.bias", "head.cls_convs.1.0.pwnorm.weight" },
        { PAN, ONE ", norm_cfg: }", "head.cls_convs.1.0.pointwise.bias", "head.cls_convs.1.0.pwnorm.weight" },
        { PAN, "{name: NanoDetHead, num_classes: 3, input_channel: 16}", "head.reg_convs.0.1.dwnorm.running_var",
          "head.cls_convs.0.2.dwnorm.weight" },
        { PAN, GFL ", norm_cfg: {type: GN, num_groups: 8}}", "head.scales.2.scale", "head.gfl_cls.0.weight" },
        { PAN, ONE "}", "fpn.lateral_convs.2.conv.bias", "fpn.lateral_convs.2.bn.weight" },
        { TAN, ONE "}", "fpn.transformer.encoders.1.attn.in_proj_bias", "fpn.transformer.encoders.2.norm1.weight" } };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture f;
        open_parts(&f, rows[i].fpn, rows[i].head);
        if (params_find(&f.model.params, rows[i].has) < 0 || params_find(&f.model.params, rows[i].lacks) >= 0)
            fail_msg("row %zu: %s is not there, or %s is", i, rows[i].has, rows[i].lacks);
        close_model(&f);
    }
}

/* ---- errors ---- */

static void test_refusals(void **state)
{
    static const struct { const char *fpn, *head, *say[2]; } rows[] = {
        { "{name: PAN, in_channels: [48, 96], out_channels: 16, num_outs: 3}", ONE "}", { "fpn", "in_channels" } },
        { "{name: PAN, in_channels: [48, 96, 192], out_channels: 16, num_outs: 4}", ONE "}", { "fpn", "num_outs" } },
        { "{name: FPN, in_channels: [48, 96, 192], out_channels: 16, num_outs: 3, end_level: 4}", ONE "}",
          { "fpn", "end_level" } },
        { "{name: FPN, in_channels: [48, 96, 192], out_channels: 16, num_outs: 3, start_level: 3}", ONE "}",
          { "fpn", "start_level" } },
        { "{name: TAN, in_channels: [48, 96, 192], out_channels: 16, feature_hw: [4, 5], num_heads: 4, num_encoders: 1,"
          " mlp_ratio: 2, dropout_ratio: 0}", ONE "}", { "fpn.transformer.pos_embed", "20 positions" } },
        { "{name: TAN, in_channels: [48, 96, 192], out_channels: 16, feature_hw: [4, 6], num_heads: 5, num_encoders: 1,"
          " mlp_ratio: 2, dropout_ratio: 0}", ONE "}", { "attn", "5 heads" } },
        { PAN, "{name: NanoDetHead, num_classes: 3, input_channel: 24}", { "head", "input_channel" } },
        { PAN, GFL "}", { "head.cls_convs.0.gn", "32 groups" } },
        { PAN, ONE ", assigner_cfg: {topk: 9}}", { "model.arch.head.assigner_cfg", "no such key" } },
        { PAN, ONE "}\n    aux_head: {name: SimpleConvHead, num_classes: 3, input_channel: 32}",
          { "model.arch.aux_head", "NanoDetHead" } } };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture f;
        struct error err = {0};
        if (parse(&f, rows[i].fpn, rows[i].head, &err) || err.exit != 2 || !strstr(err.text, rows[i].say[0])
            || !strstr(err.text, rows[i].say[1]))
            fail_msg("row %zu: '%s'", i, err.text);
        close_model(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_learns),
        cmocka_unit_test(test_levels_are_separate),
        cmocka_unit_test(test_dropout),
        cmocka_unit_test(test_priors), cmocka_unit_test(test_box_losses),
        cmocka_unit_test(test_unused),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
