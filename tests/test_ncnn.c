/* tests/test_ncnn.c -- ncnn files: writing and reading back, files of converters, and errors of invalid files. */
#include "base/file.h"
#include "base/strbuf.h"
#include "every_layer.h"
#include "folder.h"
#include "interop/ncnn/ncnn.h"
#include "same_network.h"

/* The .param file in the folder and its .bin file; then the network that they hold. */
static struct network write_and_read(const struct network *net, const char *name, struct ncnn_options options)
{
    const char *path = in_folder(name);
    struct error err = {0};
    struct bytes file = {0};
    struct network copy = {0};
    if (!ncnn_write(path, net, &options, &err) || !file_read(&file, path, &err)
        || !ncnn_read(&copy, file, path, &err))
        fail_msg("%s", err.text);
    assert_true(is_ncnn(file));
    bytes_free(&file);
    return copy;
}

static void round_trip(void **state)
{
    static const struct ncnn_options options[] = { { false, false }, { false, true }, { true, false }, { true, true } };
    (void)state;
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        struct network net = every_layer(false), copy = write_and_read(&net, "x.param", options[i]);
        assert_same_network(&net, &copy, options[i].half);
        network_free(&copy);
        network_free(&net);
    }
}

/* The network is also found from the name of the .bin file. */
static void either_file_finds_the_other(void **state)
{
    const struct ncnn_options options = {0};
    struct network net = every_layer(false), copy = write_and_read(&net, "x.param", options), again = {0};
    struct error err = {0};
    struct bytes file;
    (void)state;
    const char *path = in_folder("x.bin");
    if (!file_read(&file, path, &err) || !is_ncnn(file) || !ncnn_read(&again, file, path, &err))
        fail_msg("%s", err.text);
    assert_same_network(&copy, &again, false);
    bytes_free(&file);
    network_free(&again);
    network_free(&copy);
    network_free(&net);
}

static void assert_same_file(const char *a, const char *b)
{
    struct bytes file[2];
    assert_true(file_read(&file[0], in_folder(a), NULL) && file_read(&file[1], in_folder(b), NULL));
    assert_int_equal(file[0].size, file[1].size);
    assert_memory_equal(file[0].p, file[1].p, file[0].size);
    bytes_free(&file[0]);
    bytes_free(&file[1]);
}

/* Writing a network that was read gives a file with the same bytes. */
static void the_same_network_gives_the_same_bytes(void **state)
{
    const struct ncnn_options options = { .half = true };
    struct network net = every_layer(false), copy = write_and_read(&net, "x.param", options);
    struct network again = write_and_read(&copy, "y.param", options);
    (void)state;
    assert_same_file("x.bin", "y.bin");
    assert_same_network(&copy, &again, false);
    network_free(&again);
    network_free(&copy);
    network_free(&net);
}

static void refuses_unsupported_networks(void **state)
{
    const char *path = in_folder("z.param");
    struct network net = every_layer(false);
    struct error err = {0};
    (void)state;
    net.input_w = 0;
    assert_false(ncnn_write(path, &net, &(struct ncnn_options){0}, &err));
    assert_non_null(strstr(err.text, "layer attention: an attention needs to know the size"));
    net.input_w = EVERY_W;
    ((float *)(uintptr_t)net.weights.list[0].data)[3] = 70000;
    assert_false(ncnn_write(path, &net, &(struct ncnn_options){ .half = true }, &err));
    assert_non_null(strstr(err.text, "layer conv1: 70000 is too large for 16 bits"));
    assert_false(file_exists(path));
    network_free(&net);
}

/* ---- texts ---- */

/* Reads layers with so many bytes of weights, all of them 0 but the last float, which is 1: 32 bits, no matter whether
 * a layer is flagged. */
