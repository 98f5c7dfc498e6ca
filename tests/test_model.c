/* tests/test_model.c -- a small NanoDet-Plus with its auxiliary branch, whole: however its graph is planned, fused,
 * cut into threads or computed, it gives the same numbers; what is frozen or detached stays out; learners may change
 * the size of their batches; what does not fit is refused by name.  Its activation has no kink, where rounding would
 * decide. */
#include "base/random.h"
#include "kernel/kernels.h"
#include "train/learner.h"
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const text =
    "model:\n"
    "  weight_averager: {name: ExpMovingAverager, decay: 0.9998}\n"
    "  arch:\n"
    "    name: NanoDetPlus\n"
    "    detach_epoch: 1\n"
    "    backbone: {name: ShuffleNetV2, model_size: 0.5x, out_stages: [2, 3, 4], activation: SiLU}\n"
    "    fpn: {name: GhostPAN, in_channels: [48, 96, 192], out_channels: 32, kernel_size: 5, num_extra_level: 1,\n"
    "          use_depthwise: true, activation: SiLU}\n"
    "    head: {name: NanoDetPlusHead, num_classes: 3, input_channel: 32, feat_channels: 32, stacked_convs: 2,\n"
    "           kernel_size: 5, strides: [8, 16, 32, 64], activation: SiLU, reg_max: 7, norm_cfg: {type: BN}}\n"
    "    aux_head: {name: SimpleConvHead, num_classes: 3, input_channel: 64, feat_channels: 32, stacked_convs: 2,\n"
    "               strides: [8, 16, 32, 64], activation: SiLU, reg_max: 7, norm_cfg: {type: GN, num_groups: 8}}\n"
    "data: {train: {input_size: [96, 64]}}\n"
    "schedule:\n"
    "  optimizer: {name: AdamW, lr: 0.001, weight_decay: 0.05}\n"
    "  total_epochs: 2\n"
    "grad_clip: 35\n"
    "class_names: [a, b, c]\n";

static uint64_t seed(void)
{
    const char *given = getenv("SEED");
    return given ? strtoull(given, NULL, 10) : 1;
}

static void fill(float *p, ptrdiff_t count, double deviation, uint64_t stream)
{
    struct random random = random_of(seed(), stream, 0);
    for (ptrdiff_t i = 0; i < count; i++)
        p[i] = (float)(deviation * random_normal(&random));
}

/* ---- a model, and one run of one of its graphs ---- */

struct fixture { struct config config; struct model model; };

static void open_model(struct fixture *f, const char *override)
{
    struct error err = {0};
    *f = (struct fixture){0};
    if (!config_parse(&f->config, text, strlen(text), "small.yml", &override, override != NULL, &err)
        || !model_open(&f->model, &f->config, &err))
        fail_msg("%s", err.text);
    struct params *params = &f->model.params;           /* weights as after some training: no output is constant */
    for (int i = 0; i < params->count; i++)
        if (params->list[i].kind != PARAM_BUFFER && params->list[i].rank == 1)
            for (ptrdiff_t k = 0; k < params->list[i].count; k++) {
                struct random random = random_of(seed(), (uint64_t)i, (uint64_t)k);
                params->value[params->list[i].offset + k] += (float)random_range(&random, -0.3, 0.3);
            }
        else if (strncmp(params->list[i].name, "backbone.", 9) != 0 && params->list[i].rank == 4)
            fill(params->value + params->list[i].offset, params->list[i].count,
                 1 / sqrt(params->list[i].shape.h * params->list[i].shape.w * params->list[i].shape.c), (uint64_t)i);
}

static void close_model(struct fixture *f)
{
    model_free(&f->model);
    config_free(&f->config);
}

struct variant {
    const char *name;
    struct graph_options options;
    const char *isa;
    bool direct;
    int threads;
    bool quiet_aux;                     /* the auxiliary output's gradient is 0 */
};

enum { OUTPUTS = 2 };

struct result {
    float *output[OUTPUTS], *gradient, *values;         /* values: of the parameters, after the run */
    ptrdiff_t count[OUTPUTS];
    int outputs;
    size_t block, bound;
};

static void free_result(struct result *r)
{
    free(r->output[0]);
    free(r->output[1]);
    free(r->gradient);
    free(r->values);
}

