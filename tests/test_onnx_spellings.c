/* tests/test_onnx_spellings.c -- ONNX files of other exporters, and errors of invalid files. */
#include "base/file.h"
#include "base/strbuf.h"
#include "base/wire.h"
#include "interop/onnx/emit.h"
#include "interop/onnx/onnx.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>                             /* last: it makes macros of fail and others */

/* ---- spellings ---- */

static struct value_name floats(struct emitter *e, int rank, const size_t *dims, float value)
{
    float numbers[4096];
    size_t count = 1;
    for (int i = 0; i < rank; i++)
        count *= dims[i];
    for (size_t i = 0; i < count; i++)
        numbers[i] = value;
    return emit_floats(e, numbers, rank, dims);
}

static struct value_name conv(struct emitter *e, const char *out, const char *x, size_t from, size_t to, int stride)
{
    const struct value_name weight = floats(e, 4, (const size_t[]){ to, from, 1, 1 }, 0.5f);
    return emit(e, out, "Conv", (const char *const[]){ x, weight.s, NULL }, "kernel_shape=[1,1] strides=[%d,%d]",
                stride, stride);
}

static struct value_name single(struct emitter *e, const char *op, const char *x, const char *attributes)
{
    return emit(e, NULL, op, (const char *const[]){ x, NULL }, "%s", attributes);
}

static struct value_name reshape(struct emitter *e, const char *x, const int64_t *extents, int rank)
{
    return emit_two(e, "Reshape", x, emit_ints(e, extents, rank).s);
}

/* x relu6(x + 3) / 6 */
static struct value_name hard_swish(struct emitter *e, const char *x)
{
    const struct value_name low = emit_float(e, 0), high = emit_float(e, 6);
    const struct value_name moved = emit_two(e, "Add", x, emit_float(e, 3).s);
    const struct value_name cut = emit(e, NULL, "Clip", (const char *const[]){ moved.s, low.s, high.s, NULL }, NULL);
    return emit_two(e, "Div", emit_two(e, "Mul", x, cut.s).s, high.s);
}

static struct value_name gelu(struct emitter *e, const char *x)
{
    const struct value_name one = emit_float(e, 1), half = emit_float(e, 0.5f);
    const struct value_name erf = emit_one(e, "Erf", emit_two(e, "Div", x, emit_float(e, 1.41421354f).s).s);
    return emit_two(e, "Mul", emit_two(e, "Mul", x, half.s).s, emit_two(e, "Add", erf.s, one.s).s);
}

/* Reshapes of five extents, their numbers computed from the map's shape. */
static struct value_name shuffle(struct emitter *e, const char *x)
{
    const struct value_name shape = emit_one(e, "Shape", x), at = emit_ints(e, &(int64_t){ 1 }, 1);
    const struct value_name channels = emit_two(e, "Gather", shape.s, at.s), two = emit_ints(e, &(int64_t){ 2 }, 1);
    const struct value_name half = emit_two(e, "Div", channels.s, two.s), four = emit_ints(e, &(int64_t){ 4 }, 1);
    const struct value_name sides = emit(e, NULL, "Slice", (const char *const[]){ shape.s, two.s, four.s, NULL }, NULL);
    const struct value_name cut = emit(e, NULL, "Concat", (const char *const[]){ at.s, two.s, half.s, sides.s, NULL },
                                       "axis=0");
    const struct value_name turned = single(e, "Transpose", emit_two(e, "Reshape", x, cut.s).s, "perm=[0,2,1,3,4]");
    return reshape(e, turned.s, (const int64_t[]){ 1, -1, 8, 12 }, 4);
}

static struct value_name halves(struct emitter *e, const char *x)
{
    return emit_one(e, "Relu", emit_channels(e, x, -4, 1000).s);
}

static struct value_name resize(struct emitter *e, const char *x)
{
    const struct value_name sizes = emit_ints(e, (const int64_t[]){ 1, 8, 4, 6 }, 4);
    const struct value_name small = emit(e, NULL, "Resize", (const char *const[]){ x, "", "", sizes.s, NULL },
                                         "mode='linear' coordinate_transformation_mode='pytorch_half_pixel'");
    const struct value_name scales = emit_floats(e, (const float[]){ 1, 1, 2, 2 }, 1, (const size_t[]){ 4 });
    return emit(e, NULL, "Resize", (const char *const[]){ small.s, "", scales.s, NULL },
                "mode='nearest' coordinate_transformation_mode='asymmetric' nearest_mode='floor'");
}