static bool parse(struct network *net, int layers, const char *text, size_t size, struct error *err)
{
    static unsigned char weights[1 << 16];
    static const float one = 1;
    struct strbuf file = {0};
    memset(weights, 0, sizeof weights);
    if (size >= sizeof one)
        memcpy(weights + size - sizeof one, &one, sizeof one);
    strbuf_addf(&file, "7767517\n%d 40\n%s", layers, text);
    *net = (struct network){0};
    const bool ok = ncnn_parse(net, (struct bytes){ (unsigned char *)file.s, file.size },
                               (struct bytes){ weights, size }, "x.param", err);
    strbuf_free(&file);
    return ok;
}

static const char start[] = "Input data 0 1 data\nConvolution first 1 1 data a 0=8 1=1 3=2 5=0 6=24\n";

/* One level of stride 2: 2 scores after a sigmoid and 4 x 2 bins. */
static const char head[] = "Slice s 1 2 y c2 d2 -23300=2,2,-233 1=0\nSigmoid cls 1 1 c2 cls_pred_stride_2\n"
                           "Permute dis 1 1 d2 dis_pred_stride_2 0=3\n";

/* Layers between a first convolution of 3 to 8 channels and the head, the floats that they have, and what they are. */
static void reads_files_of_converters(void **state)
{
    static const struct {
        const char *text; int layers; size_t bytes; int out; enum layer_kind kinds[6]; enum act act;
    } cases[] = {
        { "BatchNorm n 1 1 a b 0=8 1=1.0e-05\nScale m 1 1 b x 0=8 1=1\n", 2, 192, 8,
          { LAYER_AFFINE, LAYER_AFFINE }, 0 },
        { "HardSwish n 1 1 a x 0=1.666667e-01 1=5.000000e-01\n", 1, 0, 8, { LAYER_ACTIVATION }, ACT_HARD_SWISH },
        { "HardSigmoid n 1 1 a x 0=1.666667e-01 1=0.5\n", 1, 0, 8, { LAYER_ACTIVATION }, ACT_HARD_SIGMOID },
        { "Clip n 1 1 a x 0=0.000000e+00 1=6.000000e+00\n", 1, 0, 8, { LAYER_ACTIVATION }, ACT_RELU6 },
        { "ReLU n 1 1 a x 0=1.000000e-01\n", 1, 0, 8, { LAYER_ACTIVATION }, ACT_LEAKY_RELU },
        { "ReLU n 1 1 a x\n", 1, 0, 8, { LAYER_ACTIVATION }, ACT_RELU },
        { "Swish n 1 1 a x\n", 1, 0, 8, { LAYER_ACTIVATION }, ACT_SILU },
        { "Mish n 1 1 a x\n", 1, 0, 8, { LAYER_ACTIVATION }, ACT_MISH },
        { "Split s 1 2 a b c\nEltwise n 2 1 b c x 0=1 -23301=0\n", 2, 0, 8, { LAYER_ADD }, 0 },
        { "Split s 1 2 a b c\nBinaryOp n 2 1 b c x 0=2\n", 2, 0, 8, { LAYER_MUL }, 0 },
        { "BinaryOp n 1 1 a x 0=2 1=1 2=3.0\n", 1, 0, 8, { LAYER_AFFINE }, 0 },
        { "Split s 1 2 a b c\nPooling p 1 1 b d 0=1 4=1\nInnerProduct e 1 1 d e 0=8 1=1 2=64 9=1\n"
          "Reshape r 1 1 e f 0=1 1=1 2=8\nBinaryOp n 2 1 c f x 0=2\n", 5, 292, 8,
          { LAYER_GLOBAL_POOL, LAYER_CONV, LAYER_ACTIVATION, LAYER_MUL }, ACT_RELU },
        { "Split s 1 2 a b c\nReduction p 1 1 b d 0=3 1=0 -23303=2,-2,-1 4=1 5=1\n"
          "BinaryOp n 2 1 d c x 0=0\n", 3, 0, 8, { LAYER_GLOBAL_POOL, LAYER_ADD }, 0 },
        { "ShuffleChannel n 1 1 a x 0=2 1=1\n", 1, 0, 8, { LAYER_SHUFFLE }, 0 },
        { "Crop n 1 1 a x -23309=1,2 -23310=1,2147483647 -23311=1,0\n", 1, 0, 6, { LAYER_CHANNELS }, 0 },
        { "Crop n 1 1 a x 0=0 1=0 2=3 3=-233 4=-233 5=4\n", 1, 0, 4, { LAYER_CHANNELS }, 0 },
        { "Slice n 1 2 a b c -23302=1,3 1=0\nConcat m 2 1 c b x 0=-3\n", 2, 0, 8,
          { LAYER_CHANNELS, LAYER_CHANNELS, LAYER_CONCAT }, 0 },
        { "Interp n 1 1 a b 0=2 1=0.5 2=0.5\nInterp m 1 1 b x 0=2 3=16 4=24\n", 2, 0, 8,
          { LAYER_AVG_POOL, LAYER_BILINEAR }, 0 },
        { "Pooling n 1 1 a x 0=0 1=3 11=3 2=1 12=1 3=1 13=1 14=1 15=1 5=1\n", 1, 0, 8, { LAYER_MAX_POOL }, 0 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct strbuf text = {0};
        struct network net;
        struct error err = {0};
        const int weights = 10 * cases[i].out;
        strbuf_addf(&text, "%s%sConvolution head 1 1 x y 0=10 1=1 5=1 6=%d\n%s", start, cases[i].text, weights, head);
        const bool ok = parse(&net, 6 + cases[i].layers, text.s, 100 + cases[i].bytes + (size_t)weights * 4 + 44, &err);
        if (!ok)
            fail_msg("%s: %s", cases[i].text, err.text);
        for (int k = 0; cases[i].kinds[k]; k++) {
            assert_int_equal(net.layers[2 + k].kind, cases[i].kinds[k]);
            assert_true(cases[i].kinds[k] != LAYER_ACTIVATION || net.layers[2 + k].act == cases[i].act);
        }
        network_free(&net);
        strbuf_free(&text);
    }
}

/* The scores of all levels in one blob, before or after they are joined. */
static void finds_levels_in_any_output_form(void **state)
{
    static const struct { const char *text; int layers; } cases[] = {
        { "Reshape r 1 1 y0 z0 0=-1 1=10\nReshape s 1 1 y1 z1 0=-1 1=10\nConcat c 2 1 z0 z1 z 0=1\n"
          "Permute p 1 1 z p 0=1\nSlice l 1 2 p e f -23300=2,2,8 1=1\nSigmoid g 1 1 e e2\n"
          "Concat o 2 1 e2 f output 0=1\n", 7 },
        { "Slice s0 1 2 y0 c0 d0 -23300=2,2,-233\nSlice s1 1 2 y1 c1 d1 -23300=2,2,-233\nSigmoid g0 1 1 c0 e0\n"
          "Sigmoid g1 1 1 c1 e1\nConcat c0 2 1 e0 d0 z0\nConcat c1 2 1 e1 d1 z1\nReshape r0 1 1 z0 q0 0=-1 1=10\n"
          "Reshape r1 1 1 z1 q1 0=-1 1=10\nConcat c 2 1 q1 q0 q 0=1\nPermute p 1 1 q output 0=1\n", 10 },
        { "Slice s0 1 2 y0 c0 d0 -23300=2,2,-233\nSlice s1 1 2 y1 c1 d1 -23300=2,2,-233\nSigmoid g0 1 1 c0 e0\n"
          "Sigmoid g1 1 1 c1 e1\nPermute p0 1 1 d0 f0 0=3\nReshape r0 1 1 f0 h0 0=8 1=-1\n"
          "Permute p1 1 1 d1 f1 0=3\n", 7 } };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct strbuf text = {0};
        struct network net;
        struct error err = {0};
        strbuf_addf(&text, "%sSplit t 1 2 a b c\nConvolution h0 1 1 b y0 0=10 1=1 6=80\n"
                    "Convolution h1 1 1 c y1 0=10 1=1 3=2 6=80\n%s", start, cases[i].text);
        if (!parse(&net, 5 + cases[i].layers, text.s, 100 + 2 * 324, &err))
            fail_msg("%s: %s", cases[i].text, err.text);
        assert_int_equal(net.output_count, 2);
        assert_int_equal(net.classes, 2);
        assert_int_equal(net.reg_max, 1);
        for (int k = 0; k < 2; k++) {
            assert_int_equal(net.strides[k], 2 << k);
            assert_string_equal(net.layers[net.outputs[k]].name, k ? "h1" : "h0");
        }
        assert_int_equal(net.count, 4);
        network_free(&net);
        strbuf_free(&text);
    }
}

