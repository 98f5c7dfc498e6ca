/* tests/test_onnx_python.c -- Python's onnx, onnxruntime and openvino, if installed, accept exported files and
 * compute the same outputs. */
#include "base/file.h"
#include "deploy/network_fold.h"
#include "detect/focal.h"
#include "detect/postprocess.h"
#include "every_layer.h"
#include "folder.h"
#include "interop/onnx/onnx.h"
#include "kernel/kernels.h"
#include "model/model_network.h"
#include "model_kinds.h"
#include "policy.h"
#include "run_network.h"

/* The package that a test is about is its state. */
static void need(const char *package)
{
    char command[100];
    snprintf(command, sizeof command, "python3 -c 'import %s, numpy' 2> /dev/null", package);
    if (system(command) == 0)
        return;
    print_message("SKIPPED: python3 with %s and numpy (pip install %s)\n", package, package);
    skip();
}

static const struct onnx_options usual = { .images = 1, .score_thr = 0.05, .iou_thr = 0.6, .kept = 100,
                                           .prior_offset = 0.5 };

static void export(const struct network *net, struct onnx_options options)
{
    struct error err = {0};
    if (!onnx_write(in_folder("x.onnx"), net, &options, &err))
        fail_msg("%s", err.text);
}

/* The package's output for the image in the file; free() it. */
static float *run(const char *package, int images, int h, int w, size_t *count)
{
    char command[400];
    struct bytes file;
    struct error err = {0};
    snprintf(command, sizeof command, "python3 tests/deploy/run_onnx.py %s %s %s %d %d %d %s", package,
             in_folder("x.onnx"), in_folder("image"), images, h, w, in_folder("output"));
    assert_int_equal(system(command), 0);
    if (!file_read(&file, in_folder("output"), &err))
        fail_msg("%s", err.text);
    *count = file.size / sizeof(float);
    return (float *)(void *)file.p;
}

/* Compares every image of the batch, within the tolerance. */
static void compare(const char *package, const struct network *net, int images, int h, int w, double tolerance)
{
    size_t wanted, had;
    float *want = predict(net, h, w, in_folder("image"), &wanted);
    float *have = run(package, images, h, w, &had);
    if (strcmp(package, "onnx") != 0) {
        assert_int_equal(had, wanted * (size_t)images);
        for (int i = 0; i < images; i++)
            assert_close(have + (size_t)i * wanted, want, wanted, tolerance);
    }
    free(want);
    free(have);
}

static void every_layer_is_computed(void **state)
{
    const char *package = *state;
    struct network net = every_layer(true);
    struct onnx_options options = usual;
    need(package);
    export(&net, options);
    compare(package, &net, 1, EVERY_H, EVERY_W, 1e-4);
    options.half = true;
    export(&net, options);
    compare(package, &net, 1, EVERY_H, EVERY_W, 2e-2);
    network_free(&net);
}

static void models_are_computed(void **state)
{
    const char *package = *state;
    need(package);
    for (size_t i = 0; i < MODEL_KINDS; i++) {
        struct error err = {0};
        struct fixture f;
        struct network net = {0};
        open_random(&f, model_kinds[i]);
        if (!model_export_network(&f.model, f.model.params.value, &net, &err)
            || (i % 2 == 0 && (!network_fold(&net, &err) || !network_merge(&net, &err))))
            fail_msg("%s", err.text);
        export(&net, usual);
        compare(package, &net, 1, 64, 96, 1e-4);
        network_free(&net);
        close_model(&f);
    }
}

/* One file for images of two sizes, one or two at a time. */
static void sizes_are_open(void **state)
{
    const char *package = *state;
    struct fixture f;
    struct network net = {0};
    struct error err = {0};
    struct onnx_options options = usual;
    need(package);
    open_random(&f, NULL);
    if (!model_export_network(&f.model, f.model.params.value, &net, &err))
        fail_msg("%s", err.text);
    options.images = 0;
    options.any_size = true;
    export(&net, options);
    compare(package, &net, 2, 64, 96, 1e-4);
    compare(package, &net, 1, 128, 64, 1e-4);
    network_free(&net);
    close_model(&f);
}

/* ---- boxes ---- */

enum { H = 64, W = 96 };

static struct prior_grid grid_of(const struct network *net)
{
    struct error err = {0};
    struct prior_grid grid;
    if (!prior_grid_init(&grid, net->strides, net->output_count, usual.prior_offset, 1, H, W, &err))
        fail_msg("%s", err.text);
    return grid;
}

