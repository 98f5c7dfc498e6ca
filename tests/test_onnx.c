/* tests/test_onnx.c -- ONNX files: writing and reading back, and damaged files. */
#include "base/file.h"
#include "every_layer.h"
#include "interop/onnx/onnx.h"

#include <stdio.h>
#include <unistd.h>
#include "same_network.h"

static char path[] = "/tmp/nanodet_onnx_XXXXXX";

static int make_file(void **state)
{
    (void)state;
    const int file = mkstemp(path);
    return file < 0 ? -1 : close(file);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

static struct bytes written(const struct network *net, const struct onnx_options *options)
{
    struct error err = {0};
    struct bytes file = {0};
    if (!onnx_write(path, net, options, &err) || !file_read(&file, path, &err))
        fail_msg("%s", err.text);
    assert_true(is_onnx(file));
    return file;
}

static void round_trip(void **state)
{
    (void)state;
    for (int i = 0; i < 6; i++) {
        const struct onnx_options options = { .half = i % 2, .images = 1, .output = (enum onnx_output)(i / 2),
                                              .score_thr = 0.05, .iou_thr = 0.6, .kept = 100 };
        struct network net = every_layer(false), copy;
        struct error err = {0};
        assert_true(tensors_add_metadata(&net.weights, "class_names", "[\"a\",\"b\",\"c\"]", NULL));
        struct bytes file = written(&net, &options);
        if (!onnx_read(&copy, file, path, &err))
            fail_msg("%s", err.text);
        assert_same_network(&net, &copy, options.half);
        for (int k = 0; k < net.count; k++)
            assert_string_equal(net.layers[k].name, copy.layers[k].name);
        assert_string_equal(tensors_metadata(&copy.weights, "class_names"), "[\"a\",\"b\",\"c\"]");
        network_free(&copy);
        network_free(&net);
        bytes_free(&file);
    }
}

/* The sigmoid of some channels is written as several nodes. */
static void bytes_depend_only_on_the_network(void **state)
{
    const struct onnx_options options = { .images = 1 };
    struct network net = every_layer(true), copy;
    struct error err = {0};
    (void)state;
    struct bytes first = written(&net, &options), again = written(&net, &options);
    assert_int_equal(first.size, again.size);
    assert_memory_equal(first.p, again.p, first.size);
    bytes_free(&again);
    if (!onnx_read(&copy, first, path, &err))
        fail_msg("%s", err.text);
    again = written(&copy, &options);
    network_free(&copy);
    bytes_free(&first);
    if (!onnx_read(&copy, again, path, &err))
        fail_msg("%s", err.text);
    first = written(&copy, &options);
    assert_int_equal(first.size, again.size);
    assert_memory_equal(first.p, again.p, first.size);
    network_free(&copy);
    network_free(&net);
    bytes_free(&first);
    bytes_free(&again);
}

static void sizes_may_be_open(void **state)
{
    const struct onnx_options options = { .any_size = true };
    struct network net = every_layer(false), copy;
    struct error err = {0};
    (void)state;
    assert_false(onnx_write(path, &net, &options, &err));
    assert_non_null(strstr(err.text, "position embedding"));
    for (int i = 0; i < net.count; i++)
        if (net.layers[i].kind == LAYER_CONSTANT)
            net.layers[i + 1].operand[1] = net.layers[i + 1].operand[0];
    assert_true(network_prune(&net, NULL, NULL));
    struct bytes file = written(&net, &options);
    if (!onnx_read(&copy, file, path, &err))
        fail_msg("%s", err.text);
    net.input_h = net.input_w = 0;
    assert_same_network(&net, &copy, false);
    assert_false(onnx_write(path, &net, &(struct onnx_options){ .images = 1 }, &err));
    assert_non_null(strstr(err.text, "size"));
    assert_false(onnx_write(path, &net, &(struct onnx_options){ .any_size = true, .output = ONNX_SUPPRESSED }, &err));
    net.classes = 2;
    assert_false(onnx_write(path, &net, &options, &err));
    network_free(&copy);
    network_free(&net);
    bytes_free(&file);
}

/* Cut anywhere, or with any byte changed: reading gives an error or a network. */
static void damaged_files_are_refused(void **state)
{
    struct network net = every_layer(false);
    struct bytes file = written(&net, &(struct onnx_options){ .images = 1, .output = ONNX_DECODED });
    (void)state;
    for (size_t i = 0; i < file.size; i += 1 + i / 64) {
        struct network copy;
        struct error err = {0};
        const unsigned char was = file.p[i];
        assert_false(onnx_read(&copy, (struct bytes){ file.p, i }, "cut", &err));
        assert_int_equal(err.exit, 1);
        network_free(&copy);
        file.p[i] = (unsigned char)~was;
        onnx_read(&copy, file, "changed", &err);
        network_free(&copy);
        file.p[i] = was;
    }
    network_free(&net);
    bytes_free(&file);
}

static void weights_too_large_are_named(void **state)
{
    struct network net = every_layer(false);
    struct error err = {0};
    float large = 70000;
    (void)state;
    for (int i = 0; i < net.weights.count; i++)
        if (strcmp(net.weights.list[i].name, "conv2") == 0)
            memcpy((void *)(uintptr_t)net.weights.list[i].data, &large, sizeof large);
    assert_false(onnx_write(path, &net, &(struct onnx_options){ .images = 1, .half = true }, &err));
    assert_non_null(strstr(err.text, "conv2: 70000 is too large"));
    assert_true(onnx_write(path, &net, &(struct onnx_options){ .images = 1 }, &err));
    network_free(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(bytes_depend_only_on_the_network),
        cmocka_unit_test(sizes_may_be_open),
        cmocka_unit_test(damaged_files_are_refused),
        cmocka_unit_test(weights_too_large_are_named),
    };
    return cmocka_run_group_tests_name("onnx", tests, make_file, remove_file);
}