/* NanoDet's first files have distances as outputs, not bins. */
static void finds_bins_behind_distances(void **state)
{
    static const struct { const char *mean; size_t bytes; bool ok; } cases[] = {
        { "Gemm m 1 1 q z 10=-1 2=0 3=1 4=0 5=1 6=1 7=400 8=1 9=2\n", 12, true },
        { "InnerProduct m 1 1 q z 0=1 1=0 2=2\n", 12, true },
        { "InnerProduct m 1 1 q z 0=1 1=0 2=3\n", 16, false },
        { "Gemm m 1 1 q z 10=-1 2=0 3=1 4=0 5=1 6=1 7=400 8=2 9=2\n", 20, false } };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct strbuf text = {0};
        struct network net;
        struct error err = {0};
        strbuf_addf(&text, "%sConvolution h 1 1 a y 0=10 1=1 6=80\nSlice s 1 2 y c d -23300=2,2,-233\n"
                    "Sigmoid g 1 1 c scores\nReshape r 1 1 d e 0=100 1=8\nPermute p 1 1 e f 0=1\n"
                    "Reshape b 1 1 f o 0=2 1=400\nSoftmax k 1 1 o q 0=1\n%sReshape t 1 1 z distances 0=4 1=100\n",
                    start, cases[i].mean);
        assert_true(parse(&net, 11, text.s, 100 + 324 + cases[i].bytes, &err) == cases[i].ok);
        assert_non_null(strstr(err.text, cases[i].ok ? "" : "mean of bins"));
        assert_true(!cases[i].ok || (net.count == 3 && net.outputs[0] == 2 && net.reg_max == 1));
        network_free(&net);
        strbuf_free(&text);
    }
}