static struct result run(const struct fixture *f, const struct variant *v)
{
    const struct params *params = &f->model.params;
    const struct team team = { v->threads ? v->threads : 1 };
    struct model model = f->model;
    struct graph_options options = v->options;
    struct result r = { .gradient = calloc((size_t)params->trained, sizeof(float)),
                        .values = malloc((size_t)params->total * sizeof(float)) };
    struct graph g = {0};
    struct error err = {0};
    options.n = options.n ? options.n : 2;
    options.h = options.h ? options.h : 128;
    options.w = options.w ? options.w : 160;
    memcpy(r.values, params->value, (size_t)params->total * sizeof(float));
    setenv("NANODET_CONV", v->direct ? "direct" : "", 1);
    const struct binding to = { params, r.values, r.gradient, &team, kernels_pick(v->isa, &err), NULL };
    if (!to.kernels || !model_graph(&model, &options, &g, &err) || !graph_bind(&g, &to, &err))
        fail_msg("%s: %s", v->name, err.text);
    r.block = g.block_size;
    r.bound = g.bound;
    fill(graph_view(&g, MODEL_INPUT).p, (ptrdiff_t)options.n * options.h * options.w * 3, 1, 1);
    graph_forward(&g, 0);
    for (r.outputs = 0; r.outputs < g.output_count; r.outputs++) {
        const struct view y = graph_view(&g, g.outputs[r.outputs].v);
        const size_t bytes = (size_t)(r.count[r.outputs] = pixels(y) * y.c) * sizeof(float);
        r.output[r.outputs] = malloc(bytes);
        memcpy(r.output[r.outputs], y.p, bytes);
        if (options.training)
            fill(graph_gradient(&g, g.outputs[r.outputs].v).p, pixels(y) * y.c, r.outputs && v->quiet_aux ? 0 : 1, 2);
    }
    if (options.training)
        graph_backward(&g, false);
    graph_free(&g);
    unsetenv("NANODET_CONV");
    return r;
}

/* The largest |a - b| over the largest |b|, which counts as least if it is smaller; NaN is infinitely far. */
static double distance(const float *a, const float *b, ptrdiff_t count, double least)
{
    double worst = 0, largest = least;
    for (ptrdiff_t i = 0; i < count; i++) {
        const double d = fabs((double)a[i] - b[i]);
        worst = d <= worst ? worst : isnan(d) ? INFINITY : d;
        largest = fmax(largest, fabs((double)b[i]));
    }
    return worst == 0 ? 0 : worst / largest;
}

static bool starts(const char *name, const char *with) { return strncmp(name, with, strlen(with)) == 0; }

static float largest_of(const float *p, ptrdiff_t count)
{
    float largest = 0;
    for (ptrdiff_t i = 0; i < count; i++)
        largest = fabsf(p[i]) > largest || isnan(p[i]) ? fabsf(p[i]) : largest;
    return largest;
}

/* How far the gradients of the parameters whose names start so are from each other, in units of a parameter's largest.
 * One that is 0 but for rounding, below 1e-5 of the largest of all, must be so in both. */
static double gradient_distance(const struct params *params, const struct result *a, const struct result *b,
                                const char *prefix, const char **where)
{
    const float zero = 1e-5f * largest_of(b->gradient, params->trained);
    double worst = 0;
    for (int i = 0; i < params->count; i++) {
        const struct param *p = &params->list[i];
        const float *x = a->gradient + p->offset, *y = b->gradient + p->offset;
        if (p->kind != PARAM_TRAINED || !starts(p->name, prefix))
            continue;
        const bool both_zero = largest_of(x, p->count) < zero && largest_of(y, p->count) < zero;
        const double d = both_zero ? 0 : distance(x, y, p->count, 0);
        if (d > worst) {
            worst = d;
            *where = p->name;
        }
    }
    return worst;
}

/* ---- the same numbers ---- */

static bool compare(const struct fixture *f, const struct variant *v, const struct result *want, double tolerance)
{
    struct result got = run(f, v);
    const struct params *params = &f->model.params;
    const char *where = "";
    bool ok = got.outputs == want->outputs;
    for (int i = 0; ok && i < got.outputs; i++) {
        const double off = distance(got.output[i], want->output[i], got.count[i], 0);
        ok = got.count[i] == want->count[i] && off <= tolerance;
        if (!ok)
            printf("FAIL %s: output %d is %.3g off, %.3g allowed; SEED=%" PRIu64 "\n", v->name, i, off, tolerance,
                   seed());
    }
    const double values = distance(got.values, want->values, params->total, 0);
    const double gradient = gradient_distance(params, &got, want, "", &where);
    if (!(values <= tolerance && gradient <= tolerance)) {
        printf("FAIL %s: gradient of %s is %.3g off, statistics %.3g, %.3g allowed; SEED=%" PRIu64 "\n", v->name, where,
               gradient, values, tolerance, seed());
        ok = false;
    }
    free_result(&got);
    return ok;
}