/* Pixels as rows: (x - mean) / sqrt(variance + epsilon), weighted; then a matrix and a bias. */
static struct value_name rows(struct emitter *e, const char *x)
{
    const struct value_name lines = reshape(e, x, (const int64_t[]){ 1, 8, -1 }, 3);
    const struct value_name row = single(e, "Transpose", lines.s, "perm=[2,0,1]");
    const struct value_name mean = single(e, "ReduceMean", row.s, "axes=[-1]");
    const struct value_name centred = emit_two(e, "Sub", row.s, mean.s);
    const struct value_name square = emit_two(e, "Pow", centred.s, emit_float(e, 2).s);
    const struct value_name variance = single(e, "ReduceMean", square.s, "axes=[-1]");
    const struct value_name moved = emit_two(e, "Add", variance.s, emit_float(e, 1e-5f).s);
    const struct value_name norm = emit_two(e, "Div", centred.s, emit_one(e, "Sqrt", moved.s).s);
    const struct value_name weighted = emit_two(e, "Mul", norm.s, floats(e, 1, (const size_t[]){ 8 }, 2).s);
    const struct value_name shifted = emit_two(e, "Add", weighted.s, floats(e, 1, (const size_t[]){ 8 }, 1).s);
    const struct value_name y = emit_two(e, "MatMul", shifted.s, floats(e, 2, (const size_t[]){ 8, 8 }, 0.5f).s);
    const struct value_name sum = emit_two(e, "Add", floats(e, 1, (const size_t[]){ 8 }, 1).s, y.s);
    return reshape(e, single(e, "Transpose", sum.s, "perm=[1,2,0]").s, (const int64_t[]){ 1, 8, 8, 12 }, 4);
}

/* The operator of opset 18, and what exporters write before. */
static struct value_name mish(struct emitter *e, const char *x)
{
    const struct value_name y = emit_one(e, "Mish", x), gate = emit_one(e, "Tanh", emit_one(e, "Softplus", y.s).s);
    return emit_two(e, "Mul", gate.s, y.s);
}

/* As exporters write torch.nn.MultiheadAttention: q, k and v of one matrix, rows cut into heads. */
static struct value_name attention(struct emitter *e, const char *x)
{
    const struct value_name lines = reshape(e, x, (const int64_t[]){ 1, 8, -1 }, 3);
    const struct value_name row = single(e, "Transpose", lines.s, "perm=[2,0,1]");
    const struct value_name all = emit_two(e, "MatMul", row.s, floats(e, 2, (const size_t[]){ 8, 24 }, 0.5f).s);
    const struct value_name cut = reshape(e, all.s, (const int64_t[]){ 96, 1, 3, 8 }, 4);
    const struct value_name front = single(e, "Transpose", cut.s, "perm=[2,0,1,3]");
    struct value_name part[3];
    for (int i = 0; i < 3; i++) {
        const struct value_name at = emit(e, NULL, "Constant", (const char *const[]){ NULL }, "value_int=%d", i);
        const struct value_name one = emit(e, NULL, "Gather", (const char *const[]){ front.s, at.s, NULL }, "axis=0");
        const struct value_name heads = reshape(e, one.s, (const int64_t[]){ 96, 2, 4 }, 3);
        part[i] = single(e, "Transpose", heads.s, i == 1 ? "perm=[1,2,0]" : "perm=[1,0,2]");
    }
    const struct value_name scaled = emit_two(e, "Mul", part[0].s, emit_float(e, 0.5f).s);
    const struct value_name shares = single(e, "Softmax", emit_two(e, "MatMul", scaled.s, part[1].s).s, "axis=-1");
    const struct value_name y = single(e, "Transpose", emit_two(e, "MatMul", shares.s, part[2].s).s, "perm=[1,0,2]");
    const struct value_name flat = reshape(e, y.s, (const int64_t[]){ 96, 8 }, 2);
    const struct value_name matrix = floats(e, 2, (const size_t[]){ 8, 8 }, 0.5f);
    const struct value_name bias = floats(e, 1, (const size_t[]){ 8 }, 1);
    const struct value_name out = emit(e, NULL, "Gemm", (const char *const[]){ flat.s, matrix.s, bias.s, NULL },
                                       "transB=1");
    const struct value_name back = reshape(e, out.s, (const int64_t[]){ 96, 1, 8 }, 3);
    return reshape(e, single(e, "Transpose", back.s, "perm=[1,2,0]").s, (const int64_t[]){ 1, 8, 8, 12 }, 4);
}