static void refuses_false_files(void **state)
{
    static const struct { const char *text; int layers; size_t bytes; const char *why; } cases[] = {
        { "", 0, 0, "has no layers" },
        { "Input data 0 1 data\n", 2, 0, "ends after 1 layers of the 2" },
        { "Input data 0 1 data\nInput e 0 1 e\n", 1, 0, "x.param:4: more layers than the 1" },
        { "Input data 0 1 data\n", 5000, 0, "x.param:2: must be the number of layers" },
        { "Input data 0 9999999999 data\n", 1, 0, "x.param:3: a layer must have a type" },
        { "Input data 0 3 data\n", 1, 0, "x.param:3: a layer must have a type" },
        { "Input data 0 1 data 0=x\n", 1, 0, "0=x is not a numeric parameter" },
        { "Input data 0 1 data 0=nan\n", 1, 0, "0=nan is not a numeric parameter" },
        { "Convolution c 0 1 a\n", 1, 0, "the first layer, and no other, must be an Input" },
        { "Input data 0 1 data\nYoloV3 n 1 1 data y\n", 2, 0, "x.param:4: YoloV3 n: an unsupported layer type" },
        { "Input data 0 1 data\nReLU n 1 1 y y\n", 2, 0, "reads y, which no layer before it writes" },
        { "Input data 0 1 data\nReLU n 1 1 data data\n", 2, 0, "writes data, which a layer before it writes" },
        { "Input data 0 1 data\nReLU n 1 2 data y z\n", 2, 0, "reads 1 blobs and writes 2" },
        { "Input data 0 1 data\nConvolution n 1 1 data y 0=1000000000 1=1 6=3000000000\n", 2, 0, "do not make" },
        { "Input data 0 1 data\nConvolution n 1 1 data y 0=8 1=1 6=24\n", 2, 98, "beyond the 98 bytes" },
        { "Input data 0 1 data\nConvolution n 1 1 data y 0=8 1=1 6=24 8=1\n", 2, 100, "weights of 8 bits" },
        { "Input data 0 1 data\nConvolution n 1 1 data y 0=8 1=3 11=1 6=216\n", 2, 900, "only square kernels" },
        { "Input data 0 1 data\nConvolution n 1 1 data y 0=8 1=3 2=2 6=216\n", 2, 900, "without dilation" },
        { "Input data 0 1 data\nConvolution n 1 1 data y 0=8 1=1 6=24 9=7\n", 2, 100, "activation 7" },
        { "Input data 0 1 data\nSlice n 1 2 data y z -23300=2,9,-233\n", 2, 0, "do not divide 3 channels" },
        { "Input data 0 1 data\nInterp n 1 1 data y 0=2 1=3.0 2=3.0\n", 2, 0, "only twice the size, or half" },
        { "Input data 0 1 data\nPooling n 1 1 data y 0=0 1=3 2=2 3=1\n", 2, 0, "ceil mode" },
        { "Input data 0 1 data\nBatchNorm n 1 1 data y 0=3 1=-1.0\n", 2, 48, "channel 0 has a variance of 0" },
        { "Input data 0 1 data\nGroupNorm n 1 1 data y 0=2 1=3\n", 2, 24, "attributes out of range" },
        { "Input data 0 1 data\nGroupNorm n 1 1 data y 0=0 1=3\n", 2, 24, "attributes out of range" },
        { "Input data 0 1 data\nGroupNorm n 1 1 data y 0=1 1=3 2=-1.0\n", 2, 24, "attributes out of range" },
        { "Input data 0 1 data\nGroupNorm n 1 1 data y 0=2 1=4\n", 2, 32, "only of all channels" },
        { "Input data 0 1 data\nBinaryOp n 1 1 data y 0=3 1=1 2=0.0\n", 2, 0, "operation 3" },
        { "Input data 0 1 data\nReshape n 1 1 data y 0=7 1=2\n", 2, 0, "7 x 2 x -233 is not a supported layout" },
        { "Input data 0 1 data\nConvolution n 1 1 data y 0=8 1=1 6=24\n", 2, 104, "4 bytes of the bin file" },
        { "Input data 0 1 data\nConvolution n 1 1 data y 0=8 1=1 6=24\n", 2, 100, "not scores after a sigmoid" } };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct network net;
        struct error err = {0};
        assert_false(parse(&net, cases[i].layers, cases[i].text, cases[i].bytes, &err));
        if (!strstr(err.text, cases[i].why))
            fail_msg("%s instead of %s", err.text, cases[i].why);
        network_free(&net);
    }
}