static void check_all(const struct variant *first, const struct variant *others, double tolerance)
{
    struct fixture f;
    int failed = 0;
    open_model(&f, NULL);
    struct result want = run(&f, first);
    for (const struct variant *v = others; v->name; v++) {
        if (v->isa && !kernels_pick(v->isa, NULL))
            printf("SKIP %s: not on this machine\n", v->name);
        else
            failed += !compare(&f, v, &want, tolerance);
    }
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

static void test_pending_or_not(void **state)
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

static void test_instruction_sets(void **state)
{
    static const struct variant ref = { .name = "ref", TRAINING, .isa = "ref" }, others[] = {
        { .name = "sse", TRAINING, .isa = "sse" }, { .name = "avx2", TRAINING, .isa = "avx2" },
        { .name = "avx512", TRAINING, .isa = "avx512" }, {0} };
    (void)state;
    check_all(&ref, others, 2e-4);              /* a batch norm over few pixels magnifies rounding */
}

/* A plan is never below its bound, and well below memory that nobody shares. */
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
    for (int i = 0; i < 3; i++) {               /* what the main head alone gives, in three ways */
        assert_true(gradient_distance(&f.model.params, &r[0], &r[1], trunk[i], &where) == 0);
        assert_true(gradient_distance(&f.model.params, &r[0], &r[2], trunk[i], &where) < 1e-4);
        assert_true(i == 2 || gradient_distance(&f.model.params, &r[0], &attached, trunk[i], &where) > 0.01);
    }
    for (int i = 0; i < 2; i++) {               /* what the auxiliary head gives to its own */
        assert_true(gradient_distance(&f.model.params, &r[0], &attached, aside[i], &where) < 1e-4);
        assert_true(gradient_distance(&f.model.params, &r[1], &attached, aside[i], &where) > 0.01);
    }
    for (int i = 0; i < 3; i++)
        free_result(&r[i]);
    free_result(&attached);
    close_model(&f);
}

static float *param(const struct fixture *f, const char *name)
{
    const int i = params_find(&f->model.params, name);
    if (i < 0)
        fail_msg("no parameter %s", name);
    return f->model.params.value + f->model.params.list[i].offset;
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

/* ---- learners ---- */

enum { IMAGES = 3, SIDE = 96 };

static float picture[IMAGES * SIDE * SIDE * 3];
static const float boxes[2][4] = { { 3, 5, 30, 28 }, { 10, 2, 24, 31 } };
static const int labels[2] = { 2, 0 };
static const struct truth truth[IMAGES] = { { .objects = 2, .box = boxes, .label = labels },
                                            { .objects = 1, .box = boxes, .label = labels }, {0} };

static struct images batch(int n, int h, int w)
{
    fill(picture, IMAGES * SIDE * SIDE * 3, 1, 9);
    return (struct images){ picture, n, h, w, truth };
}

/* Forward and backward of a batch: the loss, and the gradient in l->optimizer.gradient. */
static double learn(struct learner *l, struct images in, int epoch, bool accumulate)
{
    struct losses losses;
    struct plan *plan;
    struct error err = {0};
    if (!learner_forward(l, &in, epoch, &losses, &plan, &err))
        fail_msg("%d x %d x %d: %s", in.n, in.h, in.w, err.text);
    graph_backward(&plan->graph, accumulate);
    return losses_total(&losses);
}

static void open_learner(struct learner *l, struct fixture *f, int threads)
{
    struct error err = {0};
    if (!learner_init(l, &f->model, threads, &err))
        fail_msg("%s", err.text);
}

/* More sizes than plans are kept for, small and large in turn, then the first of them again; both kinds of epochs. */
static void test_sizes_in_turn(void **state)
{
    struct fixture f, g;
    struct learner turn;
    (void)state;
    open_model(&f, NULL);
    open_learner(&turn, &f, 2);
    const size_t bytes = (size_t)f.model.params.trained * sizeof(float);
    for (int i = 0; i < 27; i++) {
        const int size = i * 7 % 18, epoch = i % 2;
        const struct images in = batch(1 + size % 3, 32 * (1 + size / 3 % 3), 32 * (1 + size / 9));
        struct learner fresh;
        open_model(&g, NULL);
        open_learner(&fresh, &g, 1);
        memcpy(f.model.params.value, g.model.params.value, (size_t)g.model.params.total * sizeof(float));
        const double want = learn(&fresh, in, epoch, false), got = learn(&turn, in, epoch, false);
        if (got != want || memcmp(turn.optimizer.gradient, fresh.optimizer.gradient, bytes) != 0)
            fail_msg("%d x %d x %d: loss %.9g, should be %.9g", in.n, in.h, in.w, got, want);
        assert_memory_equal(f.model.params.value, g.model.params.value, (size_t)g.model.params.total * sizeof(float));
        learner_free(&fresh);
        close_model(&g);
    }
    assert_int_equal(turn.plans.count, PLANS);
    learner_free(&turn);
    close_model(&f);
}

static void test_accumulate(void **state)
{
    struct fixture f;
    struct learner l;
    (void)state;
    open_model(&f, NULL);
    open_learner(&l, &f, 2);
    const size_t bytes = (size_t)f.model.params.trained * sizeof(float);
    struct result sum = { .gradient = malloc(bytes) }, both = { .gradient = malloc(bytes) };
    const struct images one = batch(2, 64, 96), other = batch(1, 96, 64);
    learn(&l, one, 0, false);
    memcpy(sum.gradient, l.optimizer.gradient, bytes);
    learn(&l, other, 0, false);
    for (ptrdiff_t i = 0; i < f.model.params.trained; i++)
        sum.gradient[i] += l.optimizer.gradient[i];
    learn(&l, one, 0, false);
    learn(&l, other, 0, true);
    memcpy(both.gradient, l.optimizer.gradient, bytes);
    const char *where = "";
    const double off = gradient_distance(&f.model.params, &both, &sum, "", &where);
    if (!(off < 1e-5))
        fail_msg("%s: %.3g off", where, off);
    free(sum.gradient);
    free(both.gradient);
    learner_free(&l);
    close_model(&f);
}

static void test_frozen_stays(void **state)
{
    struct fixture f;
    struct learner l;
    struct error err = {0};
    (void)state;
    open_model(&f, "model.freeze=[backbone]");
    open_learner(&l, &f, 1);
    const struct params *params = &f.model.params;
    const size_t bytes = (size_t)params->total * sizeof(float);
    float *before = malloc(bytes);
    memcpy(before, params->value, bytes);
    for (int step = 0; step < 3; step++) {
        double norm;
        optimizer_rate(&l.optimizer);
        learn(&l, batch(2, 64, 64), 0, false);
        assert_true(learner_update(&l, &norm, &err) && norm > 0);
    }
    for (int i = 0; i < params->count; i++) {
        const struct param *p = &params->list[i];
        const bool frozen = starts(p->name, "backbone.");
        const bool same = memcmp(before + p->offset, params->value + p->offset, (size_t)p->count * sizeof(float)) == 0;
        if (same != frozen || (frozen && p->kind == PARAM_TRAINED))
            fail_msg("%s: %s", p->name, same ? "stayed as it was" : "changed");
    }
    free(before);
    learner_free(&l);
    close_model(&f);
}

/* The layer that first makes a number that is none, though the picture's memory serves others by then. */
static void test_blame(void **state)
{
    static const char *const freeze[] = { "model.freeze=[backbone]", NULL };
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct fixture f;
        struct learner l;
        struct losses losses;
        struct plan *plan;
        struct error err = {0};
        const struct images in = batch(1, 64, 64);
        open_model(&f, freeze[i]);
        open_learner(&l, &f, 1);
        *param(&f, "fpn.reduce_layers.1.conv.weight") = INFINITY;
        assert_false(learner_forward(&l, &in, 0, &losses, &plan, &err));
        if (!strstr(err.text, " fpn.reduce_layers.1.conv"))
            fail_msg("%s", err.text);
        learner_free(&l);
        close_model(&f);
    }
}

