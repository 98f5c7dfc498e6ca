/* tests/test_grad_cam.c -- heatmaps of layers; those of the class logits have a closed form. */
#include "base/memory.h"
#include "policy.h"
#include "report/heat.h"
#include "runtime/detector.h"
#include "runtime/grad_cam.h"
#include "tiny_net.h"
#include <math.h>

enum { CLASSES = 5, CHANNELS = 5 + 4 * 8, SIDE = 96, STRIDE = 8 };

static void open_scene(struct synth_scene *scene, struct error *err)
{
    const struct synth_config scenes = { .width = SIDE, .height = SIDE, .objects_min = 2, .objects_max = 6,
                                         .scale = 8 };
    must(synth_draw(scene, &scenes, 0, err), err);
}

/* Logits about 1 instead of -5, so that contributions to a class are positive. */
static void raise_logits(struct net *n)
{
    for (int level = 0; level < 4; level++) {
        char name[40];
        snprintf(name, sizeof name, "head.gfl_cls.%d.bias", level);
        const struct param *p = &n->model.params.list[params_find(&n->model.params, name)];
        for (int c = 0; c < CLASSES; c++)
            n->model.params.value[p->offset + c] += 6;
    }
}

/* alpha and map of the first level's rows, whose numbers are S's own terms. */
static void expected_map(const float *rows, int all, int level, double bound, double *map)
{
    double alpha[CLASSES] = {0};
    int best = 0, any = 0;
    for (int i = 0; i < all * CLASSES; i++) {
        const float logit = rows[i / CLASSES * CHANNELS + i % CLASSES];
        any += logit > bound;
        if (logit > rows[best / CLASSES * CHANNELS + best % CLASSES])
            best = i;
        if (i < level * CLASSES && logit > bound)
            alpha[i % CLASSES] += 1.0 / level;
    }
    if (!any && best < level * CLASSES)
        alpha[best % CLASSES] = 1.0 / level;
    for (int i = 0; i < level; i++) {
        double sum = 0;
        for (int c = 0; c < CLASSES; c++)
            sum += alpha[c] * rows[i * CHANNELS + c];
        map[i] = fmax(sum, 0);
    }
}

static void test_maps_of_the_logits_are_exact(void **state)
{
    static const double scores[] = { 0.8, 0.9999 };             /* some exceed it; none does */
    struct net n;
    struct synth_scene scene = {0};
    struct detector d = {0};
    double map[SIDE / STRIDE * SIDE / STRIDE];
    (void)state;
    net_open(&n, NULL, 0);
    raise_logits(&n);
    open_scene(&scene, &n.err);
    must(detector_init(&d, &n.model, n.model.params.value, policy_under_test(1), &n.err), &n.err);
    for (int i = 0; i < 2; i++) {
        struct grad_cam cam = {0};
        must(grad_cam_init(&cam, &n.model, "head.gfl_cls.0", scores[i], policy_under_test(2), &n.err)
             && grad_cam_run(&cam, &scene.image, &n.err), &n.err);
        assert_int_equal(cam.count, 1);
        assert_true(cam.heatmaps[0].h == cam.batch.h / STRIDE && cam.heatmaps[0].w == cam.batch.w / STRIDE);
        const float *rows = detector_forward(&d, cam.batch.image, cam.batch.h, cam.batch.w, &n.err);
        const int level = cam.heatmaps[0].h * cam.heatmaps[0].w, all = level * 85 / 64;
        expected_map(rows, all, level, log(scores[i] / (1 - scores[i])), map);
        for (int k = 0; k < level; k++)
            assert_true(fabs(cam.heatmaps[0].map[k] - map[k]) < 1e-5);
        grad_cam_free(&cam);
    }
    detector_free(&d);
    synth_free(&scene);
    net_close(&n);
}

/* The neck's levels; a map is 0 everywhere, or 1 somewhere in the image. */
static void test_levels_of_the_neck(void **state)
{
    static const char *const overrides[] = { "data.val.resize=letterbox" };
    struct net n;
    struct synth_scene scene = {0};
    struct grad_cam cam = {0};
    static float spread[SIDE * SIDE];
    int lit = 0;
    (void)state;
    net_open(&n, overrides, 1);
    raise_logits(&n);
    open_scene(&scene, &n.err);
    must(grad_cam_init(&cam, &n.model, NULL, 0.5, policy_under_test(2), &n.err), &n.err);
    for (int pass = 0; pass < 2; pass++) {
        must(grad_cam_run(&cam, &scene.image, &n.err), &n.err);
        assert_int_equal(cam.count, 4);
    }
    for (int i = 0; i < 4; i++) {
        char name[24];
        float most = 0;
        snprintf(name, sizeof name, "stride%d", STRIDE << i);
        assert_string_equal(cam.heatmaps[i].name, name);
        grad_cam_upsample(&cam, &cam.heatmaps[i], spread);
        for (int k = 0; k < SIDE * SIDE; k++) {
            assert_true(spread[k] >= 0);
            most = fmaxf(most, spread[k]);
        }
        assert_true(most == 0 || most == 1);
        lit += most == 1;
    }
    assert_true(lit > 0);
    grad_cam_free(&cam);
    synth_free(&scene);
    net_close(&n);
}

static void test_wrong_layers_are_refused(void **state)
{
    static const struct { const char *name, *says; } cases[] = {
        { "head.gfl_clss.0", "head.gfl_cls.0" }, { "head.stack", "not one map" }, { "", "did you mean" } };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct net n;
        struct grad_cam cam = {0};
        net_open(&n, NULL, 0);
        assert_false(grad_cam_init(&cam, &n.model, cases[i].name, 0.5, policy_under_test(1), &n.err));
        assert_int_equal(n.err.exit, 2);
        assert_non_null(strstr(n.err.text, cases[i].says));
        grad_cam_free(&cam);
        net_close(&n);
    }
}

static void test_heat_is_drawn(void **state)
{
    unsigned char bgr[3][3] = { { 100, 100, 100 }, { 100, 100, 100 }, { 100, 100, 100 } };
    (void)state;
    draw_heat(bgr[0], 3, 1, (const float[]){ 0, 1, NAN });
    assert_true(bgr[0][0] == 60 && bgr[0][2] == 60);            /* darker, else as it was */
    assert_true(bgr[1][2] > 150 && bgr[1][0] < 60);             /* red */
    assert_memory_equal(bgr[2], bgr[0], 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_maps_of_the_logits_are_exact),
        cmocka_unit_test(test_levels_of_the_neck),
        cmocka_unit_test(test_wrong_layers_are_refused),
        cmocka_unit_test(test_heat_is_drawn) };
    return cmocka_run_group_tests(tests, tiny_setup, remove_folder);
}