static struct value_name position(struct emitter *e, const char *x)
{
    const struct value_name sum = emit_two(e, "Add", x, floats(e, 3, (const size_t[]){ 8, 8, 12 }, 0.1f).s);
    return emit_two(e, "Mul", sum.s, floats(e, 3, (const size_t[]){ 8, 1, 1 }, 3).s);
}

static const struct spelling {
    const char *name;
    struct value_name (*emit)(struct emitter *, const char *x);      /* of a map [1][8][8][12] */
    const char *kinds;                                          /* of the equivalent layers */
} spellings[] = {
    { "hard swish", hard_swish, "activation " },
    { "gelu",       gelu,       "activation " },
    { "mish",       mish,       "activation activation " },
    { "shuffle",    shuffle,    "shuffle " },
    { "halves",     halves,     "channels activation " },
    { "resize",     resize,     "average pool nearest " },
    { "rows",       rows,       "layer norm convolution " },
    { "attention",  attention,  "convolution channels channels channels attention convolution " },
    { "position",   position,   "constant add affine " } };

/* The graph as a model: one level of 3 classes and 32 bins, as they are. */
static struct strbuf model_of(struct emitter *e)
{
    struct strbuf model = {0}, graph = {0}, opset = {0};
    static const struct extent image[] = { { 1, NULL }, { 3, NULL }, { 64, NULL }, { 96, NULL } };
    emit_declare(e, EMIT_INPUT, "x", false, image, 4);
    emit_declare(e, EMIT_OUTPUT, "y", false, image, 0);
    strbuf_add(&graph, e->nodes.s, e->nodes.size);
    strbuf_add(&graph, e->tensors.s, e->tensors.size);
    strbuf_add(&graph, e->declared.s, e->declared.size);
    wire_put_int(&model, 1, 6);
    wire_put_message(&model, 7, &graph);
    wire_put_int(&opset, 2, 11);
    wire_put_message(&model, 8, &opset);
    assert_true(strbuf_check(&model, NULL));
    emitter_free(e);
    return model;
}

static bool read_model(struct emitter *e, struct network *net, struct strbuf *model, struct error *err)
{
    *model = model_of(e);
    return onnx_read(net, (struct bytes){ (unsigned char *)model->s, model->size }, "model", err);
}

static void files_of_exporters_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
        struct emitter e = { .name = "n" };
        struct network net;
        struct strbuf model, kinds = {0}, want = {0};
        struct error err = {0};
        const struct value_name x = conv(&e, NULL, "x", 3, 8, 8), y = spellings[i].emit(&e, x.s);
        const size_t channels = spellings[i].emit == halves ? 4 : 8;
        conv(&e, "y", y.s, channels, 35, 1);
        if (!read_model(&e, &net, &model, &err))
            fail_msg("%s: %s", spellings[i].name, err.text);
        for (int k = 0; k < net.count; k++)
            strbuf_addf(&kinds, "%s ", layer_kind_name(net.layers[k].kind));
        strbuf_addf(&want, "input convolution %sconvolution ", spellings[i].kinds);
        assert_string_equal(kinds.s, want.s);
        assert_int_equal(net.classes, 0);
        assert_int_equal(net.strides[0], 8);
        network_free(&net);
        strbuf_free(&model);
        strbuf_free(&kinds);
        strbuf_free(&want);
    }
}

/* Scores and boxes of two levels in outputs of their own, as NanoDet was exported first; the coarser level before. */
static void predictions_are_found(void **state)
{
    struct emitter e = { .name = "n" };
    struct network net;
    struct strbuf model;
    struct error err = {0};
    const struct value_name x = conv(&e, NULL, "x", 3, 8, 8), coarse = conv(&e, NULL, x.s, 8, 8, 2);
    struct value_name all[2];
    (void)state;
    for (int i = 0; i < 2; i++) {
        const char *map = i ? x.s : coarse.s;
        const struct value_name classes = conv(&e, NULL, map, 8, 3, 1), bins = conv(&e, NULL, map, 8, 32, 1);
        const struct value_name scale = emit_float(&e, 1.5f), scores = emit_one(&e, "Sigmoid", classes.s);
        const struct value_name scaled = emit_two(&e, "Mul", bins.s, scale.s);
        const struct value_name both = emit(&e, NULL, "Concat", (const char *const[]){ scaled.s, scores.s, NULL },
                                            "axis=1");
        all[i] = reshape(&e, both.s, (const int64_t[]){ 1, 35, -1 }, 3);
    }
    emit(&e, "y", "Concat", (const char *const[]){ all[0].s, all[1].s, NULL }, "axis=2");
    if (!read_model(&e, &net, &model, &err))
        fail_msg("%s", err.text);
    assert_int_equal(net.output_count, 2);
    assert_int_equal(net.classes, 3);
    assert_int_equal(net.reg_max, 7);
    for (int i = 0; i < 2; i++) {
        const struct layer *y = &net.layers[net.outputs[i]];
        assert_int_equal(net.strides[i], i ? 16 : 8);
        assert_int_equal(y->kind, LAYER_CONCAT);
        assert_int_equal(net.layers[y->operand[0]].kind, LAYER_CONV);
        assert_int_equal(net.layers[y->operand[1]].kind, LAYER_AFFINE);
    }
    network_free(&net);
    strbuf_free(&model);
}