static void test_gradient_not_finite(void **state)
{
    struct fixture f;
    struct learner l;
    struct error err = {0};
    double norm;
    (void)state;
    open_model(&f, NULL);
    open_learner(&l, &f, 1);
    learn(&l, batch(1, 64, 64), 0, false);
    const int i = params_find(&f.model.params, "head.gfl_cls.1.weight");
    l.optimizer.gradient[f.model.params.list[i].offset + 3] = NAN;
    const float before = *param(&f, "fpn.reduce_layers.1.conv.weight");
    assert_false(learner_update(&l, &norm, &err));
    assert_non_null(strstr(err.text, "head.gfl_cls.1.weight"));
    assert_true(before == *param(&f, "fpn.reduce_layers.1.conv.weight") && l.optimizer.step == 0);
    learner_free(&l);
    close_model(&f);
}

/* ---- what is refused ---- */

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
        const bool ok = config_parse(&f.config, text, strlen(text), "small.yml", &cases[i].override, 1, &err)
                     && model_open(&f.model, &f.config, &err);
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
    if (!config_parse(&f.config, text, strlen(text), "small.yml", overrides, 2, &err)
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
        cmocka_unit_test(test_pending_or_not),
        cmocka_unit_test(test_winograd_or_direct),
        cmocka_unit_test(test_instruction_sets),
        cmocka_unit_test(test_plan),
        cmocka_unit_test(test_detached),
        cmocka_unit_test(test_frozen_statistics),
        cmocka_unit_test(test_sizes_in_turn),
        cmocka_unit_test(test_accumulate),
        cmocka_unit_test(test_frozen_stays),
        cmocka_unit_test(test_blame),
        cmocka_unit_test(test_gradient_not_finite),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_last_convolution),
        cmocka_unit_test(test_sizes_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