static void refuses_quantised_weights(void **state)
{
    static const unsigned char flags[][4] = { { 0x38, 0x4b, 0x0d, 0 }, { 1, 2, 3, 4 } };
    static const char *const why[] = { "weights of 8 bits", "tables of quantised ones" };
    static const char text[] = "7767517\n2 2\nInput data 0 1 data\nConvolution c 1 1 data y 0=8 1=1 6=24\n";
    (void)state;
    for (int i = 0; i < 2; i++) {
        unsigned char weights[200] = {0};
        struct network net = {0};
        struct error err = {0};
        memcpy(weights, flags[i], sizeof flags[i]);
        assert_false(ncnn_parse(&net, (struct bytes){ (unsigned char *)(uintptr_t)text, sizeof text - 1 },
                                (struct bytes){ weights, sizeof weights }, "x.param", &err));
        assert_non_null(strstr(err.text, why[i]));
        network_free(&net);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(either_file_finds_the_other),
        cmocka_unit_test(the_same_network_gives_the_same_bytes),
        cmocka_unit_test(refuses_unsupported_networks),
        cmocka_unit_test(reads_files_of_converters),
        cmocka_unit_test(finds_levels_in_any_output_form),
        cmocka_unit_test(finds_bins_behind_distances),
        cmocka_unit_test(refuses_false_files),
        cmocka_unit_test(refuses_quantised_weights),
    };
    return cmocka_run_group_tests_name("ncnn", tests, make_folder, remove_folder);
}
