#include "interop/activations.h"

#include <math.h>
#include <stddef.h>

/* min(max(x / 6 + 1 / 2, 0), 1) and its product with x */
#define ONNX_HARD_SIGMOID { "HardSigmoid", "alpha~0.166666667 beta~0.5" }
#define NCNN_HARD(type, fused) { type, fused, { "1.66666667e-01", "0.5" }, { 0.2, 0.5 } }

const struct act_spelling act_spellings[ACT_KINDS] = {
    [ACT_NONE] = {
        .ncnn = { { .type = "Noop" } } },
    [ACT_LEAKY_RELU] = {
        .onnx = { .steps = { { "LeakyRelu", "alpha~%.9g" } } },
        .ncnn = { { "ReLU", 2, { "slope" } } } },
    [ACT_RELU] = {
        .onnx = { "Relu", { { "Relu" } } },
        .ncnn = { { "ReLU", 1 }, { "ReLU", 2 }, { "Clip", 3, { "0.0", "1e38" }, { -INFINITY, INFINITY } } } },
    [ACT_RELU6] = {
        .onnx = { .steps = { { "Clip", .numbers = 2, .number = { 0, 6 } } } },
        .ncnn = { { "Clip", 3, { "0.0", "6.0" }, { -INFINITY, INFINITY } } } },
    [ACT_HARD_SWISH] = {
        .onnx = { "HardSwish", { ONNX_HARD_SIGMOID, { "Mul", .with_x = true } }, GATE_RELU6, true, 1. / 6 },
        .ncnn = { NCNN_HARD("HardSwish", 6) } },
    [ACT_SILU] = {
        .onnx = { NULL, { { "Sigmoid" }, { "Mul", .with_x = true } }, GATE_SIGMOID, true, 1 },
        .ncnn = { { "Swish" } } },
    [ACT_GELU] = {
        .onnx = { NULL, { { "Mul", .numbers = 1, .number = { 0.70710678f } }, { "Erf" },
                          { "Add", .numbers = 1, .number = { 1 } }, { "Mul", .with_x = true },
                          { "Mul", .numbers = 1, .number = { 0.5f } } }, GATE_ONE_ERF, true, 0.5 },
        .ncnn = { { "GELU" } } },
    [ACT_HARD_SIGMOID] = {
        .onnx = { NULL, { ONNX_HARD_SIGMOID }, GATE_RELU6, false, 1. / 6 },
        .ncnn = { NCNN_HARD("HardSigmoid", 0) } },
    [ACT_SIGMOID] = {
        .onnx = { NULL, { { "Sigmoid" } }, GATE_SIGMOID, false, 1 },
        .ncnn = { { "Sigmoid", 4 } } },
    [ACT_MISH] = {
        .onnx = { "Mish", { { "Softplus" }, { "Tanh" }, { "Mul", .with_x = true } }, GATE_TANH_SOFTPLUS, true, 1 },
        .ncnn = { { "Mish", 5 } } } };