/* boxes [P][4], then scores [P][classes] */
static void boxes_are_decoded(void **state)
{
    const char *package = *state;
    struct network net = every_layer(true);
    struct onnx_options options = usual;
    size_t count, had;
    need(package);
    options.output = ONNX_DECODED;
    options.any_size = false;
    export(&net, options);
    const struct prior_grid grid = grid_of(&net);
    const int priors = prior_count(&grid), row = net.classes + 4 * (net.reg_max + 1);
    float *want = predict(&net, H, W, in_folder("image"), &count), *have = run(package, 1, H, W, &had);
    assert_int_equal(had, priors * (4 + net.classes));
    for (int p = 0; p < priors; p++) {
        const struct prior prior = prior_at(&grid, p);
        for (int side = 0; side < 4; side++) {
            double bins[EVERY_REG_MAX + 1], share[EVERY_REG_MAX + 1];
            for (int i = 0; i <= net.reg_max; i++)
                bins[i] = (double)want[p * row + net.classes + side * (net.reg_max + 1) + i];
            kernels_under_test()->softmax_double(1, net.reg_max + 1, 1, bins, share);
            const double away = integral(share, net.reg_max + 1) * prior.stride * (side < 2 ? -1 : 1);
            const double at = fmin(fmax((side % 2 ? prior.y : prior.x) + away, 0), side % 2 ? H : W);
            assert_true(fabs(at - (double)have[p * 4 + side]) < 1e-3);
        }
        assert_close(have + priors * 4 + p * net.classes, want + p * row, (size_t)net.classes, 1e-4);
    }
    free(want);
    free(have);
    network_free(&net);
}

/* boxes [k][4], scores [k], labels [k]: those of our own suppression. */
static int suppressed_boxes(const char *package, bool class_agnostic)
{
    struct network net = every_layer(true);
    const struct postprocess_config config = { net.classes, net.reg_max, usual.score_thr, usual.iou_thr, 100,
                                               kernels_under_test(), class_agnostic };
    struct onnx_options options = usual;
    struct error err = {0};
    struct arena tmp = {0};
    struct detected found[100];
    size_t numbers, had;
    int count = 0;
    options.output = ONNX_SUPPRESSED;
    options.class_agnostic = class_agnostic;
    export(&net, options);
    const struct prior_grid grid = grid_of(&net);
    float *raw = predict_raw(&net, H, W, in_folder("image"), &numbers), *have = run(package, 1, H, W, &had);
    if (!arena_init(&tmp, postprocess_bytes(&config, &grid), &err)
        || !postprocess(&config, &grid, 0, raw, &tmp, found, &count, &err))
        fail_msg("%s", err.text);
    assert_true(count > 10);
    assert_int_equal(had, 6 * count);
    for (int i = 0; i < count; i++) {
        for (int k = 0; k < 4; k++)
            assert_true(fabsf(have[4 * i + k] - found[i].box[k]) < 1e-3f);
        assert_true(fabsf(have[4 * count + i] - found[i].score) < 1e-5f);
        assert_true(have[5 * count + i] == (float)found[i].label);
    }
    arena_free(&tmp);
    free(raw);
    free(have);
    network_free(&net);
    return count;
}

static void boxes_are_suppressed(void **state)
{
    const char *package = *state;
    need(package);
    assert_true(suppressed_boxes(package, true) < suppressed_boxes(package, false));
}

/* The official file gives the same outputs after reading and writing. */
static void the_official_network_is_computed(void **state)
{
    static const char official[] = "../shared/data/weights/enhanced_nanodet_s.onnx";
    const char *package = *state;
    struct error err = {0};
    struct network net = {0};
    struct bytes file;
    size_t count, had;
    need(package);
    if (!file_exists(official)) {
        print_message("SKIPPED: no %s\n", official);
        skip();
    }
    if (!file_read(&file, official, &err) || !onnx_read(&net, file, official, &err))
        fail_msg("%s", err.text);
    export(&net, usual);
    float *ours = predict(&net, net.input_h, net.input_w, in_folder("image"), &count);
    float *have = run(package, 1, net.input_h, net.input_w, &had);
    assert_true(file_write(in_folder("x.onnx"), file.p, file.size, &err));
    float *want = run(package, 1, net.input_h, net.input_w, &count);
    assert_int_equal(had, count);
    assert_close(have, want, count, 1e-4);
    assert_close(ours, want, count, 1e-4);
    free(ours);
    free(have);
    free(want);
    network_free(&net);
    bytes_free(&file);
}

int main(void)
{
    static char *const checker = "onnx", *const runtime = "onnxruntime", *const openvino = "openvino";
    const struct CMUnitTest tests[] = {
        { "checker_takes_every_layer", every_layer_is_computed, NULL, NULL, checker },
        { "checker_takes_models", models_are_computed, NULL, NULL, checker },
        { "checker_takes_open_sizes", sizes_are_open, NULL, NULL, checker },
        { "onnxruntime_computes_every_layer", every_layer_is_computed, NULL, NULL, runtime },
        { "onnxruntime_computes_models", models_are_computed, NULL, NULL, runtime },
        { "onnxruntime_takes_open_sizes", sizes_are_open, NULL, NULL, runtime },
        { "onnxruntime_decodes_boxes", boxes_are_decoded, NULL, NULL, runtime },
        { "onnxruntime_suppresses_boxes", boxes_are_suppressed, NULL, NULL, runtime },
        { "onnxruntime_computes_the_official_network", the_official_network_is_computed, NULL, NULL, runtime },
        { "openvino_computes_every_layer", every_layer_is_computed, NULL, NULL, openvino },
        { "openvino_computes_models", models_are_computed, NULL, NULL, openvino },
        { "openvino_takes_open_sizes", sizes_are_open, NULL, NULL, openvino },
        { "openvino_decodes_boxes", boxes_are_decoded, NULL, NULL, openvino },
        { "openvino_suppresses_boxes", boxes_are_suppressed, NULL, NULL, openvino },
    };
    return cmocka_run_group_tests_name("onnx in Python", tests, make_folder, remove_folder);
}