/* PyTorch writes equal parameters once: a norm whose shift is also the bias of a convolution. */
static void parameters_may_be_shared(void **state)
{
    struct emitter e = { .name = "n" };
    struct network net;
    struct strbuf model;
    struct error err = {0};
    const size_t eight = 8;
    const struct value_name x = conv(&e, NULL, "x", 3, 8, 8), one = floats(&e, 1, &eight, 1), two = floats(&e, 1,
                                                                                                           &eight, 2);
    const struct value_name weight = floats(&e, 4, (const size_t[]){ 8, 8, 1, 1 }, 0.5f);
    emit(&e, "conv.bias", "Identity", (const char *const[]){ one.s, NULL }, NULL);
    emit(&e, "norm.weight", "Identity", (const char *const[]){ one.s, NULL }, NULL);
    const struct value_name norm = emit(&e, NULL, "BatchNormalization", (const char *const[]){
        x.s, "norm.weight", one.s, two.s, one.s, NULL }, "epsilon~0");
    const struct value_name y = emit(&e, NULL, "Conv", (const char *const[]){ norm.s, weight.s, "conv.bias", NULL },
                                     "kernel_shape=[1,1]");
    float numbers[8];
    (void)state;
    conv(&e, "y", y.s, 8, 35, 1);
    if (!read_model(&e, &net, &model, &err))
        fail_msg("%s", err.text);
    const struct layer *affine = &net.layers[2], *after = &net.layers[3];
    assert_string_equal(affine->name, "norm");
    assert_string_equal(net.weights.list[affine->weight].name, "norm.weight");
    assert_string_equal(net.weights.list[after->bias].name, "conv.bias");
    tensor_floats(&net.weights.list[affine->bias], numbers);
    assert_true(numbers[0] == -1);
    tensor_floats(&net.weights.list[after->bias], numbers);
    assert_true(numbers[0] == 1);
    network_free(&net);
    strbuf_free(&model);
}

/* ---- refusals ---- */

static struct value_name unknown(struct emitter *e, const char *x) { return emit_one(e, "Selu", x); }
static struct value_name plain_tanh(struct emitter *e, const char *x) { return emit_one(e, "Tanh", x); }

static struct value_name cycle(struct emitter *e, const char *x)
{
    char ahead[24];
    snprintf(ahead, sizeof ahead, "/t%d", e->names + 1);
    return emit_one(e, "Relu", emit_two(e, "Add", x, ahead).s);
}

static struct value_name itself(struct emitter *e, const char *x)
{
    char self[24];
    snprintf(self, sizeof self, "/t%d", e->names);
    return emit_two(e, "Add", x, self);
}

static struct value_name nothing(struct emitter *e, const char *x) { return emit_two(e, "Add", x, "nothing"); }

static struct value_name twice(struct emitter *e, const char *x)
{
    emit(e, "again", "Relu", (const char *const[]){ x, NULL }, NULL);
    emit(e, "again", "Relu", (const char *const[]){ x, NULL }, NULL);
    return emit_one(e, "Relu", "again");
}

static struct value_name tensor(struct emitter *e, const char *x, int field, int64_t value)
{
    struct strbuf t = {0};
    wire_put_int(&t, 1, field == 1 ? value : 8);
    wire_put_int(&t, 2, 1);
    wire_put_text(&t, 8, "weights");
    if (field != 1)
        wire_put_int(&t, field, value);
    wire_put_message(&e->tensors, 5, &t);
    return emit_two(e, "Add", x, "weights");
}

static struct value_name negative(struct emitter *e, const char *x) { return tensor(e, x, 1, -8); }
static struct value_name huge(struct emitter *e, const char *x)     { return tensor(e, x, 1, INT64_MAX); }
static struct value_name empty(struct emitter *e, const char *x)    { return tensor(e, x, 3, 0); }
static struct value_name external(struct emitter *e, const char *x) { return tensor(e, x, 14, 1); }
static struct value_name no_type(struct emitter *e, const char *x)  { return tensor(e, x, 2, 77); }

