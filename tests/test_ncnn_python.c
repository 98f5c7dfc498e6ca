/* tests/test_ncnn_python.c -- Python's ncnn, if installed, computes the same outputs from exported files. */
#include "base/file.h"
#include "deploy/network_fold.h"
#include "every_layer.h"
#include "folder.h"
#include "interop/ncnn/ncnn.h"
#include "model/model_network.h"
#include "run_network.h"
#include "weights/fold.h"

static const char official[] = "../shared/data/weights/nanodet-plus-m_320.param";

static void need_ncnn(void)
{
    if (system("python3 -c 'import ncnn, numpy' 2> /dev/null") == 0)
        return;
    print_message("SKIPPED: python3 with ncnn and numpy (pip install ncnn)\n");
    skip();
}

/* The output of ncnn for the image: the named blobs, one after another; names are separated by blanks. */
static float *run_ncnn(const char *param, int h, int w, const char *mode, const char *blobs, size_t *count)
{
    char command[600];
    struct bytes file;
    struct error err = {0};
    snprintf(command, sizeof command, "python3 tests/deploy/run_ncnn.py %s %s %d %d %s %s %s", param,
             in_folder("image"), h, w, in_folder("output"), mode, blobs);
    assert_int_equal(system(command), 0);
    if (!file_read(&file, in_folder("output"), &err))
        fail_msg("%s", err.text);
    *count = file.size / sizeof(float);
    return (float *)(void *)file.p;
}

/* 32 bits within 1e-4, 16 bits within 2e-2, as one blob and as a blob per part. */
static void compare(const struct network *net, int h, int w)
{
    struct error err = {0};
    size_t wanted, had;
    float *want = predict(net, h, w, in_folder("image"), &wanted);
    for (int half = 0; half < 2; half++) {
        if (!ncnn_write(in_folder("x.param"), net, &(struct ncnn_options){ .half = half }, &err))
            fail_msg("%s", err.text);
        float *have = run_ncnn(in_folder("x.param"), h, w, half ? "fast" : "plain", "data output", &had);
        assert_int_equal(had, wanted);
        assert_close(have, want, wanted, half ? 2e-2 : 1e-4);
        free(have);
    }
    free(want);
}

static void ncnn_agrees_for_every_layer(void **state)
{
    (void)state;
    need_ncnn();
    struct network net = every_layer(true);
    compare(&net, EVERY_H, EVERY_W);
    network_free(&net);
}

/* Weights as after some training: no output is constant. */
static void disturb(struct params *params)
{
    struct random random = random_of(seed(), 9, 0);
    for (int i = 0; i < params->count; i++) {
        const struct param *p = &params->list[i];
        for (ptrdiff_t k = p->offset; k < p->offset + p->count; k++)
            if (p->kind == PARAM_BUFFER)
                params->value[k] = (float)random_range(&random, 0.5, 1.5);
            else if (p->rank == 1)
                params->value[k] += (float)(0.1 * random_normal(&random));
    }
}

/* Each backbone, neck and head that a configuration has, with random weights.  The positions of nanodet-t are those of
 * its own size. */
static void ncnn_agrees_for_the_configurations(void **state)
{
    static const char *const configs[] = {
        "nanodet-plus-m_320", "nanodet-m-0.5x", "nanodet-g", "nanodet-t", "nanodet-EfficientNet-Lite0_320",
        "nanodet-RepVGG-A0_416", "enhanced-nanodet-s_320", "enhanced-nanodet-m-hswish_416" };
    (void)state;
    need_ncnn();
    for (size_t i = 0; i < sizeof configs / sizeof *configs; i++) {
        struct error err = {0};
        struct fixture f = {0};
        struct network net = {0};
        const char *size = "data.val.input_size=[128, 96]";
        char path[80];
        snprintf(path, sizeof path, "configs/%s.yml", configs[i]);
        if (!config_read(&f.config, path, &size, strcmp(configs[i], "nanodet-t") != 0, &err)
            || !model_open(&f.model, &f.config, &err))
            fail_msg("%s", err.text);
        model_start(&f.model);
        disturb(&f.model.params);
        if (!model_export_network(&f.model, f.model.params.value, &net, &err) || !network_fold(&net, &err)
            || !network_merge(&net, &err))
            fail_msg("%s: %s", path, err.text);
        print_message("%s\n", path);
        compare(&net, net.input_h, net.input_w);
        network_free(&net);
        close_model(&f);
    }
}

/* Separate scores and bins per level, as the demos of NanoDet read them. */
static void ncnn_gives_separate_blobs(void **state)
{
    struct error err = {0};
    const size_t scores = EVERY_CLASSES, bins = 4 * (EVERY_REG_MAX + 1), finest = EVERY_H / 8 * (EVERY_W / 8);
    size_t wanted, had;
    (void)state;
    need_ncnn();
    struct network net = every_layer(false);
    float *want = predict(&net, EVERY_H, EVERY_W, in_folder("image"), &wanted);
    if (!ncnn_write(in_folder("x.param"), &net, &(struct ncnn_options){ .separate = true }, &err))
        fail_msg("%s", err.text);
    float *have = run_ncnn(in_folder("x.param"), EVERY_H, EVERY_W, "plain",
                           "input.1 cls_pred_stride_8 dis_pred_stride_8", &had);
    assert_int_equal(had, finest * (scores + bins));
    for (size_t i = 0; i < finest; i++) {
        assert_close(have + i * scores, want + i * (scores + bins), scores, 1e-4);
        assert_close(have + finest * scores + i * bins, want + i * (scores + bins) + scores, bins, 1e-4);
    }
    free(have);
    free(want);
    network_free(&net);
}

/* The official pair gives the same outputs after reading and writing; its weights have 16 bits. */
static void ncnn_agrees_for_the_official_network(void **state)
{
    struct error err = {0};
    struct network net = {0};
    struct bytes file;
    size_t wanted, had;
    (void)state;
    need_ncnn();
    if (!file_exists(official)) {
        print_message("SKIPPED: no %s\n", official);
        skip();
    }
    if (!file_read(&file, official, &err) || !ncnn_read(&net, file, official, &err))
        fail_msg("%s", err.text);
    bytes_free(&file);
    compare(&net, 320, 320);
    if (!ncnn_write(in_folder("x.param"), &net, &(struct ncnn_options){ .half = true, .separate = true }, &err))
        fail_msg("%s", err.text);
    float *want = run_ncnn(official, 320, 320, "plain", "data dis8 dis16 dis32 dis64", &wanted);
    float *have = run_ncnn(in_folder("x.param"), 320, 320, "plain", "input.1 dis_pred_stride_8 dis_pred_stride_16 "
                           "dis_pred_stride_32 dis_pred_stride_64", &had);
    assert_int_equal(wanted, had);
    assert_memory_equal(have, want, had * sizeof *have);
    free(have);
    free(want);
    network_free(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ncnn_agrees_for_every_layer),
        cmocka_unit_test(ncnn_agrees_for_the_configurations),
        cmocka_unit_test(ncnn_gives_separate_blobs),
        cmocka_unit_test(ncnn_agrees_for_the_official_network),
    };
    return cmocka_run_group_tests_name("ncnn in Python", tests, make_folder, remove_folder);
}