static struct value_name odd_window(struct emitter *e, const char *x)
{
    return single(e, "MaxPool", x, "kernel_shape=[3,2] strides=[1,1]");
}

static struct value_name enormous_window(struct emitter *e, const char *x)
{
    return single(e, "MaxPool", x, "kernel_shape=[1000000000000,1000000000000]");
}

static struct value_name dilated(struct emitter *e, const char *x)
{
    return single(e, "MaxPool", x, "kernel_shape=[3,3] dilations=[2,2]");
}

static struct value_name thirds(struct emitter *e, const char *x)
{
    return reshape(e, x, (const int64_t[]){ 1, 3, -1 }, 3);
}

static struct value_name rotated(struct emitter *e, const char *x)
{
    return single(e, "Transpose", x, "perm=[0,1,3,2]");
}

static struct value_name larger(struct emitter *e, const char *x)
{
    const struct value_name scales = emit_floats(e, (const float[]){ 1, 1, 3, 3 }, 1, (const size_t[]){ 4 });
    return emit(e, NULL, "Resize", (const char *const[]){ x, "", scales.s, NULL }, "mode='nearest'");
}

static struct value_name misfit(struct emitter *e, const char *x)
{
    return emit_two(e, "Add", x, floats(e, 1, (const size_t[]){ 5 }, 1).s);
}

/* A norm of four groups whose factors are that number. */
static struct value_name norm_of(struct emitter *e, const char *x, float factor)
{
    const float ones[4] = { factor, factor, factor, factor }, zeros[4] = {0};
    const struct value_name scale = emit_floats(e, ones, 1, (const size_t[]){ 4 });
    const struct value_name shift = emit_floats(e, zeros, 1, (const size_t[]){ 4 });
    return emit(e, NULL, "InstanceNormalization", (const char *const[]){ x, scale.s, shift.s, NULL }, NULL);
}

static struct value_name norm_of_maps(struct emitter *e, const char *x) { return norm_of(e, x, 1); }

static struct value_name norm_with_factors(struct emitter *e, const char *x)
{
    return norm_of(e, reshape(e, x, (const int64_t[]){ 1, 4, -1 }, 3).s, 2);
}

static struct value_name half_a_gelu(struct emitter *e, const char *x) { return emit_one(e, "Erf", x); }

/* Each doubles a constant: 2^40 elements without a limit. */
static struct value_name bomb(struct emitter *e, const char *x)
{
    struct value_name y = emit_ints(e, (const int64_t[]){ 1, 1 }, 2);
    for (int i = 0; i < 40; i++)
        y = emit(e, NULL, "Concat", (const char *const[]){ y.s, y.s, NULL }, "axis=0");
    return emit_two(e, "Reshape", x, y.s);
}

static const struct refusal {
    struct value_name (*emit)(struct emitter *, const char *x);
    const char *words;                                          /* in the error */
} refusals[] = {
    { plain_tanh, "outside of a Mish" },
    { unknown, "Selu" },            { cycle, "before it is written" },  { itself, "before it is written" },
    { nothing, "no node writes" },  { twice, "two values again" },      { negative, "weights: invalid extents" },
    { huge, "weights: invalid extents" },   { empty, "do not match" },          { external, "another file" },
    { no_type, "tensor type (77)" },   { odd_window, "not square" },       { enormous_window, "not square" },
    { dilated, "dilated" },         { thirds, "cannot have" },          { rotated, "layout is not" },
    { larger, "a resize other than" },     { misfit, "does not fit" },         { half_a_gelu, "outside of a GELU" },
    { bomb, "too much arithmetic" },    { norm_of_maps, "not over groups" },
    { norm_with_factors, "factors of their own" } };

static void false_files_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        struct emitter e = { .name = "n" };
        struct network net;
        struct strbuf model;
        struct error err = {0};
        const struct value_name x = conv(&e, NULL, "x", 3, 8, 8), y = refusals[i].emit(&e, x.s);
        conv(&e, "y", y.s, 8, 35, 1);
        assert_false(read_model(&e, &net, &model, &err));
        assert_int_equal(err.exit, 1);
        if (!strstr(err.text, refusals[i].words))
            fail_msg("'%s' does not say '%s'", err.text, refusals[i].words);
        network_free(&net);
        strbuf_free(&model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_of_exporters_are_read),
        cmocka_unit_test(predictions_are_found),
        cmocka_unit_test(parameters_may_be_shared),
        cmocka_unit_test(false_files_are_refused),
    };
    return cmocka_run_group_tests_name("onnx spellings", tests, NULL, NULL);
}
